package eventbridge

import (
	"context"
	"encoding/json"
	"time"

	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/cloudwatch"
)

// seeAlarm sees the state of an alarm. An alarm that is made, or deleted, has
// changed no state.
// Source of the events: Amazon CloudWatch user guide, Sample alarm events.
func seeAlarm(r store.Reader, key string, before *observed) (sighting, bool) {
	a, err := cloudwatch.Alarms.Get(r, key)
	if err != nil {
		return sighting{tell: func(context.Context, *Service, *observed) ([]happening, error) { return nil, nil }}, before != nil
	}
	state := alarmState(a)
	text, _ := json.Marshal(state)
	return sighting{
		observed: observed{Print: string(a.State) + " " + a.TransitionedAt.UTC().Format(time.RFC3339Nano), State: string(text)},
		tell: func(_ context.Context, _ *Service, before *observed) ([]happening, error) {
			print := string(a.State) + " " + a.TransitionedAt.UTC().Format(time.RFC3339Nano)
			if before == nil || before.Print == print {
				return nil, nil
			}
			detail := map[string]any{
				"alarmName": a.Name, "state": state, "previousState": json.RawMessage(before.State), "configuration": alarmConfiguration(a),
			}
			return []happening{newEvent(a.Scope, "aws.cloudwatch", "CloudWatch Alarm State Change", a.StateAt, detail, a.ARN())}, nil
		},
	}, true
}

func alarmState(a cloudwatch.Alarm) map[string]any {
	doc := map[string]any{"value": a.State, "reason": a.Reason, "timestamp": a.StateAt.UTC().Format("2006-01-02T15:04:05.000-0700")}
	if a.ReasonData != "" {
		doc["reasonData"] = a.ReasonData
	}
	return doc
}

func alarmConfiguration(a cloudwatch.Alarm) map[string]any {
	doc := map[string]any{}
	if a.Description != nil {
		doc["description"] = *a.Description
	}
	if a.Composite() {
		doc["alarmRule"] = a.Rule
		return doc
	}
	if len(a.Metrics) > 0 {
		doc["metrics"] = detailOf(a.Metrics)
		return doc
	}
	dimensions := map[string]string{}
	for _, d := range a.Dimensions {
		dimensions[val(d.Name)] = val(d.Value)
	}
	metric := map[string]any{"namespace": a.Namespace, "name": a.Metric, "dimensions": dimensions}
	doc["metrics"] = []any{map[string]any{
		"id": "m1", "metricStat": map[string]any{"metric": metric, "period": a.Period, "stat": a.Statistic}, "returnData": true,
	}}
	return doc
}
