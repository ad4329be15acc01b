package logs

import (
	"errors"
	"os"
	"time"
)

// idleClose is how long a group's file stays open after its last append.
const idleClose = 30 * time.Second

// markDirty remembers that the group has bytes that are not on disk yet and
// sees to it that the flusher runs. Without appends no timer runs.
func (s *Store) markDirty(g *group) {
	s.flush.Lock()
	defer s.flush.Unlock()
	s.flush.dirty[g], s.flush.open[g] = true, true
	if len(s.flush.dirty) == 1 {
		s.wake(s.cfg.FlushEvery)
	}
}

func (s *Store) wake(after time.Duration) {
	if s.flush.timer == nil {
		s.flush.timer = time.AfterFunc(after, s.tick)
		return
	}
	s.flush.timer.Reset(after)
}

func (s *Store) forget(g *group) {
	s.flush.Lock()
	defer s.flush.Unlock()
	delete(s.flush.dirty, g)
	delete(s.flush.open, g)
}

// tick flushes the groups that were written to; when none was for a while it
// closes their files.
func (s *Store) tick() {
	s.flush.Lock()
	dirty, open := s.flush.dirty, s.flush.open
	idle := len(dirty) == 0
	s.flush.dirty = map[*group]bool{}
	if idle {
		s.flush.open = map[*group]bool{}
	} else {
		s.wake(idleClose)
	}
	s.flush.Unlock()
	for g := range dirty {
		g.sync()
	}
	if idle {
		for g := range open {
			g.closeIdle()
		}
	}
}

// Flush makes everything appended so far safe from a power failure.
func (s *Store) Flush() { s.tick() }

func (g *group) sync() {
	g.mu.RLock()
	f := g.file
	g.mu.RUnlock()
	if f == nil {
		return // sealed or closed, and flushed by that
	}
	// Appends go on meanwhile.
	if err := f.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
		g.s.cfg.Log.Error("flush log group", "group", g.name, "err", err)
	}
}

func (g *group) closeIdle() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.file == nil {
		return
	}
	if err := errors.Join(g.file.Sync(), g.file.Close()); err != nil {
		g.s.cfg.Log.Error("flush log group", "group", g.name, "err", err)
	}
	g.file = nil
}
