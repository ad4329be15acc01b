package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/logsapi"
	"github.com/slipway-dev/slipway/synth"
)

// lastLines is how many log lines of a failed container are shown.
const lastLines = 20

// explain words a failed operation: which resource, why; for an ECS service
// also which task failed, how, and the last lines its container wrote.
func (d *deployment) explain(ctx context.Context, st *cfnapi.Stack, failures []cfnapi.StackEvent) error {
	var b strings.Builder
	fmt.Fprintf(&b, "the deployment failed: stack %s is %s", val(st.StackName), st.StackStatus)
	if strings.Contains(string(st.StackStatus), "ROLLBACK_COMPLETE") {
		b.WriteString(": what ran before runs on")
	}
	for _, f := range failures {
		if val(f.ResourceType) == "AWS::CloudFormation::Stack" {
			continue
		}
		fmt.Fprintf(&b, "\n\n%s (%s)\n  %s", val(f.LogicalResourceId), val(f.ResourceType), val(f.ResourceStatusReason))
		if val(f.ResourceType) == "AWS::ECS::Service" {
			d.explainService(ctx, &b, val(f.LogicalResourceId))
		}
	}
	if len(failures) == 0 && val(st.StackStatusReason) != "" {
		b.WriteString("\n  " + val(st.StackStatusReason))
	}
	return errors.New(b.String())
}

// explainService adds the newest failed task of the service with a logical id.
// What cannot be found out is left out: the failure itself has been told.
func (d *deployment) explainService(ctx context.Context, b *strings.Builder, logicalID string) {
	names := synth.NamesOf(d.manifest)
	for _, svc := range d.manifest.Services {
		name := names.Service(svc.Name)
		if !strings.Contains(strings.ToLower(logicalID), strings.ToLower(strings.ReplaceAll(svc.Name, "-", ""))) {
			continue
		}
		tasks, err := d.stoppedTasks(ctx, names.Cluster(), name)
		if err != nil || len(tasks) == 0 {
			return
		}
		t := tasks[0]
		fmt.Fprintf(b, "\n  task %s: %s", short(val(t.TaskArn)), val(t.StoppedReason))
		for _, ct := range t.Containers {
			if ct.ExitCode != nil {
				fmt.Fprintf(b, "\n  container %s exited with code %d", val(ct.Name), *ct.ExitCode)
			}
			if ct.Reason != nil && !strings.Contains(val(t.StoppedReason), *ct.Reason) {
				fmt.Fprintf(b, "\n  container %s: %s", val(ct.Name), *ct.Reason)
			}
		}
		d.explainLogs(ctx, b, names.LogGroup(svc.Name), short(val(t.TaskArn)))
		return
	}
}

func (d *deployment) stoppedTasks(ctx context.Context, cluster, service string) ([]ecsapi.Task, error) {
	list, err := call[ecsapi.ListTasksInput, ecsapi.ListTasksOutput](ctx, d.client, "ecs", "ListTasks",
		&ecsapi.ListTasksInput{Cluster: &cluster, ServiceName: &service, DesiredStatus: "STOPPED"})
	if err != nil || len(list.TaskArns) == 0 {
		return nil, err
	}
	out, err := call[ecsapi.DescribeTasksInput, ecsapi.DescribeTasksOutput](ctx, d.client, "ecs", "DescribeTasks",
		&ecsapi.DescribeTasksInput{Cluster: &cluster, Tasks: list.TaskArns})
	if err != nil {
		return nil, err
	}
	// Those that failed by themselves come first, the newest of them.
	var failed, others []ecsapi.Task
	for _, t := range out.Tasks {
		if t.StopCode == "ServiceSchedulerInitiated" && !strings.Contains(val(t.StoppedReason), "failed") || t.StopCode == "UserInitiated" {
			others = append(others, t)
			continue
		}
		if len(failed) > 0 && val(failed[0].CreatedAt).Before(val(t.CreatedAt)) {
			failed = append([]ecsapi.Task{t}, failed...)
			continue
		}
		failed = append(failed, t)
	}
	return append(failed, others...), nil
}

func (d *deployment) explainLogs(ctx context.Context, b *strings.Builder, group, task string) {
	streams, err := call[logsapi.DescribeLogStreamsInput, logsapi.DescribeLogStreamsOutput](ctx, d.client, "logs", "DescribeLogStreams",
		&logsapi.DescribeLogStreamsInput{LogGroupName: &group})
	if err != nil {
		return
	}
	for _, s := range streams.LogStreams {
		if !strings.HasSuffix(val(s.LogStreamName), "/"+task) {
			continue
		}
		out, err := call[logsapi.GetLogEventsInput, logsapi.GetLogEventsOutput](ctx, d.client, "logs", "GetLogEvents",
			&logsapi.GetLogEventsInput{LogGroupName: &group, LogStreamName: s.LogStreamName, Limit: new(int32(lastLines))})
		if err != nil || len(out.Events) == 0 {
			continue
		}
		fmt.Fprintf(b, "\n  last lines of %s:", val(s.LogStreamName))
		for _, ev := range out.Events {
			b.WriteString("\n    " + val(ev.Message))
		}
	}
}

// short is the last part of an ARN.
func short(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
