package ecs

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/control/rollout"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Clusters are keyed by scope and name.
var Clusters = store.NewTable("ecs/cluster", func(c Cluster) string { return c.Key(c.Name) })

// TaskDefinitions are keyed by scope, family and zero-padded revision.
var TaskDefinitions = store.NewTable("ecs/taskdefinition", func(d TaskDefinition) string {
	return definitionKey(d.Scope, d.Family, d.Revision)
})

// families remembers the last revision of each family, also of deleted ones.
var families = store.NewTable("ecs/family", func(f family) string { return f.Key(f.Name) })

// Services are keyed by scope, cluster and name; "group" lists them by
// target group ARN, "alarm" those with a deployment in progress by the keys of
// its alarms.
var Services = store.NewTable("ecs/service", func(r ServiceRow) string { return r.Key(r.Cluster, r.Name) },
	store.Index("group", func(r ServiceRow) []string {
		var out []string
		for _, d := range r.Deployments {
			for _, lb := range d.LoadBalancers {
				out = append(out, value(lb.TargetGroupArn))
				out = append(out, nonEmpty(value(value(lb.AdvancedConfiguration).AlternateTargetGroupArn))...)
			}
		}
		return out
	}),
	store.Index("alarm", func(r ServiceRow) (out []string) {
		if len(r.Deployments) > 0 && r.Deployments[0].RolloutState == rollout.InProgress {
			for _, name := range r.alarms() {
				out = append(out, r.Key(name))
			}
		}
		return out
	}))

// ServiceRevisions are keyed by scope, cluster, service and id.
var ServiceRevisions = store.NewTable("ecs/servicerevision", func(r ServiceRevision) string { return r.Key(r.Cluster, r.Service, r.ID) })

// ServiceDeployments are keyed by scope, cluster, service and id.
var ServiceDeployments = store.NewTable("ecs/servicedeployment", func(d ServiceDeployment) string { return d.Key(d.Cluster, d.Service, d.ID) })

// Tasks are keyed by ARN; "service" lists those that a service still has to
// do with, by service key, "cluster" all by cluster key, "token" by cluster and
// the token of RunTask, "size" counts those that have not ended by CPU and memory, "draining" those that wait for their targets, by the
// targets' keys.
var Tasks = store.NewTable("ecs/task", func(t Task) string { return t.ARN },
	store.Index("service", func(t Task) []string {
		if t.Counted && t.Released {
			return nil
		}
		return nonEmpty(t.ServiceKey)
	}),
	store.CountedIndex("size", func(t Task) []string {
		if t.Released {
			return nil
		}
		return []string{sizeKey(t.CPU, t.Memory)}
	}),
	store.Index("cluster", func(t Task) []string { return []string{t.Scope.Key(t.Cluster)} }),
	store.Index("token", func(t Task) []string {
		if t.ClientToken == "" {
			return nil
		}
		return []string{t.Scope.Key(t.Cluster, t.ClientToken)}
	}),
	store.Index("draining", func(t Task) (keys []string) {
		if t.Draining {
			for _, lb := range t.LoadBalancers {
				keys = append(keys, t.targetKey(lb))
			}
		}
		return keys
	}))

// events are the last events of each service, keyed by service key and number.
var events = store.NewTable("ecs/event", func(e event) string { return eventKey(e.Service, e.N) })

// Tables are the tables of this package.
func Tables() []store.Schema {
	return []store.Schema{Clusters, TaskDefinitions, families, Services, ServiceRevisions, ServiceDeployments, Tasks, events, LostZones}
}

// Cluster is one ECS cluster.
type Cluster struct {
	arn.Scope
	Name              string
	Status            string // ACTIVE, INACTIVE
	Settings          []ecsapi.ClusterSetting
	Configuration     *ecsapi.ClusterConfiguration
	ConnectDefaults   *ecsapi.ClusterServiceConnectDefaults
	CapacityProviders []string
	DefaultStrategy   []ecsapi.CapacityProviderStrategyItem
	Tags              map[string]string
}

// ARN of the cluster.
func (c Cluster) ARN() string { return c.Scope.ARN("ecs", "cluster/"+c.Name) }

// TaskDefinition is one revision of a family.
type TaskDefinition struct {
	arn.Scope
	Family   string
	Revision int
	Spec     ecsapi.TaskDefinition
	Tags     map[string]string
	Token    string // of the creation by CloudFormation that made it
}

// ARN of the revision.
func (d TaskDefinition) ARN() string {
	return d.Scope.ARN("ecs", "task-definition/"+d.Family+":"+strconv.Itoa(d.Revision))
}

func definitionKey(sc arn.Scope, family string, revision int) string {
	r := strconv.Itoa(revision)
	return sc.Key(family, strings.Repeat("0", max(0, 9-len(r)))+r)
}

type family struct {
	arn.Scope
	Name string
	Last int // highest revision ever given
}

// ServiceRow is one ECS service.
type ServiceRow struct {
	arn.Scope
	Name, Cluster string
	Status        string // ACTIVE, DRAINING, INACTIVE
	DesiredCount  int
	CreatedAt     time.Time
	CreatedBy     string
	ClientToken   string

	Configuration   ecsapi.DeploymentConfiguration
	GracePeriod     *int32 // seconds
	Controller      string
	PropagateTags   ecsapi.PropagateTags
	ManagedTags     bool
	ExecEnabled     bool
	ZoneRebalancing ecsapi.AvailabilityZoneRebalancing
	Tags            map[string]string
	Deployments     []Deployment // newest first; the first is PRIMARY
	LastCompleted   *Revision    // what a rollback returns to
	LastCompletedID string       // the deployment it was completed by
	LastRevisionID  string       // and its ServiceRevision
	SteadyAnnounced bool         // "has reached a steady state" stands since the last change
	DeletedAt       time.Time    // of INACTIVE
}

// ARN of the service, in the long format.
func (r ServiceRow) ARN() string { return r.Scope.ARN("ecs", "service/"+r.Cluster+"/"+r.Name) }

// Revision is everything of a service whose change makes a new deployment.
type Revision struct {
	TaskDefinition   string // ARN
	LaunchType       ecsapi.LaunchType
	Strategy         []ecsapi.CapacityProviderStrategyItem
	PlatformVersion  string
	Network          *ecsapi.NetworkConfiguration
	LoadBalancers    []ecsapi.LoadBalancer
	Registries       []ecsapi.ServiceRegistry
	ServiceConnect   *ecsapi.ServiceConnectConfiguration
	EphemeralStorage *ecsapi.DeploymentEphemeralStorage
}

// Deployment is one attempt to bring a revision of a service to life.
type Deployment struct {
	Revision
	rollout.Deployment        // its id, ecs-svc/<19 digits>, and state
	RevisionID         string // 19 digits, of the ServiceRevision
	Record             string // id of the ServiceDeployment
	CreatedAt          time.Time
}

// balancers are the load balancers of a deployment's tasks: the target groups
// are the alternate ones when the deployment is on that side.
func (d Deployment) balancers() []ecsapi.LoadBalancer {
	if !d.Alternate {
		return d.LoadBalancers
	}
	out := slices.Clone(d.LoadBalancers)
	for i, lb := range out {
		if alternate := value(lb.AdvancedConfiguration).AlternateTargetGroupArn; alternate != nil {
			out[i].TargetGroupArn = alternate
		}
	}
	return out
}

// Task is one task as the scheduler sees it; node/agent knows how it runs.
type Task struct {
	arn.Scope
	ARN           string
	ID            string
	Cluster       string
	ServiceKey    string // empty for RunTask
	ServiceName   string
	Deployment    string
	Definition    string // ARN
	Group         string
	StartedBy     string
	LaunchType    ecsapi.LaunchType
	Provider      string
	Platform      string
	Zone          string
	SubnetID      string
	Interface     string
	IP            string
	MAC           string
	PrivateDNS    string
	CPU, Memory   string
	Overrides     *ecsapi.TaskOverride
	Tags          map[string]string
	ExecEnabled   bool
	EphemeralGiB  int32
	ClientToken   string // of RunTask
	CreatedAt     time.Time
	LoadBalancers []ecsapi.LoadBalancer
	Registries    []ecsapi.ServiceRegistry

	DesiredStatus string // RUNNING, STOPPED
	StopCode      ecsapi.TaskStopCode
	StopReason    string
	StopAsked     time.Time
	Interrupted   time.Time // when a Spot task was warned
	Registered    bool      // its targets and instances are registered
	Reported      string    // the health that Cloud Map was told last
	Delisted      time.Time // when it was taken out of Cloud Map
	Draining      bool      // waits for its targets to drain before it is stopped
	Counted       bool      // its end was counted by the service loop
	WasHealthy    bool      // its checks have passed once
	Released      bool      // interface given back
}

// event is what happened to a service, in AWS's words.
type event struct {
	Service string // key
	N       int    // numbered from 1
	At      time.Time
	Text    string
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// value is what a pointer points to, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
