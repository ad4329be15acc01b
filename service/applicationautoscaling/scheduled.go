package applicationautoscaling

import (
	"context"
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // the zones of users, also where the system has none

	api "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/control/scaling"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// maxActions is how many scheduled actions a target may have (Application Auto
// Scaling quotas).
const maxActions = 200

// PutScheduledAction makes a scheduled action or changes what the request names.
func (s *Service) PutScheduledAction(ctx context.Context, in *api.PutScheduledActionInput) (*api.PutScheduledActionOutput, error) {
	k, err := scaledOf(ctx, in.ServiceNamespace, in.ResourceId, in.ScalableDimension)
	if err != nil {
		return nil, err
	}
	id, now := uuid(ctx), s.Now().UTC()
	return &api.PutScheduledActionOutput{}, s.store.Update(func(tx *store.Tx) error {
		if _, err := Targets.Get(tx, k.key()); err != nil {
			return errNoTarget(k)
		}
		a := action{Scaled: k, Name: *in.ScheduledActionName, ID: id, CreatedAt: now, Ran: now}
		if old, err := actions.Get(tx, actions.Key(a)); err == nil {
			a = old
			a.Ran = a.clock(now, s.Speed) // a new schedule is not due for the past
		} else if len(slices.Collect(actions.List(tx, k.key()+"/"))) >= maxActions {
			return errLimit("scheduled actions", maxActions)
		}
		if err := a.change(in); err != nil {
			return err
		}
		actions.Put(tx, a)
		return nil
	})
}

func (a *action) change(in *api.PutScheduledActionInput) error {
	if in.Schedule != nil {
		a.Schedule = *in.Schedule
	}
	if in.Timezone != nil {
		a.Timezone = *in.Timezone
	}
	if in.StartTime != nil {
		a.Start = in.StartTime
	}
	if in.EndTime != nil {
		a.End = in.EndTime
	}
	if t := in.ScalableTargetAction; t != nil {
		a.Min, a.Max = t.MinCapacity, t.MaxCapacity
	}
	switch {
	case a.Schedule == "":
		return errValidation("Schedule must be specified for a new scheduled action.")
	case a.Min == nil && a.Max == nil:
		return errValidation("At least one of MinCapacity and MaxCapacity must be specified in the scalable target action.")
	case val(a.Min) < 0 || val(a.Max) < 0:
		return errNegative
	case a.Min != nil && a.Max != nil && *a.Max < *a.Min:
		return errCrossed
	case a.Start != nil && a.End != nil && !a.Start.Before(*a.End):
		return errValidation("Start time must be before end time.")
	}
	_, err := a.schedule()
	return err
}

func (a action) schedule() (scaling.Schedule, error) {
	zone, err := time.LoadLocation(a.Timezone) // empty: UTC
	if err != nil || a.Timezone == "Local" {
		return scaling.Schedule{}, errValidation("The time zone %s is not valid.", a.Timezone)
	}
	out, err := scaling.ParseSchedule(a.Schedule, zone)
	if err != nil {
		return out, errValidation("The schedule expression is not valid: %s", err)
	}
	return out, nil
}

// clock is the time by which the action runs: it goes at the clock's speed
// from when the action was made.
func (a action) clock(now time.Time, speed float64) time.Time {
	return a.CreatedAt.Add(time.Duration(float64(now.Sub(a.CreatedAt)) * speed))
}

// due is when the action is due next, by its clock; zero when never again.
func (a action) due() time.Time {
	schedule, err := a.schedule()
	if err != nil { // it was checked
		return time.Time{}
	}
	anchor, after := a.CreatedAt, a.Ran
	if a.Start != nil {
		anchor = *a.Start
		if before := a.Start.Add(-time.Nanosecond); before.After(after) {
			after = before
		}
	}
	at := schedule.Next(anchor, after)
	if a.End != nil && at.After(*a.End) {
		return time.Time{}
	}
	return at
}

// run sets the bounds of the target. It writes the target.
func (a action) run(tx *store.Tx, t Target, now time.Time, ids [2]string) error {
	what := ""
	if a.Min != nil {
		t.Min, what = int(*a.Min), fmt.Sprintf("min capacity to %d", *a.Min)
	}
	if a.Max != nil {
		t.Max = int(*a.Max)
		if what != "" {
			what += " and "
		}
		what += fmt.Sprintf("max capacity to %d", *a.Max)
	}
	one := activity{
		ID: ids[0], Description: "Setting " + what, Cause: "scheduled action name " + a.Name + " was triggered", StartedAt: now, EndedAt: &now,
		Status: api.ScalingActivityStatusCodeSuccessful, Message: "Successfully set " + what,
	}
	if t.Max < t.Min { // against the bound that the action does not name
		one.Status, one.Message = api.ScalingActivityStatusCodeFailed, "Failed to set "+what+". "+errCrossed.Message
		old, err := Targets.Get(tx, t.key())
		if err != nil {
			return err
		}
		old.record(tx, one)
		Targets.Put(tx, old)
		return nil
	}
	t.record(tx, one)
	return t.clamp(tx, now, ids[1])
}

// DeleteScheduledAction deletes a scheduled action.
func (s *Service) DeleteScheduledAction(ctx context.Context, in *api.DeleteScheduledActionInput) (*api.DeleteScheduledActionOutput, error) {
	k, err := scaledOf(ctx, in.ServiceNamespace, in.ResourceId, in.ScalableDimension)
	if err != nil {
		return nil, err
	}
	return &api.DeleteScheduledActionOutput{}, s.store.Update(func(tx *store.Tx) error {
		if !actions.Delete(tx, k.key()+"/"+*in.ScheduledActionName) {
			return errNoAction(k, *in.ScheduledActionName)
		}
		return nil
	})
}

// DescribeScheduledActions lists the scheduled actions of a namespace.
func (s *Service) DescribeScheduledActions(ctx context.Context, in *api.DescribeScheduledActionsInput) (*api.DescribeScheduledActionsOutput, error) {
	if in.ScalableDimension != "" && in.ResourceId == nil {
		return nil, errNeedsID
	}
	var found []action
	for a := range actions.List(s.store.Snapshot(), scopeOf(ctx).Key(string(in.ServiceNamespace), "")) {
		if asked(a.Scaled, in.ResourceId, in.ScalableDimension) && (len(in.ScheduledActionNames) == 0 || slices.Contains(in.ScheduledActionNames, a.Name)) {
			found = append(found, a)
		}
	}
	page, next, err := awsapi.Page(found, actions.Key, in.NextToken, int(val(in.MaxResults)), pageSize)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeScheduledActionsOutput{ScheduledActions: []api.ScheduledAction{}, NextToken: next}
	for _, a := range page {
		one := api.ScheduledAction{
			ScheduledActionName: new(a.Name), ScheduledActionARN: new(a.ARN()), ServiceNamespace: a.Namespace, Schedule: new(a.Schedule),
			ResourceId: new(a.ResourceID), ScalableDimension: a.Dimension, StartTime: a.Start, EndTime: a.End, CreationTime: new(a.CreatedAt),
			ScalableTargetAction: &api.ScalableTargetAction{MinCapacity: a.Min, MaxCapacity: a.Max},
		}
		if a.Timezone != "" {
			one.Timezone = new(a.Timezone)
		}
		out.ScheduledActions = append(out.ScheduledActions, one)
	}
	return out, nil
}
