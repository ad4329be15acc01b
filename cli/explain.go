package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/logsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
)

// lastLines is how many log lines of a failed container are shown.
const lastLines = 20

const ecsService = "AWS::ECS::Service"

// failure is a resource that failed, with what was found out about it while
// it was still there.
type failure struct {
	event   cfnapi.StackEvent
	details string
}

// explain words a failed operation: which resource, why; for an ECS service
// also which task failed, how, and the last lines its container wrote.
func (d *deployment) explain(st *cfnapi.Stack, failures []failure) error {
	var b strings.Builder
	what := "deployment"
	if strings.HasPrefix(string(st.StackStatus), "DELETE_") {
		what = "deletion"
	}
	fmt.Fprintf(&b, "the %s failed: stack %s is %s", what, val(st.StackName), st.StackStatus)
	if strings.HasPrefix(string(st.StackStatus), "UPDATE_ROLLBACK_COMPLETE") {
		b.WriteString(": what ran before runs on")
	}
	told := 0
	for _, f := range failures {
		if val(f.event.ResourceType) == "AWS::CloudFormation::Stack" && val(f.event.PhysicalResourceId) == val(f.event.StackId) {
			continue // the stack itself fails because of the others
		}
		told++
		fmt.Fprintf(&b, "\n\n%s (%s)\n  %s%s", val(f.event.LogicalResourceId), val(f.event.ResourceType), val(f.event.ResourceStatusReason), f.details)
	}
	if told == 0 && val(st.StackStatusReason) != "" {
		b.WriteString("\n  " + val(st.StackStatusReason))
	}
	return errors.New(b.String())
}

// details finds out why a service failed: the newest task that did, and its
// log. What cannot be found out is left out: the failure itself is told.
func (d *deployment) details(ctx context.Context, ev cfnapi.StackEvent, began time.Time) string {
	if val(ev.ResourceType) != ecsService {
		return ""
	}
	name := d.ecsName(ev)
	t, ok := d.failedTask(ctx, name, began)
	if name == "" || !ok {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n  task %s (%s): %s", short(val(t.TaskArn)), short(val(t.TaskDefinitionArn)), val(t.StoppedReason))
	for _, c := range t.Containers {
		if c.ExitCode != nil {
			fmt.Fprintf(&b, "\n  container %s exited with code %d", val(c.Name), *c.ExitCode)
		}
		if c.Reason != nil && !strings.Contains(val(t.StoppedReason), *c.Reason) {
			fmt.Fprintf(&b, "\n  container %s: %s", val(c.Name), *c.Reason)
		}
	}
	if s, ok := d.service(name); ok {
		for _, c := range guilty(t.Containers) {
			d.lastLines(ctx, &b, d.names.LogGroup(s.Name), val(c.Name), short(val(t.TaskArn)))
		}
	}
	return b.String()
}

// ecsName is the ECS service that a stack resource is: from its physical id,
// arn:...:service/<cluster>/<name>, or before it has one from the template.
func (d *deployment) ecsName(ev cfnapi.StackEvent) string {
	if a, err := arn.Parse(val(ev.PhysicalResourceId)); err == nil {
		return short(a.Resource)
	}
	if d.template == nil {
		return ""
	}
	r, ok := d.template.Resource(val(ev.LogicalResourceId))
	if !ok {
		return ""
	}
	for _, f := range r.Properties {
		if name, ok := f.Value.(string); ok && f.Key == "ServiceName" {
			return name
		}
	}
	return ""
}

// failedTask is the newest task of a service that was made since began and
// failed, or is failing.
func (d *deployment) failedTask(ctx context.Context, service string, began time.Time) (ecsapi.Task, bool) {
	tasks, err := d.tasks(ctx, "STOPPED") // newest first
	if err != nil {
		return ecsapi.Task{}, false
	}
	i := slices.IndexFunc(tasks, func(t ecsapi.Task) bool {
		return val(t.Group) == "service:"+service && failed(t) && !val(t.CreatedAt).Before(began.Add(-time.Second))
	})
	if i < 0 {
		return ecsapi.Task{}, false
	}
	return tasks[i], true
}

// guilty are the containers that made a task fail: those that ended badly,
// else those that could not start or are unhealthy, else all.
func guilty(all []ecsapi.Container) []ecsapi.Container {
	for _, bad := range []func(ecsapi.Container) bool{
		func(c ecsapi.Container) bool { return c.ExitCode != nil && *c.ExitCode != 0 && *c.ExitCode != 143 },
		func(c ecsapi.Container) bool { return c.HealthStatus == "UNHEALTHY" || val(c.Reason) != "" },
	} {
		var out []ecsapi.Container
		for _, c := range all {
			if bad(c) {
				out = append(out, c)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return all
}

// lastLines adds the end of a container's log. Its stream is
// <prefix>/<container>/<task>.
func (d *deployment) lastLines(ctx context.Context, b *strings.Builder, group, container, task string) {
	in := &logsapi.DescribeLogStreamsInput{LogGroupName: &group, OrderBy: "LastEventTime", Descending: new(true)}
	for {
		streams, err := call[logsapi.DescribeLogStreamsInput, logsapi.DescribeLogStreamsOutput](ctx, d.client, "logs", "DescribeLogStreams", in)
		if err != nil {
			return
		}
		for _, s := range streams.LogStreams {
			if !strings.HasSuffix(val(s.LogStreamName), "/"+container+"/"+task) {
				continue
			}
			out, err := call[logsapi.GetLogEventsInput, logsapi.GetLogEventsOutput](ctx, d.client, "logs", "GetLogEvents",
				&logsapi.GetLogEventsInput{LogGroupName: &group, LogStreamName: s.LogStreamName, Limit: new(int32(lastLines))})
			if err != nil || len(out.Events) == 0 {
				return
			}
			fmt.Fprintf(b, "\n  last lines of %s:", val(s.LogStreamName))
			for _, ev := range out.Events {
				b.WriteString("\n    " + strings.TrimRight(val(ev.Message), "\r\n"))
			}
			return
		}
		if streams.NextToken == nil {
			return
		}
		in.NextToken = streams.NextToken
	}
}

// short is the last part of an ARN.
func short(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
