package store_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/kernel/store"
)

func TestClearedRowsAreGoneFromIndexesAndFromTheDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := open(t, path)
	err := s.Update(func(tx *store.Tx) error {
		for _, id := range []string{"a/1", "a/2", "b/1"} {
			tasks.Put(tx, task{ID: id, Service: "web"})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := s.Update(func(tx *store.Tx) error {
		n = store.Clear(tx, tasks, func(key string) bool { return strings.HasPrefix(key, "a/") })
		return nil
	}); err != nil || n != 2 {
		t.Fatalf("%d rows cleared, %v; want 2", n, err)
	}
	look := func(when string) {
		t.Helper()
		if keys := tasks.Keys(s.Snapshot()); !slices.Equal(keys, []string{"b/1"}) || tasks.Count(s.Snapshot(), "service", "web") != 1 {
			t.Errorf("%s: %q are left, %d in the index", when, keys, tasks.Count(s.Snapshot(), "service", "web"))
		}
	}
	look("at once")
	if changes, err := s.ChangesUntil(s.Snapshot(), 1); err != nil || len(changes) != 2 {
		t.Errorf("watchers are told %v, %v", changes, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	defer s.Close()
	look("after reopening")
}
