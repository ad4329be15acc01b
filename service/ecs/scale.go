package ecs

import (
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Scalable is what auto scaling sees of a service.
type Scalable struct {
	Desired   int
	Steady    bool // it has had all its tasks since the count last changed
	Deploying bool // a deployment is in progress
}

// ScalableOf finds an active service by the names of its cluster and its own.
func ScalableOf(r store.Reader, sc arn.Scope, cluster, name string) (Scalable, error) {
	row, err := Services.Get(r, sc.Key(cluster, name))
	if err != nil {
		return Scalable{}, errServiceNotFound()
	}
	if row.Status != active {
		return Scalable{}, errServiceNotActive()
	}
	return Scalable{
		Desired: row.DesiredCount, Steady: row.SteadyAnnounced,
		Deploying: len(row.Deployments) > 0 && row.Deployments[0].RolloutState == "IN_PROGRESS",
	}, nil
}

// SetDesiredCount changes how many tasks an active service keeps, as
// UpdateService does with desiredCount alone: no deployment begins.
func SetDesiredCount(tx *store.Tx, sc arn.Scope, cluster, name string, n int) error {
	row, err := Services.Get(tx, sc.Key(cluster, name))
	if err != nil {
		return errServiceNotFound()
	}
	if row.Status != active {
		return errServiceNotActive()
	}
	if n < 0 {
		return errInvalid("desiredCount cannot be negative.")
	}
	row.DesiredCount, row.SteadyAnnounced = n, false
	Services.Put(tx, row)
	return nil
}
