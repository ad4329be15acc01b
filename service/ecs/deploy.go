package ecs

import (
	"crypto/rand"
	"fmt"
	mrand "math/rand/v2"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/control/rollout"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/cloudwatch"
	"github.com/slipway-dev/slipway/service/elbv2"
)

// newDeploymentID is an id as AWS makes them: 19 digits.
func newDeploymentID() string { return "ecs-svc/" + nineteenDigits() }

func nineteenDigits() string {
	return fmt.Sprintf("%019d", mrand.Int64N(8_000_000_000_000_000_000)+1_000_000_000_000_000_000)
}

// rollout is the service as control/rollout knows it.
func (r ServiceRow) rollout(rd store.Reader) *rollout.Service {
	s := &rollout.Service{
		Desired: r.DesiredCount, Config: r.rolloutConfig(), LastCompleted: r.LastCompletedID, Ending: r.Status != active,
	}
	if c := &s.Config; c.Alarms && !c.Shifts() && c.Bake == 0 {
		c.Bake = r.alarmBake(rd)
	}
	for _, d := range r.Deployments {
		s.Deployments = append(s.Deployments, d.Deployment)
	}
	return s
}

// take brings the row up to what control/rollout has decided.
func (r *ServiceRow) take(s *rollout.Service) {
	before := r.Deployments
	find := func(id string) int {
		return slices.IndexFunc(before, func(d Deployment) bool { return d.ID == id })
	}
	r.Deployments = nil
	for _, d := range s.Deployments {
		next := Deployment{Deployment: d}
		if at := find(d.ID); at >= 0 {
			next = before[at]
			next.Deployment = d
		} else { // it brings the last completed revision back
			next.Revision, next.RevisionID, next.CreatedAt = *r.LastCompleted, r.LastRevisionID, d.UpdatedAt
		}
		if at := find(d.RollsBack); at >= 0 {
			next.Record = before[at].Record // it goes on with the history of what it undoes
		}
		r.Deployments = append(r.Deployments, next)
	}
	if r.LastCompletedID != s.LastCompleted {
		r.LastCompletedID = s.LastCompleted
		for _, d := range r.Deployments {
			if d.ID == s.LastCompleted {
				r.LastCompleted, r.LastRevisionID = new(d.Revision), d.RevisionID
			}
		}
	}
}

// begin makes a deployment of a revision the primary one; the one before stays
// until its tasks are gone.
func (r *ServiceRow) begin(tx *store.Tx, rev Revision, now time.Time) {
	id := newDeploymentID()
	s := r.rollout(tx)
	s.Begin(id, firing(tx, *r), now)
	d := Deployment{Revision: rev, Deployment: s.Deployments[0], RevisionID: nineteenDigits(), Record: recordID(), CreatedAt: now}
	if len(r.Deployments) > 0 {
		supersede(tx, *r, now)
	}
	r.Deployments = append([]Deployment{d}, r.Deployments...)
	r.SteadyAnnounced = false
	ServiceRevisions.Put(tx, ServiceRevision{Scope: r.Scope, Cluster: r.Cluster, Service: r.Name, ID: d.RevisionID, Revision: rev, CreatedAt: now, Images: images(tx, r.Scope, rev)})
	ServiceDeployments.Put(tx, newRecord(*r, d, now))
}

// alarms are the names of the alarms that fail a deployment.
func (r ServiceRow) alarms() []string {
	a := r.Configuration.Alarms
	if a == nil || !value(a.Enable) {
		return nil
	}
	return a.AlarmNames
}

// firing are those of the service's alarms that are in ALARM.
func firing(r store.Reader, row ServiceRow) (names []string) {
	for _, name := range row.alarms() {
		if a, err := cloudwatch.Alarms.Get(r, row.Key(name)); err == nil && a.State == "ALARM" {
			names = append(names, name)
		}
	}
	return names
}

// rolloutConfig is the deployment configuration as control/rollout knows it.
func (r ServiceRow) rolloutConfig() rollout.Config {
	in := r.Configuration
	c := rollout.Config{
		Strategy:              rollout.Strategy(in.Strategy),
		MinimumHealthyPercent: int(*in.MinimumHealthyPercent), MaximumPercent: int(*in.MaximumPercent),
		Alarms: len(r.alarms()) > 0, AlarmRollback: in.Alarms != nil && value(in.Alarms.Rollback),
		Bake: minutes(in.BakeTimeInMinutes),
	}
	if b := in.DeploymentCircuitBreaker; b != nil {
		c.Breaker = rollout.Breaker{Enable: value(b.Enable), Rollback: value(b.Rollback), KeepsCount: b.ResetOnHealthyTask != nil && !*b.ResetOnHealthyTask}
		if t := b.ThresholdConfiguration; t != nil {
			c.Breaker.ThresholdType, c.Breaker.Value = string(t.Type), int(value(t.Value))
		}
	}
	if l := in.LinearConfiguration; l != nil && c.Strategy == rollout.Linear {
		c.StepPercent, c.StepBake = value(l.StepPercent), minutes(l.StepBakeTimeInMinutes)
	}
	if l := in.CanaryConfiguration; l != nil && c.Strategy == rollout.Canary {
		c.StepPercent, c.StepBake = value(l.CanaryPercent), minutes(l.CanaryBakeTimeInMinutes)
	}
	if len(r.Deployments) > 0 {
		for _, lb := range r.Deployments[0].LoadBalancers {
			c.TestTraffic = c.TestTraffic || value(value(lb.AdvancedConfiguration).TestListenerRule) != ""
		}
	}
	for _, h := range in.LifecycleHooks {
		for _, stage := range h.LifecycleStages {
			t := value(h.TimeoutConfiguration)
			c.Pauses = append(c.Pauses, rollout.Pause{Stage: rollout.Stage(stage), Timeout: minutes(orDefault(t.TimeoutInMinutes, 1440)), RollBack: t.Action != "CONTINUE"})
		}
	}
	return c
}

// alarmBake is how long a rolling deployment is watched when it has alarms:
// as long as the slowest of them takes to judge.
func (r ServiceRow) alarmBake(rd store.Reader) (longest time.Duration) {
	for _, name := range r.alarms() {
		if a, err := cloudwatch.Alarms.Get(rd, r.Key(name)); err == nil {
			longest = max(longest, time.Duration(a.Period*a.Periods)*time.Second)
		}
	}
	return longest
}

func minutes(n *int32) time.Duration { return time.Duration(value(n)) * time.Minute }

// route makes the listener rules of the service send their requests where the
// plan says.
func (r ServiceRow) route(tx *store.Tx, t *rollout.Traffic) error {
	if t == nil {
		return nil
	}
	at := slices.IndexFunc(r.Deployments, func(d Deployment) bool { return d.ID == t.Primary })
	if at < 0 {
		return nil
	}
	d := r.Deployments[at]
	for _, lb := range d.LoadBalancers {
		a := r.shifting(lb)
		if a == nil {
			continue
		}
		to, from := value(lb.TargetGroupArn), value(a.AlternateTargetGroupArn)
		if d.Alternate {
			to, from = from, to
		}
		if err := elbv2.SplitTraffic(tx, value(a.ProductionListenerRule), to, from, t.Production); err != nil {
			return err
		}
		if a.TestListenerRule != nil {
			if err := elbv2.SplitTraffic(tx, *a.TestListenerRule, to, from, t.Test); err != nil {
				return err
			}
		}
	}
	return nil
}

// shifting says how the traffic of a load balancer moves. A deployment from
// before the service shifted traffic does not know: when it is returned to,
// the one that fails tells.
func (r ServiceRow) shifting(lb ecsapi.LoadBalancer) *ecsapi.AdvancedConfiguration {
	if lb.AdvancedConfiguration != nil {
		return lb.AdvancedConfiguration
	}
	for _, d := range r.Deployments {
		for _, other := range d.LoadBalancers {
			if other.AdvancedConfiguration != nil && value(other.TargetGroupArn) == value(lb.TargetGroupArn) {
				return other.AdvancedConfiguration
			}
		}
	}
	return nil
}

// recordID is the id of a ServiceDeployment: 21 letters and digits.
func recordID() string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
	var b [21]byte
	_, _ = rand.Read(b[:]) // never fails
	for i := range b {
		b[i] = alphabet[b[i]%64]
	}
	return string(b[:])
}
