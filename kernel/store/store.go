// Package store holds the whole state of the platform: typed tables with
// secondary indexes in immutable trees, changed only inside Update, watched
// by revision, and durable before the writer is answered.
//
// Readers take a Snapshot, which costs nothing and never changes. Writers run
// a function in a transaction; when it returns an error nothing has happened.
// Writers that wait for the disk at the same time share one write of it.
//
// Rows are values. A slice or map inside a row is shared with every reader,
// so it is replaced, never changed in place.
package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// What the store answers; services translate these into AWS's errors.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("already exists")
	// ErrCompacted is answered by Changes when the changes since the given
	// revision are no longer kept: read a new snapshot in full.
	ErrCompacted = errors.New("changes are no longer kept")
)

// Revision counts the commits since the store was opened.
type Revision uint64

// Change says that a row was put or deleted. It carries no value: readers
// look at the present state, never at history.
type Change struct{ Table, Key string }

// keptChanges bounds the list of changes that slow readers can catch up on.
const keptChanges = 1 << 14

// Config of a store.
type Config struct {
	// Path is the database file. Empty means memory only, for tests.
	Path string
	// NoSync leaves it to the system when the file is written to the disk: what
	// was answered survives the end of the process, not of the power.
	NoSync bool
}

// Store is the one mutable thing.
type Store struct {
	current atomic.Pointer[Snapshot]
	disk    *disk // nil in memory

	queue struct { // updates that wait for a commit
		sync.Mutex
		waiting []*update
	}
	commit sync.Mutex // held by the one writer that commits for all

	watch struct {
		sync.Mutex
		log   []stamped     // changes, oldest first
		first Revision      // changes after this revision are all in log
		wake  chan struct{} // closed at the next commit
	}
}

type stamped struct {
	rev Revision
	Change
}

// Open opens or creates a store with the given tables and reads every
// durable row. A row that cannot be read is an error that names it.
func Open(cfg Config, tables ...Schema) (*Store, error) {
	s := &Store{}
	s.watch.wake = make(chan struct{})
	state := make(map[string]tableState, len(tables))
	for _, t := range tables {
		sc := t.schema()
		if _, ok := state[sc.name]; ok {
			return nil, fmt.Errorf("open store: table %q is listed twice", sc.name)
		}
		state[sc.name] = newTableState(sc)
	}
	if cfg.Path != "" {
		d, err := openDisk(cfg)
		if err != nil {
			return nil, fmt.Errorf("open store %s: %w", cfg.Path, err)
		}
		if err := d.load(state); err != nil {
			return nil, errors.Join(fmt.Errorf("open store %s: %w", cfg.Path, err), d.close())
		}
		s.disk = d
	}
	s.current.Store(&Snapshot{tables: state})
	return s, nil
}

// Close waits for the running commit and closes the database.
func (s *Store) Close() error {
	s.commit.Lock()
	defer s.commit.Unlock()
	if s.disk == nil {
		return nil
	}
	return s.disk.close()
}

// Snapshot is an immutable view of every table at one revision.
type Snapshot struct {
	rev    Revision
	tables map[string]tableState
}

// Revision is the commit that the snapshot shows.
func (s *Snapshot) Revision() Revision { return s.rev }

// Snapshot returns the latest committed state.
func (s *Store) Snapshot() *Snapshot { return s.current.Load() }

// Update runs fn in a transaction and returns when its writes are durable and
// visible. If fn returns an error, that error is returned and nothing has
// happened. fn must have no effect but on the transaction, may be run on
// another goroutine, and must not call Update.
func (s *Store) Update(fn func(*Tx) error) error {
	u := &update{fn: fn}
	s.queue.Lock()
	s.queue.waiting = append(s.queue.waiting, u)
	s.queue.Unlock()

	s.commit.Lock()
	if !u.done {
		s.commitWaiting()
	}
	s.commit.Unlock()
	if u.panicked != nil {
		panic(u.panicked)
	}
	return u.err
}

// ChangesUntil returns what changed after the given revision up to a snapshot,
// or ErrCompacted. A key that changed more than once may be listed more than
// once.
func (s *Store) ChangesUntil(snap *Snapshot, since Revision) ([]Change, error) {
	s.watch.Lock()
	defer s.watch.Unlock()
	if since < s.watch.first {
		return nil, ErrCompacted
	}
	var out []Change
	for _, c := range s.watch.log[s.after(since):] {
		if c.rev > snap.rev {
			break
		}
		out = append(out, c.Change)
	}
	return out, nil
}

// after is where the changes after a revision begin in the log; s.watch is held.
func (s *Store) after(since Revision) int {
	at, _ := slices.BinarySearchFunc(s.watch.log, since+1, func(c stamped, r Revision) int {
		if c.rev < r {
			return -1
		}
		return 1
	})
	return at
}

// Changes returns what changed after the given revision, and the revision the
// answer reaches to; it waits until there is something. A key that changed
// more than once may be listed more than once.
func (s *Store) Changes(ctx context.Context, since Revision) ([]Change, Revision, error) {
	for {
		s.watch.Lock()
		wake := s.watch.wake
		if since < s.watch.first {
			s.watch.Unlock()
			return nil, since, ErrCompacted
		}
		if at := s.after(since); at < len(s.watch.log) {
			out := make([]Change, 0, len(s.watch.log)-at)
			for _, c := range s.watch.log[at:] {
				out = append(out, c.Change)
			}
			rev := s.watch.log[len(s.watch.log)-1].rev
			s.watch.Unlock()
			return out, rev, nil
		}
		s.watch.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
			return nil, since, ctx.Err()
		}
	}
}

// publish makes a committed snapshot current and wakes the watchers.
func (s *Store) publish(next *Snapshot, changed []Change) {
	s.watch.Lock()
	defer s.watch.Unlock()
	s.current.Store(next) // whoever holds the lock finds both, or neither
	for _, c := range changed {
		s.watch.log = append(s.watch.log, stamped{next.rev, c})
	}
	if extra := len(s.watch.log) - keptChanges; extra > keptChanges/4 {
		s.watch.first = s.watch.log[extra-1].rev
		s.watch.log = slices.Clone(s.watch.log[extra:])
		// A revision is kept whole or not at all.
		for len(s.watch.log) > 0 && s.watch.log[0].rev == s.watch.first {
			s.watch.log = s.watch.log[1:]
		}
	}
	close(s.watch.wake)
	s.watch.wake = make(chan struct{})
}
