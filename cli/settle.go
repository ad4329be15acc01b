package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/manifest"
)

// updateService updates one service and waits until it is steady.
func (p *platform) updateService(ctx context.Context, s manifest.Service, in *ecsapi.UpdateServiceInput, what string, noWait bool) error {
	began := time.Now()
	in.Cluster, in.Service = new(p.names.Cluster()), new(p.names.Service(s.Name))
	out, err := call[ecsapi.UpdateServiceInput, ecsapi.UpdateServiceOutput](ctx, p.client, "ecs", "UpdateService", in)
	if isCode(err, "ServiceNotFoundException") || isCode(err, "ClusterNotFoundException") || isCode(err, "ServiceNotActiveException") {
		return &notDeployed{p.manifest.StackName()}
	}
	if err != nil {
		return err
	}
	if !noWait {
		id := ""
		if len(out.Service.Deployments) > 0 {
			id = val(out.Service.Deployments[0].Id)
		}
		if err := (&settling{platform: p, service: s, deployment: id, began: began}).follow(ctx); err != nil {
			return err
		}
	}
	p.step(s.Name+" "+what, began)
	return p.printService(ctx, s)
}

// printService prints a service for who wants JSON.
func (p *platform) printService(ctx context.Context, s manifest.Service) error {
	if !p.json {
		return nil
	}
	r, err := p.serviceReports(ctx, []manifest.Service{s}, "RUNNING", "STOPPED")
	if err != nil {
		return err
	}
	return p.print(r[0])
}

// settling follows one service until every wanted task of a deployment runs
// and serves.
type settling struct {
	*platform
	service    manifest.Service
	deployment string // id of the one that is followed
	began      time.Time

	revision string    // of that deployment
	failed   time.Time // when another was seen that takes it back
	why      string
}

// follow shows the service until it is steady. It fails when the deployment
// fails or is rolled back, however steady the service is then.
func (w *settling) follow(ctx context.Context) error {
	show := w.newShow(w.began)
	defer show.close()
	for {
		found, err := w.serviceReports(ctx, []manifest.Service{w.service}, "RUNNING")
		if ctx.Err() != nil {
			return w.interrupted()
		}
		if err != nil {
			return err
		}
		now := found[0]
		if now.State == "MISSING" || len(now.Deployments) == 0 {
			return fmt.Errorf("%s is being deleted", w.service.Name)
		}
		show.services(found)
		if done, err := w.judge(ctx, now); done || err != nil {
			return err
		}
		_ = wait(ctx, askEvery) // the next report sees that ctx has ended
	}
}

// judge says whether all is as it should be, or why it never will.
func (w *settling) judge(ctx context.Context, now serviceReport) (done bool, err error) {
	newest := now.Deployments[0]
	back := strings.Contains(newest.Reason, "rolling back") || now.Rollout != nil && strings.HasPrefix(now.Rollout.Status, "ROLLBACK_")
	switch {
	case newest.ID != w.deployment && w.failed.IsZero() && !back:
		return false, fmt.Errorf("%s: another deployment (%s) has taken over; see: slipway events %s", w.service.Name, newest.Revision, w.service.Name)
	case newest.ID != w.deployment && w.failed.IsZero():
		w.failed = time.Now() // and wait until the revision before is back
		w.why = newest.Reason + w.autopsy(ctx, now.Service, w.began)
	case newest.Rollout == "FAILED":
		return false, fmt.Errorf("%s: the deployment failed: %s%s\n  nothing takes it back; see: slipway why %s", w.service.Name, newest.Reason, w.autopsy(ctx, now.Service, w.began), w.service.Name)
	case newest.ID == w.deployment:
		w.revision = newest.Revision
	}
	if !now.Steady {
		return false, nil
	}
	if !w.failed.IsZero() {
		return false, fmt.Errorf("%s: the deployment of %s failed: %s\n  rolled back to revision %s in %s",
			w.service.Name, orDash(w.revision), w.why, newest.Revision, inSeconds(time.Since(w.began)))
	}
	return true, nil
}

func (w *settling) interrupted() error {
	return &codedError{exitInterrupted, fmt.Errorf("interrupted; the engine goes on with %s. Watch it with: slipway status -w %s", w.service.Name, w.service.Name)}
}
