package scaling

import (
	"math"
	"time"
)

// Adjustment is how a step changes the capacity.
type Adjustment string

// Adjustments.
const (
	Change  Adjustment = "ChangeInCapacity"
	Exact   Adjustment = "ExactCapacity"
	Percent Adjustment = "PercentChangeInCapacity"
)

// Step changes the capacity by how far a metric is beyond an alarm's threshold.
type Step struct {
	Adjustment   Adjustment
	Steps        []Interval
	MinMagnitude int // of Percent: the least change
	Cooldown     time.Duration
}

// Interval is the adjustment for a range of differences between the metric
// and the threshold. nil bounds are infinite.
type Interval struct {
	Lower, Upper *float64
	By           int
}

// holds tells whether a difference is in the interval: at or above the
// threshold the lower bound is inside and the upper one is not, below it is the
// other way round (API reference, StepAdjustment).
func (i Interval) holds(diff float64) bool {
	lower, upper := math.Inf(-1), math.Inf(1)
	if i.Lower != nil {
		lower = *i.Lower
	}
	if i.Upper != nil {
		upper = *i.Upper
	}
	if diff >= 0 {
		return lower <= diff && diff < upper
	}
	return lower < diff && diff <= upper
}

// adjust is the capacity after the adjustment. Percentages are rounded towards
// zero, but to one at least (user guide, "Scaling adjustment types").
func (s *Step) adjust(capacity, by int) int {
	switch s.Adjustment {
	case Exact:
		return by
	case Percent:
		change := capacity * by / 100
		least := max(s.MinMagnitude, 1)
		switch {
		case by > 0:
			change = max(change, least)
		case by < 0:
			change = min(change, -least)
		}
		return capacity + change
	}
	return capacity + by
}

// adjusted is the capacity that a step scaling policy asks for; false when its
// alarm is quiet, its metric unknown, or no interval holds.
func (d *decider) adjusted(p Policy) (n int, ok bool) {
	r := d.Readings[p.Name]
	if p.Step == nil || !r.High || !r.Known {
		return 0, false
	}
	for _, i := range p.Step.Steps {
		if !i.holds(r.Value - r.Threshold) {
			continue
		}
		n := p.Step.adjust(d.Current, i.By)
		if n > d.Current {
			n = p.Step.adjust(p.Cooldown.from(d.Current, d.now), i.By)
		}
		return max(n, 0), true
	}
	return 0, false
}

// stepsOut is the wish to scale out of the step scaling policy that is called.
func (d *decider) stepsOut() []wish {
	for _, p := range d.policies {
		if p.Name != d.Invoked {
			continue
		}
		if n, ok := d.adjusted(p); ok && d.grows(p) {
			return []wish{d.out(p, n)}
		}
	}
	return nil
}

// grows tells whether the policy's adjustment is upwards.
func (d *decider) grows(p Policy) bool {
	p.Cooldown = Cooldown{}
	n, ok := d.adjusted(p)
	return ok && n > d.Current
}

// stepIn is the wish to scale in of the step scaling policy that is called.
func (d *decider) stepIn() []wish {
	for _, p := range d.policies {
		if p.Name != d.Invoked {
			continue
		}
		if n, ok := d.adjusted(p); ok && n < d.Current && !d.grows(p) {
			return []wish{d.in([]string{p.Name}, n, p.Cooldown.InUntil)}
		}
	}
	return nil
}
