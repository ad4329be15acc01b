package loop_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
)

type service struct {
	Name       string
	Want, Have int
}

var services = store.NewTable("test/service", func(s service) string { return s.Name })

func names(snap *store.Snapshot) []string {
	var out []string
	for s := range services.List(snap, "") {
		out = append(out, s.Name)
	}
	return out
}

func changed(_ *store.Snapshot, c store.Change) []string { return []string{c.Key} }

// run starts the loop in a synctest bubble and stops it at the end of f.
func run(t *testing.T, l loop.Loop, f func(s *store.Store)) {
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(store.Config{}, services)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		l.List, l.Keys = names, changed
		if l.Reconcile == nil {
			t.Fatal("no Reconcile")
		}
		go func() { done <- l.Run(ctx, s, slog.New(slog.DiscardHandler)) }()
		f(s)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func put(t *testing.T, s *store.Store, v service) {
	t.Helper()
	if err := s.Update(func(tx *store.Tx) error { services.Put(tx, v); return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestAFailingKeyIsTriedAgainUntilItHolds(t *testing.T) {
	var attempts []time.Time
	run(t, loop.Loop{Name: "test", Reconcile: func(context.Context, string) (time.Duration, error) {
		attempts = append(attempts, time.Now())
		if len(attempts) < 4 {
			return 0, errors.New("boom")
		}
		return 0, nil
	}}, func(s *store.Store) {
		put(t, s, service{Name: "web", Want: 3})
		time.Sleep(time.Minute)
	})
	var gaps []time.Duration
	for i := 1; i < len(attempts); i++ {
		gaps = append(gaps, attempts[i].Sub(attempts[i-1]))
	}
	want := []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond}
	if !slices.Equal(gaps, want) {
		t.Errorf("delays %v, want %v", gaps, want)
	}
}

func TestAgainAndResync(t *testing.T) {
	var calls atomic.Int32
	run(t, loop.Loop{Name: "test", Resync: time.Hour, Reconcile: func(context.Context, string) (time.Duration, error) {
		if calls.Add(1) < 5 {
			return time.Second, nil
		}
		return 0, nil
	}}, func(s *store.Store) {
		put(t, s, service{Name: "web"})
		time.Sleep(time.Minute)
		if calls.Load() != 5 {
			t.Errorf("%d calls, want 5", calls.Load())
		}
		time.Sleep(2 * time.Hour)
		if calls.Load() != 7 {
			t.Errorf("%d calls after two resyncs, want 7", calls.Load())
		}
	})
}

func TestOneKeyIsNeverReconciledTwiceAtOnce(t *testing.T) {
	var running, most, all atomic.Int32
	run(t, loop.Loop{Name: "test", Workers: 3, Reconcile: func(_ context.Context, key string) (time.Duration, error) {
		all.Add(1)
		if key == "web" {
			if running.Add(1) > 1 {
				t.Error("web is reconciled twice at once")
			}
			defer running.Add(-1)
		}
		most.Store(max(most.Load(), all.Load()))
		time.Sleep(time.Second)
		all.Add(-1)
		return 0, nil
	}}, func(s *store.Store) {
		for i := range 5 {
			put(t, s, service{Name: "web", Want: i})
			put(t, s, service{Name: string(rune('a' + i))})
		}
		time.Sleep(time.Minute)
	})
	if most.Load() != 3 {
		t.Errorf("%d keys at once, want 3", most.Load())
	}
}

func TestAPanicStopsOneKeyOnly(t *testing.T) {
	var seen []string
	run(t, loop.Loop{Name: "test", Reconcile: func(_ context.Context, key string) (time.Duration, error) {
		if key == "bad" {
			panic("boom")
		}
		seen = append(seen, key)
		return 0, nil
	}}, func(s *store.Store) {
		put(t, s, service{Name: "bad"})
		put(t, s, service{Name: "good"})
		time.Sleep(time.Second)
	})
	if !slices.Equal(seen, []string{"good"}) {
		t.Errorf("reconciled %q", seen)
	}
}

// What one change costs while many keys wait for their time.
func BenchmarkOneOfMany(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s, err := store.Open(store.Config{}, services)
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Update(func(tx *store.Tx) error {
				for i := range n {
					services.Put(tx, service{Name: strconv.Itoa(i)})
				}
				return nil
			}); err != nil {
				b.Fatal(err)
			}
			done := make(chan struct{}, n)
			l := loop.Loop{Name: "bench", List: names, Keys: changed, Reconcile: func(context.Context, string) (time.Duration, error) {
				done <- struct{}{}
				return time.Hour, nil
			}}
			go func() { _ = l.Run(b.Context(), s, slog.New(slog.DiscardHandler)) }()
			for range n {
				<-done
			}
			for i := 0; b.Loop(); i++ {
				_ = s.Update(func(tx *store.Tx) error { services.Put(tx, service{Name: "0", Want: i + 1}); return nil })
				<-done
			}
		})
	}
}
