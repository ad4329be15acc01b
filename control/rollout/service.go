// Package rollout decides what one ECS service does now: how many tasks to
// start and which to stop, where its traffic goes, and whether its deployment
// has completed, has failed and is rolled back.
//
// It is pure. Service is everything that is remembered between two decisions,
// Facts everything that is seen, Plan everything to be done; Step takes the
// first two, changes the Service and returns the Plan. The same input gives the
// same output. The caller carries a plan out in one transaction and calls Step
// again whenever something has changed, or when Plan.Again is over.
//
// rolling.go holds the rolling update's bounds, shift.go the life cycle of
// BLUE_GREEN, LINEAR and CANARY, fail.go the circuit breaker, the alarms and the
// way back.
package rollout

import (
	"slices"
	"time"
)

// State is the rolloutState of a deployment.
type State string

// States of a deployment.
const (
	InProgress State = "IN_PROGRESS"
	Completed  State = "COMPLETED"
	Failed     State = "FAILED"
)

// Strategy is how a deployment replaces the one before.
type Strategy string

// Strategies (ECS API reference, DeploymentConfiguration).
const (
	Rolling   Strategy = "ROLLING"
	BlueGreen Strategy = "BLUE_GREEN"
	Linear    Strategy = "LINEAR"
	Canary    Strategy = "CANARY"
)

// Config is a service's deployment configuration.
type Config struct {
	Strategy                              Strategy // empty is ROLLING
	MinimumHealthyPercent, MaximumPercent int
	Breaker                               Breaker
	// Alarms fail a deployment, AlarmRollback rolls it back then.
	Alarms, AlarmRollback bool
	// Bake is how long a deployment is watched after its last step.
	Bake time.Duration
	// StepPercent of the traffic moves at each step of LINEAR, at the first of
	// two of CANARY; StepBake is the time between steps.
	StepPercent float64
	StepBake    time.Duration
	// TestTraffic is true when a listener rule of its own reaches the new
	// revision before production does.
	TestTraffic bool
	// Pauses hold a deployment at the end of stages.
	Pauses []Pause
}

// Shifts is true for the strategies that run two revisions side by side and
// move the traffic between them.
func (c Config) Shifts() bool { return c.Strategy != "" && c.Strategy != Rolling }

// Service is what is remembered of a service.
type Service struct {
	Desired int
	Config  Config
	// Deployments are the newest first; the first is the primary one.
	Deployments []Deployment
	// LastCompleted is the id of the deployment that a rollback returns to,
	// and that holds the production traffic while another is in progress.
	LastCompleted string
	// Ending is true when the service is being deleted: nothing is deployed.
	Ending bool
}

// Deployment is one attempt to bring a revision to life.
type Deployment struct {
	ID           string
	UpdatedAt    time.Time
	RolloutState State
	Reason       string // of the state, in ECS's words
	FailedTasks  int    // counted by the circuit breaker
	Threshold    int    // at which it failed
	Streak       int    // failures in a row, for the throttle
	NotBefore    time.Time
	LastFailure  string // of a task, for error messages
	// RollsBack is the id of the failed deployment that this one undoes.
	RollsBack string
	// Failure says what ended a deployment that FAILED.
	Failure Failure
	// Request is what StopServiceDeployment asked for.
	Request Request
	// Alternate is true when the tasks are in the alternate target groups.
	Alternate bool
	// DeafToAlarms is true when an alarm was on already at the start: ECS
	// watches none then.
	DeafToAlarms bool
	Progress     Progress
}

// Facts is what is seen of a service.
type Facts struct {
	// Tasks are those that were not told to stop.
	Tasks []Task
	// Ended are tasks that have ended since the last step by no decision of
	// the scheduler or of a user.
	Ended []Ended
	// Holding counts the tasks of each deployment that are not gone yet,
	// those that drain and stop included.
	Holding map[string]int
	// Alarms are the deployment alarms that are in ALARM.
	Alarms []string
	// Zones are those that tasks may be placed in, when the service is to be
	// kept balanced over them.
	Zones []string
	// NewID is the id of a deployment that the step may have to begin.
	NewID string
	// Speed divides the waiting times that ECS prescribes; 0 means 1.
	Speed float64
}

// Ended is a task that ended by itself.
type Ended struct {
	Deployment string
	WasHealthy bool // it could start: its end says nothing about the next
	Why        string
}

// Start is the decision to start tasks of a deployment.
type Start struct {
	Deployment string
	Count      int
	Replacing  int // of these, how many take the place of unhealthy tasks
}

// Plan is what to do now.
type Plan struct {
	Start []Start
	Stop  []Stop
	// Healthy are the tasks that have become healthy for the first time.
	Healthy []string
	// Traffic is where requests go; nil leaves the listeners alone.
	Traffic *Traffic
	// Events are deployment events, in ECS's words, without "(service X)".
	Events []string
	// Steady is true when the service is in a steady state.
	Steady bool
	// Blocked is true when the percentages forbid every step that is needed.
	Blocked bool
	// Rebalancing is true when a task is started to even the zones.
	Rebalancing bool
	// Throttled is true when tasks failed so often that starts have to wait.
	Throttled bool
	// Again is when to ask again although nothing changes; zero for never.
	Again time.Duration
}

// Begin makes a deployment with this id the primary one. Its tasks go where
// the production traffic is not.
func (s *Service) Begin(id string, alarms []string, now time.Time) {
	d := Deployment{
		ID: id, UpdatedAt: now, RolloutState: InProgress, Reason: "ECS deployment " + id + " in progress.",
		DeafToAlarms: len(alarms) > 0,
	}
	switch p := s.production(); {
	case p != nil:
		d.Alternate = p.Alternate != s.Config.Shifts()
	case len(s.Deployments) > 0:
		d.Alternate = s.Deployments[0].Alternate
	}
	s.Deployments = slices.Insert(s.Deployments, 0, d)
}

func (s *Service) find(id string) *Deployment {
	for i := range s.Deployments {
		if s.Deployments[i].ID == id {
			return &s.Deployments[i]
		}
	}
	return nil
}

func (s *Service) primary() *Deployment { return &s.Deployments[0] }

// production is the deployment that holds the traffic until the primary one
// takes it; nil when there is none.
func (s *Service) production() *Deployment { return s.find(s.LastCompleted) }
