package cloudwatch

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// PutCompositeAlarm makes a composite alarm or replaces all of it but its
// state.
func (s *Service) PutCompositeAlarm(ctx context.Context, in *cloudwatchapi.PutCompositeAlarmInput) (*cloudwatchapi.PutCompositeAlarmOutput, error) {
	if in.ActionsSuppressor != nil || in.ActionsSuppressorWaitPeriod != nil || in.ActionsSuppressorExtensionPeriod != nil {
		return nil, errRefused("An actions suppressor")
	}
	a := Alarm{
		Scope: scopeOf(ctx), Name: val(in.AlarmName), Description: in.AlarmDescription, ActionsEnabled: in.ActionsEnabled == nil || *in.ActionsEnabled,
		OKActions: in.OKActions, AlarmActions: in.AlarmActions, NoDataActions: in.InsufficientDataActions, Rule: val(in.AlarmRule),
	}
	_, names, ok := parseRule(a.Rule)
	if !ok {
		return nil, errValue("AlarmRule was not valid: %s", a.Rule)
	}
	if len(names) > 100 {
		return nil, errValue("AlarmRule must not have more than 100 children.")
	}
	if err := checkActions(a); err != nil {
		return nil, err
	}
	snap := s.store.Snapshot()
	var unknown []string
	for _, n := range names {
		if _, err := Alarms.Get(snap, a.Key(n)); err != nil && n != a.Name {
			unknown = append(unknown, n)
		}
	}
	if len(unknown) > 0 {
		return nil, errValue("Could not save the composite alarm as alarms [%s] in the alarm rule do not exist", strings.Join(unknown, ", "))
	}
	if reaches(snap, a, names, a.Name, map[string]bool{}) {
		return nil, errValue("Could not save the composite alarm as the alarm rule would create a cycle.")
	}
	return &cloudwatchapi.PutCompositeAlarmOutput{}, s.putAlarm(a, tagset.Of(in.Tags))
}

// reaches reports whether an alarm is among those named or what they depend on.
func reaches(r store.Reader, a Alarm, names []string, target string, seen map[string]bool) bool {
	for _, n := range names {
		if n == target {
			return true
		}
		child, err := Alarms.Get(r, a.Key(n))
		if err != nil || seen[n] {
			continue
		}
		if seen[n] = true; reaches(r, a, children(child), target, seen) {
			return true
		}
	}
	return false
}

// judge gives the state of a composite alarm, and its reason when that is
// another one than it has. An alarm that is gone has no data.
func judge(r store.Reader, a Alarm, now time.Time) (state cloudwatchapi.StateValue, why, data string) {
	rule, names, ok := parseRule(a.Rule)
	if !ok {
		return cloudwatchapi.StateValueInsufficientData, "The alarm rule is not valid.", ""
	}
	states := map[string]Alarm{}
	for _, n := range names {
		child, err := Alarms.Get(r, a.Key(n))
		if err != nil {
			child = Alarm{Scope: a.Scope, Name: n, State: cloudwatchapi.StateValueInsufficientData}
		}
		states[n] = child
	}
	state = cloudwatchapi.StateValueOk
	if rule(func(n string) cloudwatchapi.StateValue { return states[n].State }) {
		state = cloudwatchapi.StateValueAlarm
	}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	if len(names) == 0 {
		return state, "Unconditional alarm rule evaluated to " + string(state), ""
	}
	// The one that changed last brought it about.
	last := states[names[0]]
	type trigger struct {
		ARN   string            `json:"arn"`
		State map[string]string `json:"state"`
	}
	var triggers []trigger
	for _, n := range names {
		c := states[n]
		if c.TransitionedAt.After(last.TransitionedAt) {
			last = c
		}
		triggers = append(triggers, trigger{c.ARN(), map[string]string{"value": string(c.State), "timestamp": c.TransitionedAt.UTC().Format(dataTime)}})
	}
	if a.Reason == unchecked {
		why = fmt.Sprintf("%s was created and its alarm rule evaluates to %s", a.ARN(), state)
	} else {
		at := last.TransitionedAt
		if at.IsZero() {
			at = now
		}
		why = fmt.Sprintf("%s transitioned to %s at %s", last.ARN(), last.State, at.UTC().Format("Monday 02 January, 2006 15:04:05 MST"))
	}
	doc, err := json.Marshal(map[string]any{"triggeringAlarms": triggers})
	if err == nil && len(doc) <= maxReasonData {
		data = string(doc)
	}
	return state, why, data
}
