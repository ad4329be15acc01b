package eventbridge

import (
	"context"
	"fmt"
	"strings"

	"github.com/slipway-dev/slipway/control/rollout"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/ecs"
)

// seeService sees the newest deployment of a service, and whether the service
// has been steady since it changed.
// Source of the events: Amazon ECS developer guide, Amazon ECS service
// deployment state change events, and service action events; of the latter
// there is SERVICE_STEADY_STATE.
func seeService(r store.Reader, key string, before *observed) (sighting, bool) {
	row, err := ecs.Services.Get(r, key)
	if err != nil || len(row.Deployments) == 0 {
		return sighting{tell: func(context.Context, *Service, *observed) ([]happening, error) { return nil, nil }}, before != nil
	}
	d := row.Deployments[0]
	deployment, steady := fmt.Sprintf("%s %s", d.ID, d.RolloutState), fmt.Sprint(row.SteadyAnnounced)
	return sighting{
		observed: observed{Print: deployment, State: steady},
		tell: func(_ context.Context, _ *Service, before *observed) (events []happening, err error) {
			if before == nil || before.Print != deployment {
				events = append(events, newEvent(row.Scope, "aws.ecs", "ECS Deployment State Change", d.UpdatedAt, deploymentDetail(d), row.ARN()))
			}
			if row.SteadyAnnounced && (before == nil || before.State != steady) {
				events = append(events, newEvent(row.Scope, "aws.ecs", "ECS Service Action", now(), map[string]any{
					"eventType": "INFO", "eventName": "SERVICE_STEADY_STATE", "clusterArn": row.Scope.ARN("ecs", "cluster/"+row.Cluster), "createdAt": stamp(now()),
				}, row.ARN()))
			}
			return events, nil
		},
	}, true
}

func deploymentDetail(d ecs.Deployment) map[string]any {
	kind := "INFO"
	if d.RolloutState == rollout.Failed {
		kind = "ERROR"
	}
	detail := map[string]any{
		"eventType": kind, "eventName": "SERVICE_DEPLOYMENT_" + strings.ToUpper(string(d.RolloutState)), "deploymentId": d.ID, "updatedAt": stamp(d.UpdatedAt),
	}
	if d.Reason != "" {
		detail["reason"] = d.Reason
	}
	return detail
}
