package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/manifest"
)

// takeBack rolls a running deployment back and follows it to its end.
func (p *platform) takeBack(ctx context.Context, r rolloutReport) error {
	began := time.Now()
	if err := p.stopRollout(ctx, r); err != nil {
		return err
	}
	end, err := p.untilOver(ctx, r, began)
	if err != nil {
		return err
	}
	switch end.Status {
	case "ROLLBACK_SUCCESSFUL":
	case "SUCCESSFUL":
		return fmt.Errorf("%s: the deployment was complete before it could be taken back; return to the revision before with: slipway rollback %s", r.Service, r.Service)
	default:
		return fmt.Errorf("%s: deployment %s is %s: %s; see: slipway why %s", r.Service, r.ID, end.Status, orDash(end.Reason), r.Service)
	}
	s, ok := p.service(r.Service)
	if !ok {
		p.step(r.Service+" rolled back", began)
		return nil
	}
	back := ""
	if found, err := p.describeServices(ctx, []manifest.Service{*s}); err == nil {
		back = " to revision " + short(val(found[s.Name].TaskDefinition))
	}
	p.step(s.Name+" rolled back"+back, began)
	return p.printService(ctx, *s)
}

// takeTrafficBack ends the deployments that shift traffic, and waits until it
// is where it was.
func (p *platform) takeTrafficBack(ctx context.Context) error {
	running, err := p.runningRollouts(ctx)
	if err != nil {
		return err
	}
	for _, r := range running {
		if r.Strategy == "ROLLING" {
			continue
		}
		if err := p.stopRollout(ctx, r); err != nil {
			return err
		}
		if _, err := p.untilOver(ctx, r, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// stopRollout asks for the rollback of a deployment, unless it goes back
// already.
func (p *platform) stopRollout(ctx context.Context, r rolloutReport) error {
	if r.Status != "PENDING" && r.Status != "IN_PROGRESS" {
		return nil
	}
	_, err := call[ecsapi.StopServiceDeploymentInput, ecsapi.StopServiceDeploymentOutput](ctx, p.client, "ecs", "StopServiceDeployment",
		&ecsapi.StopServiceDeploymentInput{ServiceDeploymentArn: &r.ARN, StopType: "ROLLBACK"})
	return err
}

// untilOver shows a service until a deployment of it has ended, and its tasks
// are those that should run.
func (p *platform) untilOver(ctx context.Context, r rolloutReport, began time.Time) (*rolloutReport, error) {
	show := p.newShow(began)
	defer show.close()
	for {
		list, err := p.describeRollouts(ctx, []string{r.ARN})
		if ctx.Err() != nil {
			return nil, &codedError{exitInterrupted, fmt.Errorf("interrupted; the engine goes on taking %s back. Watch it with: slipway deployments -w %s", r.Service, r.Service)}
		}
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return nil, fmt.Errorf("%s: deployment %s is not there any more", r.Service, r.ID)
		}
		if s, ok := p.service(r.Service); ok {
			reports, err := p.present(ctx, []manifest.Service{*s})
			if err != nil && ctx.Err() == nil {
				return nil, err
			}
			show.services(reports)
		}
		if now := list[0]; !now.running() {
			if strings.HasPrefix(now.Status, "ROLLBACK_") {
				now.Reason = strings.TrimSpace(now.Reason + " " + now.RollbackWhy)
			}
			return &now, nil
		}
		_ = wait(ctx, askEvery)
	}
}
