package cloudwatch

import (
	"context"
	"encoding/json"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// DeleteAlarms deletes alarms: all of those named, or none when one does not
// exist.
func (s *Service) DeleteAlarms(ctx context.Context, in *cloudwatchapi.DeleteAlarmsInput) (*cloudwatchapi.DeleteAlarmsOutput, error) {
	now := s.Now()
	err := s.store.Update(func(tx *store.Tx) error {
		for _, name := range in.AlarmNames {
			a, err := Alarms.Get(tx, scopeOf(ctx).Key(name))
			if err != nil {
				return errNoAlarm(name)
			}
			Alarms.Delete(tx, Alarms.Key(a))
			configured(tx, a, now, "Delete")
		}
		// Histories of alarms that are long gone.
		for h := range histories.List(tx, scopeOf(ctx).Key("")) {
			if now.Sub(h.Items[0].At) > keptHistory {
				if _, err := Alarms.Get(tx, histories.Key(h)); err != nil {
					histories.Delete(tx, histories.Key(h))
				}
			}
		}
		return nil
	})
	return &cloudwatchapi.DeleteAlarmsOutput{}, err
}

// EnableAlarmActions lets alarms act.
func (s *Service) EnableAlarmActions(ctx context.Context, in *cloudwatchapi.EnableAlarmActionsInput) (*cloudwatchapi.EnableAlarmActionsOutput, error) {
	return &cloudwatchapi.EnableAlarmActionsOutput{}, s.act(ctx, in.AlarmNames, true)
}

// DisableAlarmActions keeps alarms from acting.
func (s *Service) DisableAlarmActions(ctx context.Context, in *cloudwatchapi.DisableAlarmActionsInput) (*cloudwatchapi.DisableAlarmActionsOutput, error) {
	return &cloudwatchapi.DisableAlarmActionsOutput{}, s.act(ctx, in.AlarmNames, false)
}

func (s *Service) act(ctx context.Context, names []string, enabled bool) error {
	now := s.Now()
	return s.store.Update(func(tx *store.Tx) error {
		for _, name := range names {
			a, err := Alarms.Get(tx, scopeOf(ctx).Key(name))
			if err != nil || a.ActionsEnabled == enabled {
				continue
			}
			a.ActionsEnabled, a.ConfiguredAt = enabled, now
			Alarms.Put(tx, a)
			configured(tx, a, now, "Update")
		}
		return nil
	})
}

// SetAlarmState sets a state until the next evaluation; its actions are done.
func (s *Service) SetAlarmState(ctx context.Context, in *cloudwatchapi.SetAlarmStateInput) (*cloudwatchapi.SetAlarmStateOutput, error) {
	data := val(in.StateReasonData)
	if data != "" && !json.Valid([]byte(data)) {
		return nil, formatError("StateReasonData was not valid JSON.")
	}
	now := s.Now()
	err := s.store.Update(func(tx *store.Tx) error {
		a, err := Alarms.Get(tx, scopeOf(ctx).Key(val(in.AlarmName)))
		if err != nil {
			return errNoAlarm(val(in.AlarmName))
		}
		transition(tx, a, in.StateValue, val(in.StateReason), data, now)
		return nil
	})
	return &cloudwatchapi.SetAlarmStateOutput{}, err
}
