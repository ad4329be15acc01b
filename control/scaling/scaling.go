// Package scaling decides how many tasks a service should have: by target
// tracking, by steps, and by schedules.
//
// It is pure. Bounds and Policies are what a user has configured and what is
// remembered between two decisions, Facts everything that is seen; Decide
// answers what to do and what to remember. The same input gives the same output.
// The caller carries a decision out in one transaction.
//
// tracking.go and step.go hold the two kinds of policy, schedule.go and cron.go
// tell when a scheduled action is due. The rules are those of the Application
// Auto Scaling user guide; where it is silent, the place says what was chosen.
package scaling

import (
	"cmp"
	"slices"
	"time"
)

// Bounds are the limits of a scalable target.
type Bounds struct {
	Min, Max int
	// InSuspended and OutSuspended keep policies from scaling in and out.
	InSuspended, OutSuspended bool
}

// Clamp is the capacity nearest to n within the bounds.
func (b Bounds) Clamp(n int) int { return min(max(n, b.Min), b.Max) }

// Policy is a target tracking policy or a step scaling policy.
type Policy struct {
	Name     string
	Tracking *Tracking // or
	Step     *Step
	Cooldown Cooldown
}

// Cooldown is what is remembered of a policy's last activities.
type Cooldown struct {
	// OutUntil ends the cooldown of its last scale-out, Base is the capacity
	// before that: what was added since counts for the next scale-out, so that
	// only a larger one proceeds.
	OutUntil time.Time
	Base     int
	// InUntil ends the cooldown of its last scale-in, during which it does not
	// scale in. Any scale-out ends it at once.
	InUntil time.Time
}

// from is the capacity that a scale-out is computed from.
func (c Cooldown) from(current int, now time.Time) int {
	if now.Before(c.OutUntil) {
		return min(c.Base, current)
	}
	return current
}

// Reading is what is seen of a policy's metric and alarms.
type Reading struct {
	// High and Low tell which alarms of a target tracking policy are in ALARM.
	// Of a step scaling policy High tells that an alarm which names it is.
	High, Low bool
	// Value is the metric's last datapoint; without one (Known is false) the
	// policy does nothing.
	Value float64
	Known bool
	// Threshold is that of the alarm of a step scaling policy.
	Threshold float64
}

// Facts are what is seen of a scalable target.
type Facts struct {
	Current int // its capacity: the desired count
	// Deploying suspends scaling in, not out (Amazon ECS developer guide,
	// "Service auto scaling and deployments").
	Deploying bool
	// Invoked names the policy whose alarm calls. A step scaling policy acts
	// only when it is called; target tracking ones are always looked at
	// together.
	Invoked  string
	Readings map[string]Reading // by policy name
}

// Reason says why nothing is done, as NotScaledReason.Code has it.
type Reason string

// Reasons. Cooling and Undecided are not known to the API: nothing is recorded
// for them there.
const (
	AtMax      Reason = "AlreadyAtMaxCapacity"
	AtMin      Reason = "AlreadyAtMinCapacity"
	AtDesired  Reason = "AlreadyAtDesiredCapacity"
	Flapping   Reason = "AutoScalingAnticipatedFlapping"
	Unscalable Reason = "TargetServicePutResourceAsUnscalable"
	Cooling    Reason = "Cooling"
	Undecided  Reason = "Undecided" // no data, suspended, or not all policies agree
)

// Recorded tells whether the API knows the reason.
func (r Reason) Recorded() bool { return r != "" && r != Cooling && r != Undecided }

// Decision is what to do.
type Decision struct {
	// Desired is the new capacity: the current one when nothing is done.
	Desired int
	// Policies are those that wanted it, and Reason is empty; or Reason tells
	// why nothing is done.
	Policies []string
	Reason   Reason
	// Cooldowns are those to remember, by policy name; others stay.
	Cooldowns map[string]Cooldown
}

// wish is a capacity that policies want.
type wish struct {
	desired  int
	policies []string
	reason   Reason // of a wish that is not granted
}

// Decide decides. When several policies want something, the largest capacity
// is taken; scaling out comes first (Application Auto Scaling user guide,
// "Multiple target tracking scaling policies", "Step scaling policies").
func Decide(b Bounds, policies []Policy, f Facts, now time.Time) Decision {
	d := &decider{Bounds: b, Facts: f, policies: policies, now: now}
	best := wish{desired: f.Current, reason: Undecided}
	for _, w := range append(d.trackOut(), d.stepsOut()...) {
		best = better(best, w)
	}
	if best.reason == "" {
		return d.decision(best)
	}
	for _, w := range append(d.trackIn(), d.stepIn()...) {
		best = better(best, w)
	}
	return d.decision(best)
}

// better is the wish to follow: one that is granted before one that is not,
// the larger before the smaller.
func better(a, b wish) wish {
	switch {
	case b.reason != "":
		if a.reason == Undecided {
			return b
		}
		return a
	case a.reason != "" || b.desired > a.desired:
		return b
	case b.desired == a.desired:
		a.policies = append(a.policies, b.policies...)
	}
	return a
}

type decider struct {
	Bounds
	Facts
	policies []Policy
	now      time.Time
}

// out grants a scale-out or says why not.
func (d *decider) out(p Policy, n int) wish {
	w := wish{desired: d.Clamp(n), policies: []string{p.Name}}
	switch {
	case d.OutSuspended:
		w.reason = Undecided
	case n > d.Current && d.Current >= d.Max:
		w.reason = AtMax
	case w.desired > d.Current:
	case d.now.Before(p.Cooldown.OutUntil):
		w.reason = Cooling
	default:
		w.reason = AtDesired
	}
	return w
}

// in grants a scale-in or says why not.
func (d *decider) in(names []string, n int, until time.Time) wish {
	w := wish{desired: min(d.Clamp(n), d.Current), policies: names}
	switch {
	case d.InSuspended:
		w.reason = Undecided
	case d.Current <= d.Min:
		w.reason = AtMin
	case d.Deploying:
		w.reason = Unscalable
	case d.now.Before(until):
		w.reason = Cooling
	case d.wantsOut():
		w.reason = Flapping
	}
	return w
}

// wantsOut tells whether a policy whose alarm is in ALARM would scale out, if
// only its cooldown were over: scaling in now would be undone then.
func (d *decider) wantsOut() bool {
	return slices.ContainsFunc(d.policies, func(p Policy) bool {
		r := d.Readings[p.Name]
		return d.grows(p) || p.Tracking != nil && r.High && r.Known && r.Value > p.Tracking.Target
	})
}

func (d *decider) decision(w wish) Decision {
	if w.reason != "" {
		return Decision{Desired: d.Current, Policies: w.policies, Reason: w.reason}
	}
	out := Decision{Desired: w.desired, Policies: w.policies, Cooldowns: map[string]Cooldown{}}
	scalesOut := w.desired > d.Current
	for _, p := range d.policies {
		c := p.Cooldown
		if scalesOut {
			c.InUntil = time.Time{}
		}
		if slices.Contains(w.policies, p.Name) {
			if scalesOut {
				c.Base = c.from(d.Current, d.now)
				c.OutUntil = d.now.Add(p.cooldown(true))
			} else {
				c.InUntil = d.now.Add(p.cooldown(false))
			}
		}
		if c != p.Cooldown {
			out.Cooldowns[p.Name] = c
		}
	}
	return out
}

func (p Policy) cooldown(out bool) time.Duration {
	switch {
	case p.Step != nil:
		return p.Step.Cooldown
	case out:
		return cmp.Or(p.Tracking, &Tracking{}).OutCooldown
	}
	return cmp.Or(p.Tracking, &Tracking{}).InCooldown
}
