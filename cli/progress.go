package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/manifest"
)

// askEvery bounds how often services in progress are asked about.
const askEvery = 250 * time.Millisecond

// track remembers which ECS services the stack is waiting for.
func (f *following) track(ev cfnapi.StackEvent) {
	if val(ev.ResourceType) != ecsService {
		return
	}
	id := val(ev.LogicalResourceId)
	switch ev.ResourceStatus {
	case "CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS":
		if name := f.ecsName(ev); name != "" {
			f.services[id] = name
		}
	default:
		delete(f.services, id)
	}
}

// progress shows how far the services in progress are. What cannot be found
// out now is shown later.
func (f *following) progress(ctx context.Context) {
	if len(f.services) == 0 || time.Since(f.asked) < askEvery || !f.view.wantsProgress() {
		return
	}
	f.asked = time.Now()
	var wanted []manifest.Service
	id := map[string]string{}
	for logical, name := range f.services {
		if s, ok := f.service(name); ok {
			wanted, id[s.Name] = append(wanted, *s), logical
		}
	}
	found, err := f.describeServices(ctx, wanted)
	if err != nil {
		return
	}
	for name, svc := range found {
		targets, err := f.targets(ctx, svc)
		if err != nil {
			continue
		}
		f.view.progress(id[name], progressOf(svc, targets))
	}
}

// progressOf says in one line how far a service is.
func progressOf(svc ecsapi.Service, targets map[string][]targetReport) string {
	out := fmt.Sprintf("%d/%d running", val(svc.RunningCount), val(svc.DesiredCount))
	if n := val(svc.PendingCount); n > 0 {
		out += fmt.Sprintf(", %d pending", n)
	}
	if balanced(svc) > 0 {
		healthy := 0
		for _, list := range targets {
			for _, t := range list {
				if t.State == "healthy" {
					healthy++
				}
			}
		}
		out += fmt.Sprintf(", %d healthy", healthy)
	}
	for _, d := range svc.Deployments {
		if n := val(d.FailedTasks); n > 0 {
			out += fmt.Sprintf(", %d failed", n)
		}
	}
	if len(svc.Events) > 0 {
		out += " · " + strings.TrimSuffix(eventText(svc, svc.Events[0]), ".")
	}
	return out
}
