package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/manifest"
)

func (a *app) restartCommand() *cobra.Command {
	var noWait bool
	cmd := &cobra.Command{
		Use: "restart SERVICE", Short: "Replace the tasks of a service, without losing a request", Args: cobra.ExactArgs(1),
		Long:              "Force a new deployment of the service: its tasks are replaced by new ones of the same revision, as a deployment would.",
		ValidArgsFunction: a.completeServices,
	}
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait until the new tasks serve")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.updateService(cmd.Context(), args[0], &ecsapi.UpdateServiceInput{ForceNewDeployment: new(true)}, "restarted", noWait)
	}
	return cmd
}

func (a *app) scaleCommand() *cobra.Command {
	var noWait bool
	cmd := &cobra.Command{
		Use: "scale SERVICE N", Short: "Set how many tasks of a service run", Args: cobra.ExactArgs(2),
		Long:              "Set the desired number of tasks of a service. The manifest is not changed: a deployment that changes the service goes back to its number.",
		ValidArgsFunction: a.completeServices,
	}
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait until the tasks run")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		n, err := strconv.ParseInt(args[1], 10, 32)
		if err != nil || n < 0 {
			return usage("%q is no number of tasks", args[1])
		}
		return a.updateService(cmd.Context(), args[0], &ecsapi.UpdateServiceInput{DesiredCount: new(int32(n))}, "scaled to "+args[1], noWait)
	}
	return cmd
}

// updateService updates one service and waits until it is steady.
func (a *app) updateService(ctx context.Context, word string, in *ecsapi.UpdateServiceInput, what string, noWait bool) error {
	p, err := a.platform()
	if err != nil {
		return err
	}
	chosen, err := p.choose([]string{word})
	if err != nil {
		return err
	}
	began := time.Now()
	in.Cluster, in.Service = new(p.names.Cluster()), new(p.names.Service(chosen[0].Name))
	out, err := call[ecsapi.UpdateServiceInput, ecsapi.UpdateServiceOutput](ctx, p.client, "ecs", "UpdateService", in)
	if isCode(err, "ServiceNotFoundException") || isCode(err, "ClusterNotFoundException") || isCode(err, "ServiceNotActiveException") {
		return &notDeployed{p.manifest.StackName()}
	}
	if err != nil {
		return err
	}
	s := chosen[0]
	if !noWait {
		id := ""
		if len(out.Service.Deployments) > 0 {
			id = val(out.Service.Deployments[0].Id)
		}
		if err := p.untilSteady(ctx, s, id); err != nil {
			return err
		}
	}
	p.step(s.Name+" "+what, began)
	if !p.json {
		return nil
	}
	r, err := p.report(ctx, chosen)
	if err != nil {
		return err
	}
	return p.print(r.Services[0])
}

// untilSteady shows a service until every wanted task of a deployment runs
// and serves. It fails when the deployment does.
func (p *platform) untilSteady(ctx context.Context, s manifest.Service, deployment string) error {
	view := &screen{app: p.app}
	if p.live() {
		defer view.clear()
	}
	chosen := []manifest.Service{s}
	for {
		r, err := p.report(ctx, chosen)
		if ctx.Err() != nil {
			return &codedError{exitInterrupted, fmt.Errorf("interrupted; the engine goes on with %s. Watch it with: slipway status -w %s", s.Name, s.Name)}
		}
		if err != nil {
			return err
		}
		if len(r.Services) == 0 {
			return &notDeployed{r.Stack}
		}
		now := r.Services[0]
		if p.live() {
			view.show(p.serviceRows(now, time.Now()))
		}
		if len(now.Deployments) == 0 {
			return fmt.Errorf("%s is being deleted", s.Name)
		}
		if primary := now.Deployments[0]; primary.ID != deployment {
			return fmt.Errorf("%s: another deployment (%s) has taken over; see: slipway events %s", s.Name, primary.Revision, s.Name)
		} else if primary.Rollout == "FAILED" {
			return fmt.Errorf("%s: the deployment failed: %s; see: slipway status %s", s.Name, primary.Reason, s.Name)
		}
		if now.Steady {
			return nil
		}
		_ = wait(ctx, 2*pollEvery) // the next report sees that ctx has ended
	}
}
