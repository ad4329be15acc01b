package engine

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/service/ec2"
	"github.com/slipway-dev/slipway/service/ecs"
)

// chaosPath is where faults are injected. AWS has no API that interrupts one
// Spot task of Fargate or takes a zone out for one account's tests, so these are the
// engine's own, signed like all others.
const chaosPath = "/_slipway/chaos/"

// Chaos is what POST /_slipway/chaos/spot, /task and /zone take.
type Chaos struct {
	Cluster string `json:"cluster,omitempty"`
	Service string `json:"service,omitempty"` // name of an ECS service
	Task    string `json:"task,omitempty"`    // id or ARN, instead of a service
	All     bool   `json:"all,omitempty"`     // of the service's tasks, not one
	Zone    string `json:"zone,omitempty"`
	Restore bool   `json:"restore,omitempty"` // the zone comes back
}

// Struck is what they answer: the ARNs of the tasks that it hits.
type Struck struct {
	Tasks []string `json:"tasks"`
}

func (e *Engine) chaosHandlers(mux *http.ServeMux) {
	handle := func(kind string, strike func(r *http.Request, c Chaos) ([]string, error)) {
		mux.Handle(chaosPath+kind, e.mux.Guard(func(w http.ResponseWriter, r *http.Request) {
			var c Chaos
			err := json.NewDecoder(r.Body).Decode(&c)
			if err == nil {
				var tasks []string
				if tasks, err = strike(r, c); err == nil {
					e.log.Warn("chaos", "kind", kind, "service", c.Service, "task", c.Task, "zone", c.Zone, "restore", c.Restore, "tasks", len(tasks))
					writeJSON(w, Struck{Tasks: append([]string{}, tasks...)})
					return
				}
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]string{"message": err.Error()}) // the client has gone
		}))
	}
	handle("spot", e.interruptSpot)
	handle("task", e.killTask)
	handle("zone", e.loseZone)
}

func (e *Engine) interruptSpot(r *http.Request, c Chaos) ([]string, error) {
	most := 1
	if c.All {
		most = 0
	}
	warned, err := e.ecs.InterruptSpot(awsapi.CallerOf(r.Context()).Scope, c.Cluster, c.Service, c.Task, most)
	if err == nil && len(warned) == 0 {
		err = fmt.Errorf("no task of %s in cluster %s runs on FARGATE_SPOT and has not been warned yet", c.Service+c.Task, c.Cluster)
	}
	return warned, err
}

func (e *Engine) killTask(r *http.Request, c Chaos) ([]string, error) {
	scope := awsapi.CallerOf(r.Context()).Scope
	for t := range ecs.Tasks.By(e.store.Snapshot(), "cluster", scope.Key(c.Cluster)) {
		wanted := c.Task != "" && (t.ID == c.Task || t.ARN == c.Task) || c.Task == "" && t.ServiceName == c.Service
		if wanted && t.DesiredStatus == "RUNNING" && t.Registered {
			return []string{t.ARN}, e.node.agent.Kill(r.Context(), t.ARN)
		}
	}
	return nil, fmt.Errorf("no task of %s runs in cluster %s", c.Service+c.Task, c.Cluster)
}

func (e *Engine) loseZone(r *http.Request, c Chaos) ([]string, error) {
	zones := ec2.Zones(awsapi.CallerOf(r.Context()).Scope.Region)
	if !slices.Contains(zones, c.Zone) {
		return nil, fmt.Errorf("there is no availability zone %q; there are %s", c.Zone, strings.Join(zones, ", "))
	}
	if c.Restore {
		return nil, e.ecs.RestoreZone(c.Zone)
	}
	return e.ecs.LoseZone(c.Zone)
}
