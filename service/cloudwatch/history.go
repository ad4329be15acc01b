package cloudwatch

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// How much history is kept: AWS keeps 30 days; so many events bound the row.
const (
	keptEvents  = 100
	keptHistory = 30 * 24 * time.Hour
)

// record adds to an alarm's history.
func record(tx *store.Tx, a Alarm, now time.Time, kind cloudwatchapi.HistoryItemType, summary string, data map[string]any) {
	h, err := histories.Get(tx, a.Key(a.Name))
	if err != nil {
		h = history{Scope: a.Scope, Alarm: a.Name}
	}
	doc, err := json.Marshal(data)
	if err != nil || len(doc) > 4095 {
		doc = []byte(`{"version":"1.0"}`)
	}
	items := []event{{ID: h.Next, At: now, Alarm: a.kind(), Type: kind, Summary: summary, Data: string(doc)}}
	for _, e := range h.Items {
		if len(items) < keptEvents && now.Sub(e.At) < keptHistory {
			items = append(items, e)
		}
	}
	h.Items = items
	h.Next++
	histories.Put(tx, h)
}

// transition writes a new state, its history, and the actions it owes.
func transition(tx *store.Tx, a Alarm, state cloudwatchapi.StateValue, why, data string, now time.Time) {
	before := stateDocument(a)
	old := a.State
	a.State, a.Reason, a.ReasonData, a.StateAt = state, why, data, now
	if state != old {
		a.TransitionedAt, a.Owed = now, nil
		if a.ActionsEnabled {
			a.Owed = slices.Clone(a.actions(state))
		}
		record(tx, a, now, cloudwatchapi.HistoryItemTypeStateUpdate, fmt.Sprintf("Alarm updated from %s to %s", old, state),
			map[string]any{"version": "1.0", "oldState": before, "newState": stateDocument(a)})
	}
	Alarms.Put(tx, a)
}

func stateDocument(a Alarm) map[string]any {
	doc := map[string]any{"stateValue": a.State, "stateReason": a.Reason}
	if a.ReasonData != "" && json.Valid([]byte(a.ReasonData)) {
		doc["stateReasonData"] = json.RawMessage(a.ReasonData)
	}
	return doc
}

// DescribeAlarmHistory lists what happened to alarms, also to deleted ones.
func (s *Service) DescribeAlarmHistory(ctx context.Context, in *cloudwatchapi.DescribeAlarmHistoryInput) (*cloudwatchapi.DescribeAlarmHistoryOutput, error) {
	type item struct {
		event
		name string
	}
	var found []item
	scope := scopeOf(ctx)
	for h := range histories.List(s.store.Snapshot(), scope.Key(val(in.AlarmName))) {
		if in.AlarmName != nil && h.Alarm != *in.AlarmName {
			continue
		}
		for _, e := range h.Items {
			if (in.HistoryItemType == "" || in.HistoryItemType == e.Type) && inTime(e.At, in.StartDate, in.EndDate) &&
				ofTypes(e.Alarm, in.AlarmTypes) && s.Now().Sub(e.At) < keptHistory {
				found = append(found, item{e, h.Alarm})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b item) int { return b.At.Compare(a.At) })
	if in.ScanBy == cloudwatchapi.ScanByTimestampAscending {
		slices.Reverse(found)
	}
	key := func(i item) string { return fmt.Sprintf("%s/%d", i.name, i.ID) }
	page, next, err := awsapi.Page(found, key, in.NextToken, int(val(in.MaxRecords)), 100)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchapi.DescribeAlarmHistoryOutput{AlarmHistoryItems: []cloudwatchapi.AlarmHistoryItem{}, NextToken: next}
	for _, i := range page {
		out.AlarmHistoryItems = append(out.AlarmHistoryItems, cloudwatchapi.AlarmHistoryItem{
			AlarmName: new(i.name), AlarmType: i.Alarm, Timestamp: new(i.At), HistoryItemType: i.Type,
			HistorySummary: new(i.Summary), HistoryData: new(i.Data),
		})
	}
	return out, nil
}

func inTime(at time.Time, start, end *time.Time) bool {
	return (start == nil || !at.Before(*start)) && (end == nil || !at.After(*end))
}

// ofTypes reports whether a type is asked for; nothing asked means metric
// alarms alone, as AWS has it.
func ofTypes(t cloudwatchapi.AlarmType, asked []cloudwatchapi.AlarmType) bool {
	if len(asked) == 0 {
		return t == cloudwatchapi.AlarmTypeMetricAlarm
	}
	return slices.Contains(asked, t)
}
