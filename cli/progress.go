package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/manifest"
)

// askEvery bounds how often services in progress are asked about.
const askEvery = 250 * time.Millisecond

// track remembers which ECS services the stack has begun to work on, and when
// one that had failed is back.
func (f *following) track(ev cfnapi.StackEvent) {
	if val(ev.ResourceType) != ecsService {
		return
	}
	name, id := f.ecsName(ev), val(ev.LogicalResourceId)
	switch ev.ResourceStatus {
	case "CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS":
		if name != "" && !slices.Contains(f.services, name) {
			f.services = append(f.services, name)
			f.started[id] = val(ev.Timestamp)
		}
	case "UPDATE_COMPLETE":
		for i := range f.failures {
			if failed := &f.failures[i]; val(failed.event.LogicalResourceId) == id && failed.restored.IsZero() {
				failed.restored = val(ev.Timestamp)
			}
		}
	}
	f.asked = time.Time{} // something has changed: show it now
}

// progress shows how far the services are that are being deployed. What
// cannot be found out now is shown later.
func (f *following) progress(ctx context.Context) {
	if len(f.services) == 0 || time.Since(f.asked) < askEvery || !f.view.wantsProgress() {
		return
	}
	f.asked = time.Now()
	var wanted []manifest.Service
	for _, s := range f.manifest.Services { // in the order of the manifest
		if slices.Contains(f.services, f.names.Service(s.Name)) {
			wanted = append(wanted, s)
		}
	}
	if reports, err := f.present(ctx, wanted); err == nil {
		f.view.progress(reports)
	}
}

// present are the reports of those services that are there, with the tasks
// that are to run.
func (p *platform) present(ctx context.Context, wanted []manifest.Service) ([]serviceReport, error) {
	reports, err := p.serviceReports(ctx, wanted, "RUNNING")
	if _, none := errors.AsType[*notDeployed](err); none {
		return nil, nil
	}
	return slices.DeleteFunc(reports, func(s serviceReport) bool { return s.State == "MISSING" }), err
}
