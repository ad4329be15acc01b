package scaling

import (
	"math"
	"time"
)

// Tracking keeps a metric near a target. The metric is one that halves when
// the capacity doubles, such as an average utilisation.
type Tracking struct {
	Target                  float64
	OutCooldown, InCooldown time.Duration
	DisableIn               bool
}

// tolerance keeps rounding of floating point numbers from adding a task.
const tolerance = 1e-9

// needed is the smallest capacity at which the metric would not be above the
// target, were it in proportion: ceil(capacity * value / target).
func (t *Tracking) needed(capacity int, value float64, most int) int {
	n := math.Ceil(float64(capacity)*value/t.Target - tolerance)
	return int(min(max(n, 0), float64(max(most, capacity)+1)))
}

// trackOut are the wishes of target tracking policies to scale out: any of
// them may. From no capacity at all, of which no metric can speak, it goes to
// one (AWS does not say).
func (d *decider) trackOut() (out []wish) {
	for _, p := range d.policies {
		r := d.Readings[p.Name]
		if p.Tracking == nil || !r.High || !r.Known || r.Value <= p.Tracking.Target {
			continue
		}
		n := max(p.Tracking.needed(p.Cooldown.from(d.Current, d.now), r.Value, d.Max), 1)
		out = append(out, d.out(p, n))
	}
	return out
}

// trackIn is the wish of the target tracking policies to scale in: all of
// those that may scale in must be ready to.
//
// It is gradual, says AWS; here a step removes at most a tenth of the
// capacity, and at least one. Since the low alarm's threshold is nine tenths of
// the target, that much never takes the metric above the target; with fewer
// than ten tasks one may be too much, and is left then.
func (d *decider) trackIn() []wish {
	desired, until, names := 0, time.Time{}, []string(nil)
	for _, p := range d.policies {
		if p.Tracking == nil {
			continue
		}
		r := d.Readings[p.Name]
		if r.High {
			return nil
		}
		if p.Tracking.DisableIn {
			continue
		}
		if !r.Low || !r.Known || r.Value >= p.Tracking.Target {
			return nil
		}
		desired = max(desired, p.Tracking.needed(d.Current, r.Value, d.Max))
		if p.Cooldown.InUntil.After(until) {
			until = p.Cooldown.InUntil
		}
		names = append(names, p.Name)
	}
	if names == nil {
		return nil
	}
	w := d.in(names, max(desired, d.Current-max(d.Current/10, 1)), until)
	if w.reason == "" && desired >= d.Current {
		w.reason = Flapping
	}
	return []wish{w}
}
