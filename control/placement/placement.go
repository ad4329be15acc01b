// Package placement decides where a task goes: in which availability zone and
// on which of its nodes (scheduler.go), on which capacity provider. It is pure.
package placement

// Zone is the present load of an availability zone.
type Zone struct {
	Tasks int // of the same service
	Free  int // private addresses left in its subnets
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
