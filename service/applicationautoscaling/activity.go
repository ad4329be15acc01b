package applicationautoscaling

import (
	"context"
	"fmt"
	"slices"
	"time"

	api "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/ecs"
)

// How many activities of a target are kept, and how long: AWS keeps six weeks.
const (
	keptActivities = 100
	keptActivity   = 6 * 7 * 24 * time.Hour
)

// set sets the desired count and begins the activity that tells of it; one
// that is in progress is overridden. It writes the target.
func (t Target) set(tx *store.Tx, desired int, cause string, now time.Time, id string) error {
	cluster, name := t.service()
	if err := ecs.SetDesiredCount(tx, t.Scope, cluster, name, desired); err != nil {
		return err
	}
	t.end(tx, api.ScalingActivityStatusCodeOverridden, "was overridden by a newer scaling activity", now)
	t.Open = t.record(tx, activity{
		ID: id, Description: fmt.Sprintf("Setting desired count to %d.", desired), Cause: cause, StartedAt: now,
		Status: api.ScalingActivityStatusCodeInProgress, Desired: desired,
		Message: fmt.Sprintf("Successfully set desired count to %d. Waiting for change to be fulfilled by ecs.", desired),
	})
	Targets.Put(tx, t)
	return nil
}

// record adds an activity and returns its number.
func (t *Target) record(tx *store.Tx, a activity) int {
	t.Last++
	a.Scaled, a.N = t.Scaled, t.Last
	activities.Put(tx, a)
	activities.Delete(tx, activityKey(t.key(), t.Last-keptActivities))
	return a.N
}

// end ends the activity that is in progress, if there is one.
func (t *Target) end(tx *store.Tx, status api.ScalingActivityStatusCode, how string, now time.Time) {
	if a, err := activities.Get(tx, activityKey(t.key(), t.Open)); err == nil && a.Status == api.ScalingActivityStatusCodeInProgress {
		a.Status, a.EndedAt = status, &now
		a.Message = fmt.Sprintf("Successfully set desired count to %d. Change %s.", a.Desired, how)
		activities.Put(tx, a)
	}
	t.Open = 0
}

// refuse records that nothing was done and why, but not the same again and
// again: an alarm that stays calls every minute.
func (t *Target) refuse(tx *store.Tx, cause string, why api.NotScaledReason, now time.Time, id string) {
	last, err := activities.Get(tx, activityKey(t.key(), t.Last))
	if err == nil && last.NotScaled != nil && last.Cause == cause && *last.NotScaled.Code == *why.Code {
		return
	}
	t.record(tx, activity{
		ID: id, Description: "Attempting to scale due to alarm triggered", Cause: cause, StartedAt: now, EndedAt: &now,
		Status: api.ScalingActivityStatusCodeFailed, NotScaled: &why,
	})
}

// lastActivity is the number of the last activity of what may have been a
// target before.
func lastActivity(r store.Reader, k Scaled) (n int) {
	for a := range activities.List(r, k.key()+"/") {
		n = a.N
	}
	return n
}

// forgetOld removes the activities of a scope that are older than AWS keeps
// them; those of live targets are bounded anyway.
func forgetOld(tx *store.Tx, sc arn.Scope, now time.Time) {
	for a := range activities.List(tx, sc.Key("")) {
		if now.Sub(a.StartedAt) > keptActivity {
			activities.Delete(tx, activities.Key(a))
		}
	}
}

// DescribeScalingActivities tells what was done, newest first; what was not
// done and why only when asked.
func (s *Service) DescribeScalingActivities(ctx context.Context, in *api.DescribeScalingActivitiesInput) (*api.DescribeScalingActivitiesOutput, error) {
	if in.ScalableDimension != "" && in.ResourceId == nil {
		return nil, errNeedsID
	}
	var found []activity
	for a := range activities.List(s.store.Snapshot(), scopeOf(ctx).Key(string(in.ServiceNamespace), "")) {
		if asked(a.Scaled, in.ResourceId, in.ScalableDimension) && (a.NotScaled == nil || val(in.IncludeNotScaledActivities)) && s.Now().Sub(a.StartedAt) < keptActivity {
			found = append(found, a)
		}
	}
	slices.SortStableFunc(found, func(a, b activity) int {
		if c := b.StartedAt.Compare(a.StartedAt); c != 0 {
			return c
		}
		return b.N - a.N
	})
	page, next, err := awsapi.Page(found, activities.Key, in.NextToken, int(val(in.MaxResults)), pageSize)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeScalingActivitiesOutput{ScalingActivities: []api.ScalingActivity{}, NextToken: next}
	for _, a := range page {
		one := api.ScalingActivity{
			ActivityId: new(a.ID), ServiceNamespace: a.Namespace, ResourceId: new(a.ResourceID), ScalableDimension: a.Dimension,
			Description: new(a.Description), Cause: new(a.Cause), StartTime: new(a.StartedAt), EndTime: a.EndedAt, StatusCode: a.Status,
		}
		if a.Message != "" {
			one.StatusMessage = new(a.Message)
		}
		if a.NotScaled != nil {
			one.NotScaledReasons = []api.NotScaledReason{*a.NotScaled}
		}
		out.ScalingActivities = append(out.ScalingActivities, one)
	}
	return out, nil
}
