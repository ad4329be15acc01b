package cli

import (
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
)

// statusReport is what status shows and prints as JSON.
type statusReport struct {
	Stack    string          `json:"stack"`
	State    string          `json:"state"` // of the stack; NOT_DEPLOYED when there is none
	Cluster  string          `json:"cluster"`
	Services []serviceReport `json:"services"`
}

// serviceReport is one service. Steady means that every wanted task of the
// newest revision runs, is healthy, and no older one is left.
type serviceReport struct {
	Name        string             `json:"name"`
	Service     string             `json:"service"` // in ECS
	State       string             `json:"state"`   // ACTIVE, DRAINING; MISSING when ECS has none
	Steady      bool               `json:"steady"`
	Desired     int                `json:"desired"`
	Running     int                `json:"running"`
	Pending     int                `json:"pending"`
	Healthy     int                `json:"healthy"`
	Deployments []deploymentReport `json:"deployments"`
	Rollout     *rolloutReport     `json:"rollout,omitempty"` // the deployment as ECS keeps its history
	LastEvent   string             `json:"lastEvent,omitempty"`
	events      []happening        // youngest first
	LastStop    *taskReport        `json:"lastStop,omitempty"` // newest task that failed, while tasks are missing
}

// deploymentReport is one revision of a service that has tasks or should.
type deploymentReport struct {
	ID       string       `json:"id"`
	Role     string       `json:"role"`     // PRIMARY, ACTIVE
	Revision string       `json:"revision"` // family:number
	Rollout  string       `json:"rollout"`  // IN_PROGRESS, COMPLETED, FAILED
	Reason   string       `json:"reason,omitempty"`
	Desired  int          `json:"desired"`
	Running  int          `json:"running"`
	Pending  int          `json:"pending"`
	Healthy  int          `json:"healthy"`
	Failed   int          `json:"failed"`
	Created  time.Time    `json:"created"`
	Tasks    []taskReport `json:"tasks"`
}

// taskReport is one task.
type taskReport struct {
	ID         string            `json:"id"`
	Service    string            `json:"service,omitempty"`
	Revision   string            `json:"revision"`
	Status     string            `json:"status"`
	Desired    string            `json:"desired"`
	Health     string            `json:"health"`
	Targets    []targetReport    `json:"targets"`
	Zone       string            `json:"zone"`
	IP         string            `json:"ip"`
	Capacity   string            `json:"capacity"`
	Created    time.Time         `json:"created"`
	Started    *time.Time        `json:"started,omitempty"`
	Stopped    *time.Time        `json:"stopped,omitempty"`
	StopCode   string            `json:"stopCode,omitempty"`
	Reason     string            `json:"reason,omitempty"` // why it does not run
	Containers []containerReport `json:"containers"`
}

type targetReport struct {
	Port   int    `json:"port"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	Text   string `json:"text,omitempty"`
}

type containerReport struct {
	Name      string `json:"name"`
	Image     string `json:"image"`
	Status    string `json:"status"`
	Health    string `json:"health"`
	RuntimeID string `json:"runtimeId,omitempty"`
	ExitCode  *int32 `json:"exitCode,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// failed tells whether a task has ended, or is about to, otherwise than by
// being told to.
func failed(t ecsapi.Task) bool {
	switch t.StopCode {
	case "", "UserInitiated":
		return false
	case "ServiceSchedulerInitiated":
		return strings.Contains(val(t.StoppedReason), "failed") // its health checks
	}
	return true
}

func newTaskReport(service string, t ecsapi.Task, targets map[string][]targetReport) taskReport {
	out := taskReport{
		ID: short(val(t.TaskArn)), Service: service, Revision: short(val(t.TaskDefinitionArn)), Status: val(t.LastStatus), Desired: val(t.DesiredStatus),
		Health: string(t.HealthStatus), Zone: val(t.AvailabilityZone), Capacity: val(t.CapacityProviderName), Created: val(t.CreatedAt),
		Started: t.StartedAt, Stopped: t.StoppedAt, StopCode: string(t.StopCode), Reason: val(t.StoppedReason),
		Targets: []targetReport{}, Containers: []containerReport{},
	}
	for _, at := range t.Attachments {
		for _, d := range at.Details {
			if val(d.Name) == "privateIPv4Address" {
				out.IP = val(d.Value)
			}
		}
	}
	out.Targets = append(out.Targets, targets[out.IP]...)
	for _, c := range t.Containers {
		out.Containers = append(out.Containers, containerReport{
			Name: val(c.Name), Image: val(c.Image), Status: val(c.LastStatus), Health: string(c.HealthStatus),
			RuntimeID: val(c.RuntimeId), ExitCode: c.ExitCode, Reason: val(c.Reason),
		})
		if r := val(c.Reason); r != "" && !strings.Contains(out.Reason, r) {
			out.Reason = strings.TrimPrefix(out.Reason+"; "+val(c.Name)+": "+r, "; ")
		}
	}
	return out
}

// healthy: it runs, its containers do not say otherwise, and every load
// balancer sends requests to it.
func (t taskReport) healthy() bool {
	return t.Status == "RUNNING" && t.Health != "UNHEALTHY" &&
		!slices.ContainsFunc(t.Targets, func(g targetReport) bool { return g.State != "healthy" })
}
