package logs

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
)

// expireEvery is how often a group's segments are looked at. Readers hide
// expired events at once; this is about the disk.
const expireEvery = time.Hour

// Loops remove the events of what is deleted and of what has expired.
func (s *Service) Loops() []loop.Loop {
	return []loop.Loop{
		{
			Name:   "logs/orphans",
			List:   func(*store.Snapshot) []string { return []string{"all"} },
			Resync: expireEvery,
			Keys: func(snap *store.Snapshot, c store.Change) []string {
				var err error
				switch c.Table {
				case Groups.Name():
					_, err = Groups.Get(snap, c.Key)
				case Streams.Name():
					_, err = Streams.Get(snap, c.Key)
				}
				if err != nil {
					return []string{"all"}
				}
				return nil
			},
			Reconcile: func(context.Context, string) (time.Duration, error) { return 0, s.removeOrphans() },
		},
		{
			Name: "logs/retention",
			List: func(snap *store.Snapshot) []string {
				var out []string
				for g := range Groups.List(snap, "") {
					if g.Retention > 0 {
						out = append(out, Groups.Key(g))
					}
				}
				return out
			},
			Keys: func(_ *store.Snapshot, c store.Change) []string {
				if c.Table != Groups.Name() {
					return nil
				}
				return []string{c.Key}
			},
			Reconcile: func(_ context.Context, key string) (time.Duration, error) { return s.expire(key) },
		},
	}
}

func (s *Service) expire(key string) (time.Duration, error) {
	g, err := Groups.Get(s.store.Snapshot(), key)
	if errors.Is(err, store.ErrNotFound) || g.Retention == 0 {
		return 0, nil
	}
	n, err := s.events.Expire(g.ID, time.UnixMilli(s.horizon(g)))
	if n > 0 {
		s.log.Info("removed expired log events", "group", g.Name, "segments", n)
	}
	return expireEvery, err
}

// removeOrphans removes events whose group or stream has no row. Rows are
// written before the first event, so the events are listed before the rows.
func (s *Service) removeOrphans() error {
	var errs []error
	for _, id := range s.events.Groups() {
		labels := s.events.Streams(id)
		snap := s.store.Snapshot()
		var group Group
		for g := range Groups.By(snap, "id", id) {
			group = g
		}
		if group.ID == "" {
			errs = append(errs, s.events.RemoveGroup(id))
			continue
		}
		gone := map[string]bool{}
		for label := range labels {
			streamID, name, _ := strings.Cut(label, "/")
			st, err := Streams.Get(snap, group.Scope.Key(group.Name+":"+name))
			if err != nil || st.ID != streamID {
				gone[label] = true
			}
		}
		if len(gone) > 0 {
			errs = append(errs, s.events.RemoveStreams(id, func(l string) bool { return gone[l] }))
		}
	}
	return errors.Join(errs...)
}
