package applicationautoscaling

import (
	"cmp"
	"context"
	"slices"
	"time"

	api "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/ecs"
)

// targetLoop keeps scalable targets true: it runs their scheduled actions, ends
// their activities, finishes what operations began, and deregisters those
// whose service is gone.
func (s *Service) targetLoop() loop.Loop {
	return loop.Loop{
		Name: "applicationautoscaling targets",
		List: func(snap *store.Snapshot) []string {
			keys := Targets.Keys(snap)
			for p := range Policies.List(snap, "") {
				if p.Pending {
					keys = append(keys, p.key())
				}
			}
			return keys
		},
		Keys: func(snap *store.Snapshot, c store.Change) []string {
			switch c.Table {
			case Targets.Name():
				return []string{c.Key}
			case actions.Name():
				if a, err := actions.Get(snap, c.Key); err == nil {
					return []string{a.key()}
				}
			case ecs.Services.Name():
				if key := serviceTarget(c.Key).key(); has(snap, key) {
					return []string{key}
				}
			}
			return nil
		},
		Reconcile: s.reconcile,
	}
}

func has(r store.Reader, key string) bool {
	_, err := Targets.Get(r, key)
	return err == nil
}

func (s *Service) reconcile(ctx context.Context, key string) (again time.Duration, err error) {
	snap, scope := s.store.Snapshot(), Scaled{}
	for p := range Policies.List(snap, key+"/") {
		scope = p.Scaled
	}
	t, err := Targets.Get(snap, key)
	if err == nil {
		scope = t.Scaled
	}
	ctx = awsapi.WithCaller(ctx, awsapi.Caller{Scope: scope.Scope, ARN: t.RoleARN})
	if e := s.settleAll(ctx, scope); e != nil || err != nil {
		return 0, e
	}
	cluster, name := t.service()
	if _, err := ecs.ScalableOf(snap, t.Scope, cluster, name); err != nil {
		return 0, s.deregister(ctx, t.Scaled)
	}
	return s.tend(ctx, key)
}

// tend runs what is due and ends the activity that is fulfilled.
func (s *Service) tend(ctx context.Context, key string) (again time.Duration, err error) {
	snap, now := s.store.Snapshot(), s.Now().UTC()
	due, again := s.due(snap, key, now)
	t, err := Targets.Get(snap, key)
	if err != nil || len(due) == 0 && t.Open == 0 {
		return again, nil
	}
	ids := make([][2]string, len(due))
	for i := range ids {
		ids[i] = [2]string{uuid(ctx), uuid(ctx)}
	}
	return again, s.store.Update(func(tx *store.Tx) error {
		for i, one := range due {
			a, err := actions.Get(tx, actions.Key(one))
			t, errTarget := Targets.Get(tx, key)
			if err != nil || errTarget != nil || !a.Ran.Equal(one.Ran) {
				continue
			}
			a.Ran = a.clock(now, s.Speed)
			actions.Put(tx, a)
			if val(t.Suspended.ScheduledScalingSuspended) {
				continue
			}
			s.Log.Info("scheduled action", "resource", t.ResourceID, "name", a.Name)
			if err := a.run(tx, t, now, ids[i]); err != nil {
				return err
			}
		}
		return fulfil(tx, key, now)
	})
}

// due are the actions that are to be run, in the order in which they were due,
// and how long the next one is away.
func (s *Service) due(r store.Reader, key string, now time.Time) (out []action, again time.Duration) {
	for a := range actions.List(r, key+"/") {
		at := a.due()
		if at.IsZero() {
			continue
		}
		left := s.scaled(at.Sub(a.clock(now, s.Speed)))
		switch {
		case left <= 0:
			out = append(out, a)
		case again == 0 || left < again:
			again = left
		}
	}
	slices.SortStableFunc(out, func(a, b action) int { return cmp.Compare(a.due().Unix(), b.due().Unix()) })
	return out, again
}

// fulfil ends the activity in progress once the service has all its tasks, or
// somebody else has changed the count.
func fulfil(tx *store.Tx, key string, now time.Time) error {
	t, err := Targets.Get(tx, key)
	if err != nil || t.Open == 0 {
		return nil
	}
	cluster, name := t.service()
	sv, err := ecs.ScalableOf(tx, t.Scope, cluster, name)
	if err != nil {
		return nil
	}
	a, err := activities.Get(tx, activityKey(key, t.Open))
	switch {
	case err != nil:
		t.Open = 0
	case sv.Desired != a.Desired:
		t.end(tx, api.ScalingActivityStatusCodeOverridden, "was overridden by another change of the desired count", now)
	case sv.Steady:
		t.end(tx, api.ScalingActivityStatusCodeSuccessful, "successfully fulfilled by ecs", now)
	default:
		return nil
	}
	Targets.Put(tx, t)
	return nil
}
