package cli

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/manifest"
)

// report asks the API how the chosen services are.
func (p *platform) report(ctx context.Context, chosen []manifest.Service) (*statusReport, error) {
	st, err := p.stack(ctx)
	if err != nil {
		return nil, err
	}
	r := &statusReport{Stack: p.manifest.StackName(), State: "NOT_DEPLOYED", Cluster: p.names.Cluster(), Services: []serviceReport{}}
	if st == nil {
		return r, nil
	}
	r.State = string(st.StackStatus)
	r.Services, err = p.serviceReports(ctx, chosen, "RUNNING", "STOPPED")
	if _, none := errors.AsType[*notDeployed](err); none {
		r.Services, err = p.missing(chosen), nil // the cluster is still to come
	}
	return r, err
}

// missing are the reports of services that ECS does not have.
func (p *platform) missing(chosen []manifest.Service) []serviceReport {
	out := make([]serviceReport, 0, len(chosen))
	for _, s := range chosen {
		out = append(out, serviceReport{
			Name: s.Name, Service: p.names.Service(s.Name), State: "MISSING", Desired: s.Desired, Deployments: []deploymentReport{},
		})
	}
	return out
}

// serviceReports asks ECS how services are, with the tasks that are meant to
// be in certain states.
func (p *platform) serviceReports(ctx context.Context, chosen []manifest.Service, desired ...ecsapi.DesiredStatus) ([]serviceReport, error) {
	services, err := p.describeServices(ctx, chosen)
	if err != nil {
		return nil, err
	}
	var tasks []ecsapi.Task
	for _, d := range desired {
		if len(services) == 0 {
			break
		}
		list, err := p.tasks(ctx, d, p.only(chosen))
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, list...)
	}
	rollouts, err := p.rollouts(ctx, services)
	if err != nil {
		return nil, err
	}
	out := p.missing(chosen)
	for i, s := range chosen {
		svc, ok := services[s.Name]
		if !ok {
			continue
		}
		targets, err := p.targets(ctx, svc)
		if err != nil {
			return nil, err
		}
		out[i] = p.serviceReport(s.Name, svc, tasks, targets)
		out[i].Rollout = rollouts[s.Name]
	}
	return out, nil
}

// only is the name that ECS has for the one service that is asked about;
// empty: all.
func (p *platform) only(chosen []manifest.Service) string {
	if len(chosen) != 1 {
		return ""
	}
	return p.names.Service(chosen[0].Name)
}

func (p *platform) serviceReport(name string, svc ecsapi.Service, tasks []ecsapi.Task, targets map[string][]targetReport) serviceReport {
	out := serviceReport{
		Name: name, Service: val(svc.ServiceName), State: val(svc.Status), Deployments: []deploymentReport{},
		Desired: int(val(svc.DesiredCount)), Running: int(val(svc.RunningCount)), Pending: int(val(svc.PendingCount)),
	}
	for _, ev := range svc.Events { // youngest first
		out.events = append(out.events, happening{val(ev.CreatedAt), "service", name, "", eventText(svc, ev), val(ev.Id)})
	}
	if len(out.events) > 0 {
		out.LastEvent = out.events[0].Message
	}
	for _, d := range svc.Deployments {
		dr := deploymentReport{
			ID: val(d.Id), Role: val(d.Status), Revision: short(val(d.TaskDefinition)), Rollout: string(d.RolloutState), Reason: val(d.RolloutStateReason),
			Desired: int(val(d.DesiredCount)), Running: int(val(d.RunningCount)), Pending: int(val(d.PendingCount)), Failed: int(val(d.FailedTasks)),
			Created: val(d.CreatedAt), Tasks: []taskReport{},
		}
		for _, t := range tasks {
			if p.serviceOf(t) != name || val(t.StartedBy) != dr.ID || val(t.LastStatus) == "STOPPED" {
				continue
			}
			tr := newTaskReport(name, t, targets)
			dr.Tasks = append(dr.Tasks, tr)
			if tr.healthy() && tr.Desired == "RUNNING" && len(tr.Targets) >= balanced(svc) {
				out.Healthy++
				dr.Healthy++
			}
		}
		slices.SortStableFunc(dr.Tasks, func(a, b taskReport) int {
			return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
		})
		out.Deployments = append(out.Deployments, dr)
	}
	out.Steady = len(out.Deployments) == 1 && out.Deployments[0].Rollout != "FAILED" && out.Running == out.Desired && out.Pending == 0 && out.Healthy == out.Desired
	if !out.Steady {
		for _, t := range tasks { // newest first among those that stopped
			current := slices.ContainsFunc(out.Deployments, func(d deploymentReport) bool { return d.ID == val(t.StartedBy) })
			if p.serviceOf(t) == name && current && failed(t) {
				tr := newTaskReport(name, t, nil)
				out.LastStop = &tr
				break
			}
		}
	}
	return out
}

// targets reads the health of a service's targets, by address.
func (p *platform) targets(ctx context.Context, svc ecsapi.Service) (map[string][]targetReport, error) {
	out := map[string][]targetReport{}
	for _, group := range groups(svc) {
		got, err := call[elbv2api.DescribeTargetHealthInput, elbv2api.DescribeTargetHealthOutput](ctx, p.client, "elbv2", "DescribeTargetHealth",
			&elbv2api.DescribeTargetHealthInput{TargetGroupArn: &group})
		if isCode(err, "TargetGroupNotFound") {
			continue // being deleted
		}
		if err != nil {
			return nil, err
		}
		for _, t := range got.TargetHealthDescriptions {
			if t.Target == nil || t.TargetHealth == nil {
				continue
			}
			ip := val(t.Target.Id)
			out[ip] = append(out[ip], targetReport{
				Port: int(val(t.Target.Port)), State: string(t.TargetHealth.State), Reason: string(t.TargetHealth.Reason), Text: val(t.TargetHealth.Description),
			})
		}
	}
	return out, nil
}

// groups are the target groups that tasks of a service may be in: the one of
// the load balancer, and with blue/green the one that is its alternate.
func groups(svc ecsapi.Service) (arns []string) {
	for _, lb := range svc.LoadBalancers {
		if lb.TargetGroupArn != nil {
			arns = append(arns, *lb.TargetGroupArn)
		}
		if lb.AdvancedConfiguration != nil && lb.AdvancedConfiguration.AlternateTargetGroupArn != nil {
			arns = append(arns, *lb.AdvancedConfiguration.AlternateTargetGroupArn)
		}
	}
	return arns
}

// balanced counts the load balancers' target groups a task must be in.
func balanced(svc ecsapi.Service) (n int) {
	for _, lb := range svc.LoadBalancers {
		if lb.TargetGroupArn != nil {
			n++
		}
	}
	return n
}

// groupARN is how events name a target group.
var groupARN = regexp.MustCompile(`arn:aws[\w-]*:elasticloadbalancing:[^ ]*:targetgroup/([^/ ]+)/[0-9a-f]+`)

// eventText is an event for people: without the service, which is known, and
// with the name of a target group for its ARN.
func eventText(svc ecsapi.Service, ev ecsapi.ServiceEvent) string {
	text := strings.TrimPrefix(val(ev.Message), "(service "+val(svc.ServiceName)+") ")
	return groupARN.ReplaceAllString(text, "$1")
}
