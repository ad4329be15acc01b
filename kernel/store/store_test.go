package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/slipway-dev/slipway/kernel/store"
	"pgregory.net/rapid"
)

type task struct {
	ID, Service string
	Ports       []int
}

var (
	tasks = store.NewTable("test/task", func(t task) string { return t.ID },
		store.CountedIndex("service", func(t task) []string { return []string{t.Service} }))
	readings = store.NewTable("test/reading", func(t task) string { return t.ID }, store.Volatile[task]())
)

func open(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open(store.Config{Path: path}, tasks, readings)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestARowIsThereOnceUpdateReturns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := open(t, path)
	before := s.Snapshot()
	err := s.Update(func(tx *store.Tx) error {
		tasks.Put(tx, task{ID: "a", Service: "web", Ports: []int{80}})
		readings.Put(tx, task{ID: "r"})
		return tasks.Create(tx, task{ID: "b", Service: "web"})
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tasks.Get(before, "a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an old snapshot changed: %v", err)
	}
	if got := len(slices.Collect(tasks.By(s.Snapshot(), "service", "web"))); got != 2 {
		t.Errorf("index lists %d tasks, want 2", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, path)
	defer s.Close()
	got, err := tasks.Get(s.Snapshot(), "a")
	if err != nil || !slices.Equal(got.Ports, []int{80}) {
		t.Errorf("after reopening: %+v, %v", got, err)
	}
	if _, err := readings.Get(s.Snapshot(), "r"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a volatile row was kept: %v", err)
	}
	if got := len(slices.Collect(tasks.By(s.Snapshot(), "service", "web"))); got != 2 {
		t.Errorf("index lists %d tasks after reopening, want 2", got)
	}
}

func TestAFailedUpdateChangesNothing(t *testing.T) {
	s := open(t, "")
	refused := errors.New("refused")
	err := s.Update(func(tx *store.Tx) error {
		tasks.Put(tx, task{ID: "a"})
		return refused
	})
	if !errors.Is(err, refused) {
		t.Fatalf("got %v", err)
	}
	if s.Snapshot().Revision() != 0 {
		t.Error("a failed update made a revision")
	}
	if err := s.Update(func(tx *store.Tx) error { return tasks.Create(tx, task{ID: "a"}) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(func(tx *store.Tx) error { return tasks.Create(tx, task{ID: "a"}) }); !errors.Is(err, store.ErrExists) {
		t.Errorf("second create: %v", err)
	}
}

func TestAPanicBelongsToItsCaller(t *testing.T) {
	s := open(t, "")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was lost")
			}
		}()
		_ = s.Update(func(*store.Tx) error { panic("boom") })
	}()
	if err := s.Update(func(tx *store.Tx) error { tasks.Put(tx, task{ID: "a"}); return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestChangesAreToldOnceAndInOrder(t *testing.T) {
	s := open(t, "")
	put := func(id, service string) {
		if err := s.Update(func(tx *store.Tx) error { tasks.Put(tx, task{ID: id, Service: service}); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	put("a", "web")
	put("a", "web") // equal to what is there: no change
	put("b", "web")
	before := s.Snapshot()
	put("c", "web")
	some, err := s.ChangesUntil(before, 1)
	if want := []store.Change{{Table: "test/task", Key: "b"}}; err != nil || !slices.Equal(some, want) {
		t.Errorf("from 1 to 2: %v, %v", some, err)
	}
	got, rev, err := s.Changes(t.Context(), 0)
	want := []store.Change{{Table: "test/task", Key: "a"}, {Table: "test/task", Key: "b"}, {Table: "test/task", Key: "c"}}
	if err != nil || !slices.Equal(got, want) || rev != 3 {
		t.Fatalf("%v at %d, %v", got, rev, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Changes(ctx, rev); !errors.Is(err, context.Canceled) {
		t.Errorf("nothing to tell: %v", err)
	}
	for i := range 1 << 15 {
		put(fmt.Sprint(i), "many")
	}
	if _, _, err := s.Changes(t.Context(), rev); !errors.Is(err, store.ErrCompacted) {
		t.Errorf("after many changes: %v, want ErrCompacted", err)
	}
}

func TestConcurrentWritersLoseNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := open(t, path)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 25 {
				err := s.Update(func(tx *store.Tx) error {
					n, _ := tasks.Get(tx, "counter")
					n.ID, n.Ports = "counter", []int{1}
					n.Service += "x"
					tasks.Put(tx, n)
					return tasks.Create(tx, task{ID: fmt.Sprintf("%d-%d", w, i)})
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	defer s.Close()
	if n, _ := tasks.Get(s.Snapshot(), "counter"); len(n.Service) != 200 {
		t.Errorf("%d increments, want 200", len(n.Service))
	}
	if got := len(slices.Collect(tasks.List(s.Snapshot(), ""))); got != 201 {
		t.Errorf("%d rows, want 201", got)
	}
}

func TestASecondEngineIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := open(t, path)
	defer s.Close()
	if _, err := store.Open(store.Config{Path: path}, tasks); err == nil {
		t.Error("two stores opened one file")
	}
}

// The store against a map: the same transactions, the same rows, also after
// reopening.
func TestStoreBehavesAsAMap(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprint(n))
		s, err := store.Open(store.Config{Path: path}, tasks)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		model := map[string]task{}
		id := rapid.SampledFrom([]string{"a", "ab", "abc", "b", "b/c", "b/"})
		service := rapid.SampledFrom([]string{"", "web", "api"})
		t.Repeat(map[string]func(*rapid.T){
			"update": func(t *rapid.T) {
				next := maps.Clone(model)
				fail := rapid.Bool().Draw(t, "fail")
				ops := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) task {
					return task{ID: id.Draw(t, "id"), Service: service.Draw(t, "service")}
				}), 1, 4).Draw(t, "ops")
				remove := rapid.Bool().Draw(t, "remove")
				err := s.Update(func(tx *store.Tx) error {
					for _, o := range ops {
						if remove {
							tasks.Delete(tx, o.ID)
							delete(next, o.ID)
							continue
						}
						tasks.Put(tx, o)
						next[o.ID] = o
					}
					if fail {
						return errors.New("refused")
					}
					return nil
				})
				if (err != nil) != fail {
					t.Fatal(err)
				}
				if !fail {
					model = next
				}
			},
			"reopen": func(t *rapid.T) {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if s, err = store.Open(store.Config{Path: path}, tasks); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) {
				for _, prefix := range []string{"", "a", "b/"} {
					var want []string
					for k := range model {
						if len(k) >= len(prefix) && k[:len(prefix)] == prefix {
							want = append(want, k)
						}
					}
					slices.Sort(want)
					var got []string
					for r := range tasks.List(s.Snapshot(), prefix) {
						got = append(got, r.ID)
					}
					if !slices.Equal(got, want) {
						t.Fatalf("prefix %q: %q, want %q", prefix, got, want)
					}
					for _, from := range []string{"", "a", "aa", "abd", "b", "b/", "b/a", "c"} {
						at, _ := slices.BinarySearch(want, from)
						got = nil
						for r := range tasks.ListFrom(s.Snapshot(), prefix, from) {
							got = append(got, r.ID)
						}
						if !slices.Equal(got, want[at:]) {
							t.Fatalf("prefix %q from %q: %q, want %q", prefix, from, got, want[at:])
						}
					}
				}
				for _, name := range []string{"", "web", "api"} {
					n := tasks.Count(s.Snapshot(), "service", name)
					if got := len(slices.Collect(tasks.By(s.Snapshot(), "service", name))); got != n {
						t.Fatalf("index %q lists %d rows and counts %d", name, got, n)
					}
					n = 0
					for r := range tasks.By(s.Snapshot(), "service", name) {
						n++
						if model[r.ID].Service != name {
							t.Fatalf("index %q lists %+v", name, r)
						}
					}
					for _, r := range model {
						if r.Service == name {
							n--
						}
					}
					if n != 0 {
						t.Fatalf("index %q is off by %d", name, n)
					}
				}
			},
		})
	})
}

func BenchmarkUpdateDurable(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "db"))
	defer s.Close()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if err := s.Update(func(tx *store.Tx) error {
				tasks.Put(tx, task{ID: fmt.Sprint(i % 1000), Service: fmt.Sprint(i)})
				return nil
			}); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkGet(b *testing.B) {
	s := open(b, "")
	if err := s.Update(func(tx *store.Tx) error { tasks.Put(tx, task{ID: "a"}); return nil }); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := tasks.Get(s.Snapshot(), "a"); err != nil {
			b.Fatal(err)
		}
	}
}
