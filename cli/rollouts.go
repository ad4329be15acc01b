package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
)

// rolloutReport is a service deployment: how one revision of a service comes
// to replace another, as ECS keeps its history.
type rolloutReport struct {
	ID       string     `json:"id"`
	ARN      string     `json:"arn"`
	Service  string     `json:"service"`
	Strategy string     `json:"strategy"`        // ROLLING, BLUE_GREEN, LINEAR, CANARY
	Status   string     `json:"status"`          // as in ServiceDeployment
	Stage    string     `json:"stage,omitempty"` // SCALE_UP, BAKE_TIME, ... ; none when rolling
	Reason   string     `json:"reason,omitempty"`
	Target   string     `json:"target"`           // ARN of the service revision
	Revision string     `json:"revision"`         // family:number of its task definition, if known
	Weight   *float64   `json:"weight,omitempty"` // percent of production traffic that the target is to get
	Created  time.Time  `json:"created"`
	Started  *time.Time `json:"started,omitempty"`
	Finished *time.Time `json:"finished,omitempty"`

	Failures  int      `json:"failures"`            // counted by the circuit breaker
	Threshold int      `json:"threshold,omitempty"` // at which it trips; 0: no breaker
	Alarms    []string `json:"alarms,omitempty"`    // that were triggered

	RolledBackTo string     `json:"rolledBackTo,omitempty"` // ARN of a service revision
	RollbackWhy  string     `json:"rollbackReason,omitempty"`
	RollbackAt   *time.Time `json:"rollbackStarted,omitempty"`
}

// rolloutsMax is the most deployments DescribeServiceDeployments takes.
// Source: ECS API reference.
const rolloutsMax = 20

// running says whether a deployment is on its way, forward or back.
func (r *rolloutReport) running() bool {
	switch r.Status {
	case "SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED":
		return false
	}
	return true
}

// rollouts reads the current deployments of services.
func (p *platform) rollouts(ctx context.Context, services map[string]ecsapi.Service) (map[string]*rolloutReport, error) {
	var arns []string
	of := map[string]string{}
	for name, s := range services {
		if arn := val(s.CurrentServiceDeployment); arn != "" {
			arns = append(arns, arn)
			of[arn] = name
		}
	}
	slices.Sort(arns)
	list, err := p.describeRollouts(ctx, arns)
	if err != nil {
		return nil, err
	}
	out := map[string]*rolloutReport{}
	for _, r := range list {
		out[of[r.ARN]] = &r
	}
	return out, nil
}

// describeRollouts reads deployments by their ARNs; those that are not there
// are left out.
func (p *platform) describeRollouts(ctx context.Context, arns []string) (out []rolloutReport, err error) {
	for batch := range slices.Chunk(arns, rolloutsMax) {
		got, err := call[ecsapi.DescribeServiceDeploymentsInput, ecsapi.DescribeServiceDeploymentsOutput](ctx, p.client, "ecs", "DescribeServiceDeployments",
			&ecsapi.DescribeServiceDeploymentsInput{ServiceDeploymentArns: batch})
		if err != nil {
			return nil, err
		}
		for _, d := range got.ServiceDeployments {
			out = append(out, p.newRollout(d))
		}
	}
	return out, nil
}

func (p *platform) newRollout(d ecsapi.ServiceDeployment) rolloutReport {
	out := rolloutReport{
		ID: short(val(d.ServiceDeploymentArn)), ARN: val(d.ServiceDeploymentArn), Service: short(val(d.ServiceArn)), Strategy: "ROLLING",
		Status: string(d.Status), Stage: string(d.LifecycleStage), Reason: val(d.StatusReason), Created: val(d.CreatedAt), Started: d.StartedAt,
		Finished: d.FinishedAt,
	}
	if s, ok := p.service(out.Service); ok {
		out.Service = s.Name
	}
	if c := d.DeploymentConfiguration; c != nil && c.Strategy != "" {
		out.Strategy = string(c.Strategy)
	}
	if t := d.TargetServiceRevision; t != nil {
		out.Target = val(t.Arn)
		if out.Strategy != "ROLLING" {
			out.Weight = t.RequestedProductionTrafficWeight
		}
	}
	if b := d.DeploymentCircuitBreaker; b != nil {
		out.Failures, out.Threshold = int(val(b.FailureCount)), int(val(b.Threshold))
	}
	if a := d.Alarms; a != nil {
		out.Alarms = a.TriggeredAlarmNames
	}
	if r := d.Rollback; r != nil {
		out.RolledBackTo, out.RollbackWhy, out.RollbackAt = val(r.ServiceRevisionArn), val(r.Reason), r.StartedAt
	}
	return out
}

// stage says in a few words where the newest deployment of a service is.
func (s serviceReport) stage() string {
	if s.State != "ACTIVE" || len(s.Deployments) == 0 {
		return strings.ToLower(s.State)
	}
	if r := s.Rollout; r != nil && (r.running() || !s.Steady) {
		return r.stage()
	}
	switch d := s.Deployments[0]; {
	case d.Rollout == "FAILED":
		return "failed"
	case strings.Contains(d.Reason, "rolling back"):
		return "rolling back"
	case d.Rollout == "IN_PROGRESS":
		return "rolling"
	case s.Steady:
		return "steady"
	}
	return "settling"
}

func (r *rolloutReport) stage() string {
	switch r.Status {
	case "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS":
		return "rolling back"
	case "IN_PROGRESS":
		if r.Stage == "" || r.Strategy == "ROLLING" {
			return "rolling"
		}
		return strings.Replace(strings.ToLower(r.Strategy), "_", "/", 1) + ", " + r.step()
	case "SUCCESSFUL":
		return "settling" // asked only while the service is not steady
	}
	return spoken(r.Status)
}

// step is the lifecycle stage in as few words as say it.
func (r *rolloutReport) step() string {
	switch r.Stage {
	case "PRODUCTION_TRAFFIC_SHIFT":
		if r.Weight != nil {
			return "traffic " + number(*r.Weight) + " %"
		}
		return "traffic"
	case "TEST_TRAFFIC_SHIFT":
		return "test traffic"
	case "RECONCILE_SERVICE":
		return "reconcile"
	}
	return spoken(r.Stage)
}

// spoken is a constant of AWS in words: BAKE_TIME is "bake time".
func spoken(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", " ")) }
