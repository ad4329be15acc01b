package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/manifest"
)

func (a *app) rollbackCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use: "rollback [SERVICE]", Short: "Take a running deployment back, or return a service to its revision before", Args: cobra.MaximumNArgs(1),
		Long: "Without a service: cancel the deployment that runs, of the stack (slipway deploy) or of single services, and wait until what ran before is back.\n" +
			"With a service: take its running deployment back; when none runs, return it to the revision that it had before. That goes past the stack, which\n" +
			"still describes the newer revision: CloudFormation calls it drift, and a deploy of an unchanged manifest does not undo it.",
		Example:           "  slipway rollback\n  slipway rollback payment\n  slipway rollback payment --to 7",
		ValidArgsFunction: a.completeServices,
	}
	cmd.Flags().StringVar(&to, "to", "", "number of the task definition's revision to return to; see: slipway deployments SERVICE")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := a.platform()
		if err != nil {
			return err
		}
		if len(args) == 0 {
			if to != "" {
				return usage("name the service that is to return to revision %s", to)
			}
			return p.cancel(cmd.Context())
		}
		chosen, err := p.choose(args)
		if err != nil {
			return err
		}
		return p.rollback(cmd.Context(), chosen[0], to)
	}
	return cmd
}

// cancel takes back whatever is being deployed.
func (p *platform) cancel(ctx context.Context) error {
	st, err := p.stack(ctx)
	if err != nil {
		return err
	}
	if st == nil {
		return &notDeployed{p.manifest.StackName()}
	}
	switch {
	case st.StackStatus == "CREATE_IN_PROGRESS":
		return fmt.Errorf("stack %s is being created: there is nothing to return to; delete it with: slipway down", p.manifest.StackName())
	case strings.HasPrefix(string(st.StackStatus), "UPDATE_") && inProgress(st.StackStatus):
		return (&deployment{platform: p}).cancel(ctx, st)
	}
	running, err := p.runningRollouts(ctx)
	if err != nil {
		return err
	}
	if len(running) == 0 {
		return usage("no deployment runs; name the service that is to return to its revision before: slipway rollback SERVICE")
	}
	for _, r := range running {
		if err := p.takeBack(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// runningRollouts are the deployments of services that are on their way.
func (p *platform) runningRollouts(ctx context.Context) (running []rolloutReport, err error) {
	for _, s := range p.manifest.Services {
		list, err := p.history(ctx, s, "PENDING", "IN_PROGRESS")
		if _, none := errors.AsType[*notDeployed](err); err != nil && !none {
			return nil, err // one that is new may not be there yet
		}
		running = append(running, list...)
	}
	return running, nil
}

// cancel rolls an update of the stack back and follows it to its end. Traffic
// that has moved to new versions is taken back first, by ECS: CloudFormation
// resets the load balancer's rules as if it had never moved.
func (d *deployment) cancel(ctx context.Context, st *cfnapi.Stack) error {
	began := time.Now()
	if st.StackStatus == "UPDATE_IN_PROGRESS" {
		if err := d.takeTrafficBack(ctx); err != nil {
			return err
		}
		_, err := call[cfnapi.CancelUpdateStackInput, cfnapi.CancelUpdateStackOutput](ctx, d.client, "cloudformation", "CancelUpdateStack",
			&cfnapi.CancelUpdateStackInput{StackName: st.StackId})
		// A service that is taken back makes the stack go back by itself.
		if err != nil && !d.goesBack(ctx, val(st.StackId)) {
			return err
		}
	}
	f := d.newFollowing(val(st.StackId), began, "cancel the deployment")
	end, err := f.end(ctx)
	if err != nil {
		return err
	}
	switch end.StackStatus {
	case "UPDATE_ROLLBACK_COMPLETE":
		d.step("deployment cancelled: what ran before runs on", began)
		if d.json {
			return d.print(map[string]string{"stack": val(end.StackName), "state": string(end.StackStatus)})
		}
		return nil
	case "UPDATE_COMPLETE":
		return fmt.Errorf("the deployment was complete before it could be cancelled")
	}
	return d.explain(end, f.failures)
}

// goesBack says whether a stack rolls back, or has.
func (d *deployment) goesBack(ctx context.Context, id string) bool {
	st, err := d.stackByID(ctx, id)
	return err == nil && strings.HasPrefix(string(st.StackStatus), "UPDATE_ROLLBACK")
}

// rollback takes a service's running deployment back, or returns it to an
// earlier revision.
func (p *platform) rollback(ctx context.Context, s manifest.Service, to string) error {
	list, err := p.history(ctx, s)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(list, func(r rolloutReport) bool { return r.running() }); i >= 0 && to == "" {
		return p.takeBack(ctx, list[i])
	}
	found, err := p.describeServices(ctx, []manifest.Service{s})
	if err != nil {
		return err
	}
	svc, ok := found[s.Name]
	if !ok {
		return &notDeployed{p.manifest.StackName()}
	}
	now := short(val(svc.TaskDefinition))
	target, err := earlier(list, now, to)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	return p.returnTo(ctx, s, target, now)
}

// earlier is the revision to return to: the one that is named, or the newest
// that was deployed with success and is not the present one.
func earlier(list []rolloutReport, now, to string) (string, error) {
	family, _, _ := strings.Cut(now, ":")
	if to != "" {
		to = family + ":" + strings.TrimPrefix(to, family+":")
		if to == now {
			return "", usage("it is at revision %s already", now)
		}
		return to, nil
	}
	for _, r := range list {
		if r.Status == "SUCCESSFUL" && r.Revision != "" && r.Revision != now {
			return r.Revision, nil
		}
	}
	return "", fmt.Errorf("nothing was deployed with success before revision %s; name a revision with --to", now)
}

// returnTo deploys an earlier task definition again. One that the stack has
// deregistered cannot be deployed: a copy of it is registered.
func (p *platform) returnTo(ctx context.Context, s manifest.Service, target, now string) error {
	copied, err := p.deployable(ctx, target)
	if err != nil {
		return err
	}
	what := "returned to revision " + target
	if copied != target {
		what += ", registered again as " + copied
	}
	if err := p.updateService(ctx, s, &ecsapi.UpdateServiceInput{TaskDefinition: &copied}, what, false); err != nil {
		return err
	}
	if !p.json {
		fmt.Fprintf(p.out, "%s stack %s still describes %s: this is drift, which a deploy of an unchanged manifest leaves. Go forward again with: slipway rollback %s --to %s\n",
			p.yellow("●"), p.manifest.StackName(), now, s.Name, now[strings.LastIndexByte(now, ':')+1:])
	}
	return nil
}

// deployable is the name of a task definition that can be deployed: the one
// that is asked for, or if that is inactive a copy of it.
func (p *platform) deployable(ctx context.Context, name string) (string, error) {
	got, err := call[ecsapi.DescribeTaskDefinitionInput, ecsapi.DescribeTaskDefinitionOutput](ctx, p.client, "ecs", "DescribeTaskDefinition",
		&ecsapi.DescribeTaskDefinitionInput{TaskDefinition: &name, Include: []ecsapi.TaskDefinitionField{"TAGS"}})
	if err != nil {
		return "", err
	}
	d := got.TaskDefinition
	if d.Status == "ACTIVE" {
		return name, nil
	}
	out, err := call[ecsapi.RegisterTaskDefinitionInput, ecsapi.RegisterTaskDefinitionOutput](ctx, p.client, "ecs", "RegisterTaskDefinition",
		&ecsapi.RegisterTaskDefinitionInput{
			Family: d.Family, TaskRoleArn: d.TaskRoleArn, ExecutionRoleArn: d.ExecutionRoleArn, NetworkMode: d.NetworkMode,
			ContainerDefinitions: d.ContainerDefinitions, Volumes: d.Volumes, PlacementConstraints: d.PlacementConstraints,
			RequiresCompatibilities: d.RequiresCompatibilities, Cpu: d.Cpu, Memory: d.Memory, Tags: got.Tags, PidMode: d.PidMode, IpcMode: d.IpcMode,
			ProxyConfiguration: d.ProxyConfiguration, EphemeralStorage: d.EphemeralStorage, RuntimePlatform: d.RuntimePlatform,
			EnableFaultInjection: d.EnableFaultInjection,
		})
	if err != nil {
		return "", err
	}
	return short(val(out.TaskDefinition.TaskDefinitionArn)), nil
}
