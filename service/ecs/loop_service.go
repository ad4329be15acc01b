package ecs

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/cloudwatch"
	"github.com/slipway-dev/slipway/service/elbv2"
)

// serviceLoop keeps the desired count of every service true.
func (s *Service) serviceLoop() loop.Loop {
	return loop.Loop{
		Name: "ecs services", Workers: 16,
		List: Services.Keys,
		Keys: func(snap *store.Snapshot, c store.Change) []string {
			switch c.Table {
			case Services.Name():
				return []string{c.Key}
			case Tasks.Name(), agent.Statuses.Name():
				if t, err := Tasks.Get(snap, c.Key); err == nil {
					return nonEmpty(t.ServiceKey)
				}
			case elbv2.Targets.Name():
				target, err := elbv2.Targets.Get(snap, c.Key)
				if err != nil {
					return nil // what drained away is the task loop's business
				}
				return keysOf(Services.By(snap, "group", target.GroupARN))
			case LostZones.Name():
				return Services.Keys(snap)
			case cloudwatch.Alarms.Name():
				return keysOf(Services.By(snap, "alarm", c.Key))
			}
			return nil
		},
		Reconcile: s.reconcileService,
	}
}

func keysOf(rows iter.Seq[ServiceRow]) (keys []string) {
	for row := range rows {
		keys = append(keys, Services.Key(row))
	}
	return keys
}

// errNothing ends a transaction that found nothing to do.
var errNothing = errors.New("nothing to do")

func (s *Service) reconcileService(_ context.Context, key string) (again time.Duration, err error) {
	err = s.store.Update(func(tx *store.Tx) error {
		row, err := Services.Get(tx, key)
		if err != nil {
			return errNothing
		}
		now := time.Now().UTC()
		if row.Status == inactive {
			if again = row.DeletedAt.Add(keptStopped).Sub(now); again > 0 {
				return errNothing
			}
			again = 0
			forgetEvents(tx, row)
			forgetHistory(tx, row)
			Services.Delete(tx, key)
			return nil
		}
		again, err = s.stepService(tx, row, now)
		return err
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	return again, err
}

// stepService does for one service what can be done now.
func (s *Service) stepService(tx *store.Tx, row ServiceRow, now time.Time) (again time.Duration, err error) {
	st := &step{Service: s, tx: tx, row: row, now: now}
	st.load()
	st.decide()
	if err := st.act(); err != nil {
		return 0, err
	}
	st.finish()
	st.record()
	Services.Put(tx, st.row)
	return st.again, nil
}
