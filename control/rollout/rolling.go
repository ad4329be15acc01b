package rollout

import (
	"slices"
	"time"
)

// SettleTime is how long a task that nothing checks has to run before it
// counts for the lower bound (ECS waits 40 s).
const SettleTime = 40 * time.Second

// Update is all that the decision on one rolling update depends on: running
// and pending tasks stay at or below floor(desired * maximumPercent), healthy
// tasks at or above ceil(desired * minimumHealthyPercent) by the scheduler's
// own doing, and an unhealthy task is replaced before it is stopped where the
// upper bound allows it.
type Update struct {
	Desired               int
	MinimumHealthyPercent int
	MaximumPercent        int
	// Primary is the id of the deployment that shall win.
	Primary string
	// Halted is true when the primary deployment may start no more tasks: its
	// circuit breaker has tripped.
	Halted bool
	// NotBefore holds back further starts, after failures.
	NotBefore time.Time
	// Tasks are those that were not told to stop.
	Tasks []Task
	// Zones are those that tasks may be placed in, when the service is to be
	// kept balanced over them; nil for never.
	Zones []string
	// SettleTime replaces the constant when it is not zero (clock speed).
	SettleTime time.Duration
}

// Task is one running or pending task.
type Task struct {
	ID         string
	Deployment string
	Zone       string
	Running    bool
	Since      time.Time // of Running
	// Checked is true when a target group or a container health check judges
	// the task; Healthy and Unhealthy are its verdict, both false while it is
	// awaited or within the grace period.
	Checked            bool
	Healthy, Unhealthy bool
	// WasHealthy is true when the task has been healthy before.
	WasHealthy bool
	// Leaving is true for a task that has been told that it will be taken away
	// (Spot): it is replaced and goes when others serve in its place, or when
	// its time is Up.
	Leaving, Up bool
}

// Reason says why a task is stopped.
type Reason int

// Why tasks are stopped.
const (
	Surplus     Reason = iota + 1 // more than desired
	Superseded                    // belongs to an older deployment
	Unhealthy                     // failed its checks and is replaced
	Interrupted                   // is taken away
	Rebalanced                    // another in an emptier zone takes its place
)

// Stop is the decision to stop one task.
type Stop struct {
	Task   string
	Reason Reason
}

// Moves is what an update wants done now.
type Moves struct {
	// Start is how many tasks of the primary deployment to start.
	Start int
	// Replacing is how many of these take the place of unhealthy tasks.
	Replacing int
	Stop      []Stop
	// Complete is true when the primary deployment runs, checked, in full and
	// nothing of an older one is left.
	Complete bool
	// Blocked is true when the percentages forbid every step that is needed.
	Blocked bool
	// Rebalancing is true when the task started is for the sake of the zones.
	Rebalancing bool
	// Again is when to ask again although nothing changes; zero for never.
	Again time.Duration
}

// Lower is the number of healthy tasks that the scheduler keeps.
func (u Update) Lower() int { return (u.Desired*u.MinimumHealthyPercent + 99) / 100 }

// Upper is the number of running and pending tasks it stays within.
func (u Update) Upper() int { return u.Desired * u.MaximumPercent / 100 }

// Next decides.
func (u Update) Next(now time.Time) Moves {
	d := decision{Update: u, now: now}
	for _, t := range u.Tasks {
		switch {
		case t.Leaving:
			d.leaving = append(d.leaving, t)
			continue
		case t.Deployment == u.Primary:
			d.primary = append(d.primary, t)
		default:
			d.old = append(d.old, t)
		}
		if d.counts(t) {
			d.healthy++
		}
	}
	d.start()
	d.replaceUnhealthy()
	d.stopSurplus()
	d.stopOld()
	d.stopLeaving()
	d.rebalance()
	d.judge()
	return d.moves
}

// decision is the working state of one call of Next.
type decision struct {
	Update
	now          time.Time
	primary, old []Task
	leaving      []Task
	healthy      int // of all tasks but those that leave
	needed       int // starts that are missing, before bounds
	moves        Moves
}

// counts says whether a task counts as healthy for the lower bound.
func (d *decision) counts(t Task) bool {
	if t.Checked {
		return t.Running && t.Healthy
	}
	if !t.Running {
		return false
	}
	settle := d.SettleTime
	if settle == 0 {
		settle = SettleTime
	}
	if left := settle - d.now.Sub(t.Since); left > 0 {
		d.again(left)
		return false
	}
	return true
}

// held says that nothing may be started now, whatever the bounds allow.
func (d *decision) held() bool { return d.Halted || d.NotBefore.After(d.now) }

// ready says whether a task counts for the completion of a deployment.
func ready(t Task) bool { return t.Running && (!t.Checked || t.Healthy) }

func (d *decision) again(after time.Duration) {
	if d.moves.Again == 0 || after < d.moves.Again {
		d.moves.Again = after
	}
}

func (d *decision) start() {
	good := 0
	for _, t := range d.primary {
		if !t.Unhealthy {
			good++
		}
	}
	d.needed = d.Desired - good
	if d.needed <= 0 || d.Halted {
		return
	}
	if wait := d.NotBefore.Sub(d.now); wait > 0 {
		d.again(wait)
		return
	}
	d.moves.Start = max(0, min(d.needed, d.Upper()-len(d.Tasks)+len(d.leaving)))
	d.moves.Replacing = min(d.moves.Start, len(d.primary)-good)
}

// replaceUnhealthy stops the primary's unhealthy tasks once others have taken
// their place, or one at a time when the upper bound leaves no room.
func (d *decision) replaceUnhealthy() {
	readyNow := 0
	for _, t := range d.primary {
		if !t.Unhealthy && ready(t) {
			readyNow++
		}
	}
	room := d.Upper() > len(d.Tasks)-len(d.leaving)
	for _, t := range d.primary {
		if !t.Unhealthy {
			continue
		}
		if readyNow >= d.Desired || d.Halted || (!room && d.moves.Start == 0) {
			d.stop(t, Unhealthy)
			if readyNow < d.Desired && !d.Halted {
				return
			}
		}
	}
}

// stopSurplus brings the primary down to the desired count: pending tasks
// first, then those in the fullest zone.
func (d *decision) stopSurplus() {
	rest := slices.DeleteFunc(slices.Clone(d.primary), func(t Task) bool { return t.Unhealthy })
	if len(rest) > d.Desired && d.readyPrimary() == d.Desired && d.uneven(d.primary) {
		return // the one that is to even the zones has yet to come up
	}
	why := Surplus
	if len(rest) == d.Desired+1 {
		newest := slices.MaxFunc(rest, func(a, b Task) int { return a.Since.Compare(b.Since) })
		if d.uneven(slices.DeleteFunc(slices.Clone(rest), func(t Task) bool { return t.ID == newest.ID })) {
			why = Rebalanced // for its sake the newest one was started
		}
	}
	for len(rest) > d.Desired {
		zone := map[string]int{}
		for _, t := range rest {
			zone[t.Zone]++
		}
		at := 0
		for i, t := range rest {
			if less(t, rest[at], zone) {
				at = i
			}
		}
		d.stop(rest[at], why)
		rest = slices.Delete(rest, at, at+1)
	}
}

// less orders tasks by how little it costs to stop them.
func less(a, b Task, zone map[string]int) bool {
	if ready(a) != ready(b) {
		return !ready(a)
	}
	if zone[a.Zone] != zone[b.Zone] {
		return zone[a.Zone] > zone[b.Zone]
	}
	return a.Since.After(b.Since)
}

// stopOld stops tasks of older deployments: those that serve nobody at once,
// the others as far as enough healthy ones remain. While the upper bound
// leaves room for the new tasks nothing healthy is stopped for them in
// advance: the lower bound is a permission, not a target.
func (d *decision) stopOld() {
	if d.Halted && len(d.primary) == 0 {
		return
	}
	keep := d.Desired
	if d.needed > d.moves.Start && !d.held() {
		keep = d.Lower() // room has to be made
	}
	for _, t := range d.old {
		if !ready(t) && !d.counts(t) {
			d.stop(t, Superseded)
		}
	}
	spare := d.healthy - keep
	for _, t := range d.old {
		if !ready(t) && !d.counts(t) {
			continue
		}
		switch {
		case !d.counts(t): // runs unchecked, not yet settled
			if d.readyPrimary() >= d.Desired {
				d.stop(t, Superseded)
			}
		case spare > 0:
			d.stop(t, Superseded)
			spare--
		}
	}
}

// stopLeaving lets the tasks go that are taken away anyway, once others serve
// in their place or their time is up.
func (d *decision) stopLeaving() {
	serving := 0
	for _, t := range slices.Concat(d.primary, d.old) {
		if ready(t) && !t.Unhealthy {
			serving++
		}
	}
	for _, t := range d.leaving {
		if t.Up || serving >= d.Desired {
			d.stop(t, Interrupted)
		}
	}
}

// rebalance starts a task in the emptiest zone when the service is whole and
// its zones are uneven; once it serves, the fullest zone has one too many
// (Amazon ECS developer guide, Availability Zone rebalancing).
func (d *decision) rebalance() {
	whole := len(d.old)+len(d.leaving)+len(d.moves.Stop)+d.moves.Start == 0 && len(d.primary) == d.Desired && d.readyPrimary() == d.Desired
	if whole && !d.held() && d.uneven(d.primary) && d.Upper() > len(d.Tasks) {
		d.moves.Start, d.moves.Rebalancing = 1, true
	}
}

// uneven says whether one zone serves with two tasks more than another.
func (d *decision) uneven(tasks []Task) bool {
	if len(d.Zones) < 2 {
		return false
	}
	count := map[string]int{}
	for _, t := range tasks {
		if ready(t) {
			count[t.Zone]++
		}
	}
	least, most := d.Desired, 0
	for _, z := range d.Zones {
		least, most = min(least, count[z]), max(most, count[z])
	}
	return most-least >= 2
}

func (d *decision) readyPrimary() int {
	n := 0
	for _, t := range d.primary {
		if ready(t) {
			n++
		}
	}
	return n
}

func (d *decision) stop(t Task, why Reason) {
	d.moves.Stop = append(d.moves.Stop, Stop{t.ID, why})
}

func (d *decision) judge() {
	d.moves.Complete = len(d.old)+len(d.leaving) == 0 && len(d.moves.Stop) == 0 && d.needed <= 0 && d.readyPrimary() >= d.Desired
	pending := slices.ContainsFunc(d.Tasks, func(t Task) bool { return !ready(t) && !t.Unhealthy })
	d.moves.Blocked = d.needed > 0 && d.moves.Start == 0 && len(d.moves.Stop) == 0 && !d.held() && !pending
}
