// Package placement decides where a task goes: in which availability zone,
// on which capacity provider. It is pure.
package placement

import "cmp"

// Zone is a place with its present load.
type Zone struct {
	Name  string
	Tasks int // of the same service
	Free  int // private addresses left in its subnets
}

// Spread picks the zone with the fewest tasks of the service that has an
// address left; ties go to the zone with more free addresses, then to the
// first. It is -1 when no zone has room.
func Spread(zones []Zone) int {
	best := -1
	for i, z := range zones {
		if z.Free <= 0 {
			continue
		}
		if best < 0 || cmp.Or(cmp.Compare(z.Tasks, zones[best].Tasks), cmp.Compare(zones[best].Free, z.Free)) < 0 {
			best = i
		}
	}
	return best
}

// Provider is one item of a capacity provider strategy with the tasks of the
// service that it holds.
type Provider struct {
	Name         string
	Base, Weight int
	Tasks        int
}

// Choose picks the capacity provider of the next task: an unmet base first,
// then the provider that lies furthest behind its share of the tasks beyond
// the bases; ties go to the earlier one. ECS documents base and weight, not
// how it rounds: the largest deficit is our rule. It is -1 when no provider
// has an unmet base or a weight.
func Choose(providers []Provider) int {
	beyond, weights := 0, 0
	for i, p := range providers {
		if p.Tasks < p.Base {
			return i
		}
		beyond += p.Tasks - p.Base
		weights += p.Weight
	}
	best, bestDeficit := -1, 0
	for i, p := range providers {
		if p.Weight == 0 {
			continue
		}
		// The deficit times the sum of weights, to stay in whole numbers.
		deficit := (beyond+1)*p.Weight - (p.Tasks-p.Base)*weights
		if best < 0 || deficit > bestDeficit {
			best, bestDeficit = i, deficit
		}
	}
	return best
}
