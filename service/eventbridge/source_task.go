package eventbridge

import (
	"context"
	"fmt"
	"strings"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/ecs"
)

// seeTask sees where a task and its containers are in their life.
// Source of the events: Amazon ECS developer guide, Amazon ECS task state
// change events.
func seeTask(r store.Reader, key string, before *observed) (sighting, bool) {
	t, err := ecs.Tasks.Get(r, key)
	if err != nil {
		// What has stopped is forgotten after a while: nothing happens.
		return sighting{tell: func(context.Context, *Service, *observed) ([]happening, error) { return nil, nil }}, before != nil
	}
	st, _ := agent.Statuses.Get(r, key)
	var print strings.Builder
	fmt.Fprintf(&print, "%s %s %s", t.DesiredStatus, st.LastStatus, st.Health)
	for _, c := range st.Containers {
		fmt.Fprintf(&print, " %s %s %s", c.Name, c.LastStatus, c.Health)
	}
	return sighting{
		observed: observed{Print: print.String()},
		tell: func(ctx context.Context, s *Service, _ *observed) ([]happening, error) {
			ctx = awsapi.WithCaller(ctx, awsapi.Caller{Scope: t.Scope})
			out, err := s.Tasks.DescribeTasks(ctx, &ecsapi.DescribeTasksInput{Cluster: &t.Cluster, Tasks: []string{t.ARN}})
			if err != nil || len(out.Tasks) == 0 {
				return nil, err // it has gone meanwhile
			}
			at := now()
			detail, _ := detailOf(out.Tasks[0]).(map[string]any)
			detail["updatedAt"] = stamp(at)
			return []happening{newEvent(t.Scope, "aws.ecs", "ECS Task State Change", at, detail, t.ARN)}, nil
		},
	}, true
}
