// Package loop runs control loops: level-triggered, keyed, self-healing.
//
// A loop keeps one kind of thing true. It is told which keys may need work,
// never what happened: Reconcile reads the present state and makes the world,
// or another table, agree with it. Loops meet only in the store.
package loop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/slipway-dev/slipway/kernel/store"
)

// Loop describes a control loop; Run runs it.
type Loop struct {
	// Name says what the loop keeps true; it stands in log lines.
	Name string
	// List returns every key. It is asked at the start, at every Resync, and
	// when changes were missed.
	List func(*store.Snapshot) []string
	// Keys returns the keys that a change dirties.
	Keys func(*store.Snapshot, store.Change) []string
	// Resync reconciles every key this often; 0 means never.
	Resync time.Duration
	// Workers is how many keys are reconciled at once; 0 means 1. One key is
	// never reconciled twice at once.
	Workers int
	// Reconcile makes one key true; it must be idempotent. With again > 0 it
	// is called again then, with an error after a growing delay.
	Reconcile func(ctx context.Context, key string) (again time.Duration, err error)
}

// Changed is Keys for a loop whose keys are those of its tables' rows; List is
// Table.Keys then.
func Changed(tables ...store.Schema) func(*store.Snapshot, store.Change) []string {
	return func(_ *store.Snapshot, c store.Change) []string {
		for _, t := range tables {
			if t.Name() == c.Table {
				return []string{c.Key}
			}
		}
		return nil
	}
}

// Delays between the attempts of a key that fails.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// Run runs the loop until ctx ends, then waits for its workers. It returns
// nil: what fails is logged and tried again.
func (l Loop) Run(ctx context.Context, s *store.Store, log *slog.Logger) error {
	r := &run{Loop: l, log: log, keys: map[string]*state{}, results: make(chan result)}
	snap := s.Snapshot()
	r.dirty(l.List(snap))
	changes := make(chan []store.Change)
	go l.follow(ctx, s, snap.Revision(), changes)

	timer := time.NewTimer(0)
	defer timer.Stop()
	var resync <-chan time.Time
	if l.Resync > 0 {
		t := time.NewTicker(l.Resync)
		defer t.Stop()
		resync = t.C
	}
	for {
		if next, ok := r.dispatch(ctx); ok {
			timer.Reset(time.Until(next))
		}
		select {
		case <-ctx.Done():
			for r.busy > 0 {
				<-r.results
				r.busy--
			}
			return nil
		case cs := <-changes:
			if cs == nil { // changes were missed
				r.dirty(l.List(s.Snapshot()))
				continue
			}
			snap := s.Snapshot()
			for _, c := range cs {
				r.dirty(l.Keys(snap, c))
			}
		case done := <-r.results:
			r.finish(done)
		case <-resync:
			r.dirty(l.List(s.Snapshot()))
		case <-timer.C:
		}
	}
}

// follow passes the store's changes on, nil when some were missed.
func (l Loop) follow(ctx context.Context, s *store.Store, rev store.Revision, out chan<- []store.Change) {
	for {
		cs, next, err := s.Changes(ctx, rev)
		if errors.Is(err, store.ErrCompacted) {
			cs, next, err = nil, s.Snapshot().Revision(), nil
		}
		if err != nil {
			return
		}
		rev = next
		select {
		case out <- cs:
		case <-ctx.Done():
			return
		}
	}
}

// state is what the loop remembers of a key with work to do.
type state struct {
	key     string
	due     time.Time // when it waits
	place   int       // in the queue, -1 when it is not in it
	running bool
	dirty   bool // became dirty while running
	fails   int
}

type result struct {
	key   string
	again time.Duration
	err   error
}

// run is a loop that runs; only the goroutine of Run touches it.
type run struct {
	Loop
	log     *slog.Logger
	keys    map[string]*state
	waiting queue // those with a due time
	results chan result
	busy    int
}

func (r *run) dirty(keys []string) {
	now := time.Now()
	for _, k := range keys {
		st := r.keys[k]
		if st == nil {
			st = &state{key: k, place: -1}
			r.keys[k] = st
		}
		switch {
		case st.running:
			st.dirty = true
		case st.fails > 0 && st.place >= 0:
			// A key that fails waits for its delay, or its own writes would
			// keep it spinning; half of it, since something has changed.
			r.waiting.put(st, earlier(st.due, now.Add(retryDelay(st.fails)/2)))
		case st.place >= 0:
			r.waiting.put(st, earlier(st.due, now)) // it keeps its turn
		default:
			r.waiting.put(st, now)
		}
	}
}

// dispatch starts what is due, the longest due first, as far as workers are
// free, and returns when the next key is due.
func (r *run) dispatch(ctx context.Context) (next time.Time, ok bool) {
	now := time.Now()
	for len(r.waiting) > 0 && r.busy < max(r.Workers, 1) { // else a result will come and dispatch again
		st := r.waiting[0]
		if now.Before(st.due) {
			return st.due, true
		}
		r.waiting.drop(st)
		st.running = true
		r.busy++
		go func() {
			again, err := r.guarded(ctx, st.key)
			r.results <- result{st.key, again, err}
		}()
	}
	return next, false
}

// guarded turns a panic of one key into its error, so that it stops no other key.
func (r *run) guarded(ctx context.Context, key string) (again time.Duration, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return r.Reconcile(ctx, key)
}

func (r *run) finish(done result) {
	r.busy--
	st := r.keys[done.key]
	st.running = false
	now := time.Now()
	switch {
	case done.err != nil:
		st.fails++
		delay := retryDelay(st.fails)
		r.waiting.put(st, now.Add(delay))
		if !errors.Is(done.err, context.Canceled) {
			r.log.Warn("reconcile failed", "loop", r.Name, "key", done.key, "err", done.err, "again", delay)
		}
	case st.dirty:
		st.fails = 0
		r.waiting.put(st, now)
	case done.again > 0:
		st.fails = 0
		r.waiting.put(st, now.Add(done.again))
	default:
		delete(r.keys, done.key)
	}
	st.dirty = false
}

func retryDelay(fails int) time.Duration {
	return min(firstRetry<<min(fails-1, 16), lastRetry)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
