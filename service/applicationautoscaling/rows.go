package applicationautoscaling

import (
	"fmt"
	"slices"
	"strings"
	"time"

	api "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/control/scaling"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Targets are the scalable targets, keyed by scope and what is scaled; "arn" lists
// them by ARN.
var Targets = store.NewTable("applicationautoscaling/target", func(t Target) string { return t.key() },
	store.Index("arn", func(t Target) []string { return []string{t.ARN()} }))

// Policies are keyed by their target's key and their name; "arn" lists them by
// ARN.
var Policies = store.NewTable("applicationautoscaling/policy", func(p Policy) string { return p.key() + "/" + p.Name },
	store.Index("arn", func(p Policy) []string { return []string{p.ARN()} }))

// actions are the scheduled actions, keyed by their target's key and their name.
var actions = store.NewTable("applicationautoscaling/action", func(a action) string { return a.key() + "/" + a.Name })

// activities are keyed by their target's key and their number.
var activities = store.NewTable("applicationautoscaling/activity", func(a activity) string { return activityKey(a.key(), a.N) })

// Tables are the service's tables.
func Tables() []store.Schema { return []store.Schema{Targets, Policies, actions, activities} }

func activityKey(target string, n int) string { return fmt.Sprintf("%s/%012d", target, n) }

// Scaled is what is scaled: the dimension of a resource.
type Scaled struct {
	arn.Scope
	Namespace  api.ServiceNamespace
	ResourceID string
	Dimension  api.ScalableDimension
}

func (k Scaled) key() string {
	return k.Scope.Key(string(k.Namespace), k.ResourceID, string(k.Dimension))
}

// service is the cluster and the name of the ECS service.
func (k Scaled) service() (cluster, name string) {
	_, rest, _ := strings.Cut(k.ResourceID, "/")
	cluster, name, _ = strings.Cut(rest, "/")
	return cluster, name
}

// serviceTarget is what scales an ECS service, by the service's key.
func serviceTarget(serviceKey string) Scaled {
	sc := arn.ScopeOfKey(serviceKey)
	return Scaled{sc, api.ServiceNamespaceEcs, "service/" + strings.TrimPrefix(serviceKey, sc.Key("")), api.ScalableDimensionEcsServiceDesiredCount}
}

// Target is a scalable target.
type Target struct {
	Scaled
	ID        string
	Min, Max  int
	RoleARN   string
	Suspended api.SuspendedState
	CreatedAt time.Time
	Tags      map[string]string
	Token     string // of the creation by CloudFormation that made it
	Last      int    // number of the last activity
	Open      int    // number of the one that is in progress, 0 when none is
}

// ARN of the target.
func (t Target) ARN() string {
	return t.Scope.ARN("application-autoscaling", "scalable-target/"+t.ID)
}

// Policy is a scaling policy: target tracking or step scaling.
type Policy struct {
	Scaled
	Name      string
	ID        string
	Tracking  *api.TargetTrackingScalingPolicyConfiguration
	Step      *api.StepScalingPolicyConfiguration
	CreatedAt time.Time
	Token     string // of the creation by CloudFormation that made it

	// High and Low name the alarms of a target tracking policy; Stale ones are
	// to be deleted. While Pending they are not all as they should be, and a
	// policy that is Gone goes with them.
	High, Low     string
	Stale         []string
	Pending, Gone bool

	Cooldown scaling.Cooldown
	// Answered are the calls of alarms that were answered, by alarm name.
	Answered map[string]call
}

// call is an alarm's call of a policy.
type call struct {
	Transition time.Time // of the alarm into its state
	At         time.Time // when it was answered
}

// ARN of the policy.
func (p Policy) ARN() string {
	return p.Scope.ARN("autoscaling", fmt.Sprintf("scalingPolicy:%s:resource/%s/%s:policyName/%s", p.ID, p.Namespace, p.ResourceID, p.Name))
}

// alarms are the names of the alarms that the policy has made.
func (p Policy) alarms() []string {
	return slices.DeleteFunc([]string{p.High, p.Low}, func(s string) bool { return s == "" })
}

// action is a scheduled action.
type action struct {
	Scaled
	Name       string
	ID         string
	Schedule   string
	Timezone   string
	Start, End *time.Time
	Min, Max   *int32
	CreatedAt  time.Time
	// Ran is when it was last run, or found to be due while it was suspended,
	// on the scheduled clock.
	Ran time.Time
}

// ARN of the action.
func (a action) ARN() string {
	return a.Scope.ARN("autoscaling", fmt.Sprintf("scheduledAction:%s:resource/%s/%s:scheduledActionName/%s", a.ID, a.Namespace, a.ResourceID, a.Name))
}

// activity is what was done, or not done, to a target.
type activity struct {
	Scaled
	N                  int
	ID                 string
	Description, Cause string
	StartedAt          time.Time
	EndedAt            *time.Time
	Status             api.ScalingActivityStatusCode
	Message            string
	NotScaled          *api.NotScaledReason
	Desired            int // the desired count that it set
}
