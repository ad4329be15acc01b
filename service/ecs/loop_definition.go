package ecs

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
)

// deletionCheck is how often a revision that shall go is held against those
// who use it.
const deletionCheck = time.Minute

// definitionLoop removes the revisions that were deleted, once no service and
// no task that runs is left of them (API reference, DeleteTaskDefinitions).
func (s *Service) definitionLoop() loop.Loop {
	return loop.Loop{
		Name: "ecs task definitions",
		List: func(snap *store.Snapshot) []string {
			var keys []string
			for d := range TaskDefinitions.List(snap, "") {
				if d.Spec.Status == deleting {
					keys = append(keys, TaskDefinitions.Key(d))
				}
			}
			return keys
		},
		Keys: func(snap *store.Snapshot, c store.Change) []string {
			if c.Table != TaskDefinitions.Name() {
				return nil
			}
			if d, err := TaskDefinitions.Get(snap, c.Key); err != nil || d.Spec.Status != deleting {
				return nil
			}
			return []string{c.Key}
		},
		Reconcile: func(_ context.Context, key string) (again time.Duration, err error) {
			err = s.store.Update(func(tx *store.Tx) error {
				again = 0
				d, err := TaskDefinitions.Get(tx, key)
				if err != nil || d.Spec.Status != deleting {
					return nil // gone meanwhile
				}
				if inUse(tx, d) {
					again = deletionCheck
					return nil
				}
				TaskDefinitions.Delete(tx, key)
				return nil
			})
			return again, err
		},
	}
}

func inUse(r store.Reader, d TaskDefinition) bool {
	ref := d.ARN()
	for row := range Services.List(r, d.Key("")) {
		if row.Status == inactive {
			continue
		}
		if row.LastCompleted != nil && row.LastCompleted.TaskDefinition == ref {
			return true
		}
		for _, dep := range row.Deployments {
			if dep.TaskDefinition == ref {
				return true
			}
		}
	}
	for t := range Tasks.List(r, d.Scope.ARN("ecs", "task/")) {
		if t.Definition == ref && !t.Released {
			return true
		}
	}
	return false
}
