package elbv2

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
)

// drainPoll is how often a draining target is looked at.
const drainPoll = 50 * time.Millisecond

// drainLoop lets deregistered targets go: when nothing is in flight on them,
// at the latest when the deregistration delay is over.
func (s *Service) drainLoop() loop.Loop {
	return loop.Loop{
		Name:    "target deregistration",
		Workers: 4,
		List:    targetKeys,
		Keys:    changedTarget,
		Reconcile: func(_ context.Context, key string) (time.Duration, error) {
			snap := s.store.Snapshot()
			t, err := Targets.Get(snap, key)
			if err != nil || t.State != Draining {
				return 0, nil //nolint:nilerr // gone
			}
			delay := 300 * time.Second
			if g, err := TargetGroups.Get(snap, t.GroupARN); err == nil {
				delay = time.Duration(atoi(g.attribute("deregistration_delay.timeout_seconds"))) * time.Second
			}
			left := time.Until(t.DrainingAt.Add(s.scaled(delay)))
			if left > 0 && !s.proxy.Drained(t.GroupARN, t.addr()) {
				return min(left, drainPoll), nil
			}
			return 0, s.store.Update(func(tx *store.Tx) error {
				if t, err := Targets.Get(tx, key); err == nil && t.State == Draining {
					Targets.Delete(tx, key)
				}
				return nil
			})
		},
	}
}

func targetKeys(snap *store.Snapshot) (keys []string) {
	for t := range Targets.List(snap, "") {
		keys = append(keys, Targets.Key(t))
	}
	return keys
}

func changedTarget(_ *store.Snapshot, c store.Change) []string {
	if c.Table == Targets.Name() {
		return []string{c.Key}
	}
	return nil
}
