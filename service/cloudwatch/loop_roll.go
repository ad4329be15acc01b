package cloudwatch

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
)

// rollLoop makes old measurements coarse and drops those that are too old.
func (s *Service) rollLoop() loop.Loop {
	return loop.Loop{
		Name:   "cloudwatch/rollup",
		List:   func(*store.Snapshot) []string { return []string{"all"} },
		Keys:   func(*store.Snapshot, store.Change) []string { return nil },
		Resync: 15 * time.Minute,
		Reconcile: func(context.Context, string) (time.Duration, error) {
			return 0, s.Metrics.RollUp(s.Now())
		},
	}
}
