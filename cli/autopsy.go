package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/logsapi"
)

// lastLines is how many log lines of a failed container are shown.
const lastLines = 20

// autopsy tells of the newest task of an ECS service that was made since a
// time and failed: its reason, the exit codes of its containers, and the last
// lines that those wrote. Empty when there is none, or nothing can be read.
func (p *platform) autopsy(ctx context.Context, service string, since time.Time) string {
	t, ok := p.failedTask(ctx, service, since)
	if !ok {
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
	if s, ok := p.service(service); ok {
		for _, c := range guilty(t.Containers) {
			p.lastLines(ctx, &b, p.names.LogGroup(s.Name), val(c.Name), short(val(t.TaskArn)))
		}
	}
	return b.String()
}

// failedTask is the newest task of a service that was made since began and
// failed, or is failing.
func (p *platform) failedTask(ctx context.Context, service string, began time.Time) (ecsapi.Task, bool) {
	tasks, err := p.tasks(ctx, "STOPPED", service) // newest first
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
func (p *platform) lastLines(ctx context.Context, b *strings.Builder, group, container, task string) {
	in := &logsapi.DescribeLogStreamsInput{LogGroupName: &group, OrderBy: "LastEventTime", Descending: new(true)}
	for {
		streams, err := call[logsapi.DescribeLogStreamsInput, logsapi.DescribeLogStreamsOutput](ctx, p.client, "logs", "DescribeLogStreams", in)
		if err != nil {
			return
		}
		for _, s := range streams.LogStreams {
			if !strings.HasSuffix(val(s.LogStreamName), "/"+container+"/"+task) {
				continue
			}
			out, err := call[logsapi.GetLogEventsInput, logsapi.GetLogEventsOutput](ctx, p.client, "logs", "GetLogEvents",
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
