package cloudformation

import (
	"context"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// DetectStackDrift compares a stack's resources with what became of them. It is done when the call returns; AWS answers first and looks then.
func (s *Service) DetectStackDrift(ctx context.Context, in *api.DetectStackDriftInput) (*api.DetectStackDriftOutput, error) {
	r := s.Store.Snapshot()
	st, err := find(ctx, r, deref(in.StackName))
	if err != nil {
		return nil, err
	}
	if err := checkDetectable(st); err != nil {
		return nil, err
	}
	var missing []string
	for _, id := range in.LogicalResourceIds {
		if row, err := Resources.Get(r, st.Key()+"/"+id); err != nil || row.PhysicalID == "" {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		return nil, invalid("Resources [%s] do not exist for stack %s", strings.Join(missing, ", "), st.Name)
	}
	var rows []Resource
	for row := range Resources.List(r, st.Key()+"/") {
		if row.PhysicalID != "" && (len(in.LogicalResourceIds) == 0 || slices.Contains(in.LogicalResourceIds, row.LogicalID)) {
			rows = append(rows, row)
		}
	}
	found := s.detect(ctx, st, rows)
	run := Detection{Stack: st.Key(), ID: newID(), Status: "DETECTION_COMPLETE"}
	var failed []string
	for _, d := range found {
		if d.Status == "UNKNOWN" {
			failed = append(failed, d.LogicalID)
		}
	}
	if len(failed) > 0 {
		run.Status, run.Reason = "DETECTION_FAILED", "Failed to detect drift on resource ["+strings.Join(failed, ", ")+"]"
	}
	if err := s.record(st, found, &run); err != nil {
		return nil, err
	}
	return &api.DetectStackDriftOutput{StackDriftDetectionId: &run.ID}, nil
}

// DetectStackResourceDrift compares one resource with what became of it.
func (s *Service) DetectStackResourceDrift(ctx context.Context, in *api.DetectStackResourceDriftInput) (*api.DetectStackResourceDriftOutput, error) {
	r := s.Store.Snapshot()
	st, err := find(ctx, r, deref(in.StackName))
	if err != nil {
		return nil, err
	}
	if err := checkDetectable(st); err != nil {
		return nil, err
	}
	row, err := Resources.Get(r, st.Key()+"/"+deref(in.LogicalResourceId))
	if err != nil || row.PhysicalID == "" {
		return nil, invalid("Resource %s does not exist for stack %s", deref(in.LogicalResourceId), st.Name)
	}
	found := s.detect(ctx, st, []Resource{row})
	switch found[0].Status {
	case "NOT_CHECKED":
		return nil, invalid("Drift detection is not supported for the specified ResourceType: %s", row.Type)
	case "UNKNOWN":
		return nil, invalid("%s", found[0].Reason)
	}
	if err := s.record(st, found, nil); err != nil {
		return nil, err
	}
	return &api.DetectStackResourceDriftOutput{StackResourceDrift: new(driftOut(st, found[0]))}, nil
}

// DescribeStackDriftDetectionStatus tells how a detection ended.
func (s *Service) DescribeStackDriftDetectionStatus(
	ctx context.Context, in *api.DescribeStackDriftDetectionStatusInput,
) (*api.DescribeStackDriftDetectionStatusOutput, error) {
	r := s.Store.Snapshot()
	for run := range Detections.List(r, awsapi.CallerOf(ctx).Scope.Key("")) {
		if run.ID != deref(in.StackDriftDetectionId) {
			continue
		}
		st, err := Stacks.Get(r, run.Stack)
		if err != nil {
			return nil, err
		}
		return &api.DescribeStackDriftDetectionStatusOutput{
			StackId: &st.ID, StackDriftDetectionId: &run.ID, StackDriftStatus: api.StackDriftStatus(run.Drift), Timestamp: &run.At,
			DetectionStatus: api.StackDriftDetectionStatus(run.Status), DetectionStatusReason: optional(run.Reason), DriftedStackResourceCount: new(int32(run.Count)),
		}, nil
	}
	return nil, invalid("DriftDetectionId [%s] does not exist", deref(in.StackDriftDetectionId))
}

// DescribeStackResourceDrifts lists what the last detections found.
func (s *Service) DescribeStackResourceDrifts(ctx context.Context, in *api.DescribeStackResourceDriftsInput) (*api.DescribeStackResourceDriftsOutput, error) {
	r := s.Store.Snapshot()
	st, err := find(ctx, r, deref(in.StackName))
	if err != nil {
		return nil, err
	}
	filters := in.StackResourceDriftStatusFilters
	all := slices.DeleteFunc(slices.Collect(Drifts.List(r, st.Key()+"/")), func(d Drift) bool {
		return len(filters) > 0 && !slices.Contains(filters, api.StackResourceDriftStatus(d.Status))
	})
	page, next, err := awsapi.Page(all, Drifts.Key, in.NextToken, int(deref(in.MaxResults)), pageSize)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeStackResourceDriftsOutput{NextToken: next, StackResourceDrifts: []api.StackResourceDrift{}}
	for _, d := range page {
		out.StackResourceDrifts = append(out.StackResourceDrifts, driftOut(st, d))
	}
	return out, nil
}

func driftOut(st Stack, d Drift) api.StackResourceDrift {
	out := api.StackResourceDrift{
		StackId: &st.ID, LogicalResourceId: &d.LogicalID, PhysicalResourceId: &d.PhysicalID, ResourceType: &d.Type, Timestamp: &d.At,
		StackResourceDriftStatus: api.StackResourceDriftStatus(d.Status), DriftStatusReason: optional(d.Reason),
		ExpectedProperties: optional(d.Expected), ActualProperties: optional(d.Actual), PropertyDifferences: []api.PropertyDifference{},
	}
	for _, p := range d.Differences {
		out.PropertyDifferences = append(out.PropertyDifferences, api.PropertyDifference{
			PropertyPath: &p.Path, ExpectedValue: &p.Expected, ActualValue: &p.Actual, DifferenceType: api.DifferenceType(p.Kind),
		})
	}
	return out
}

// driftOf is what descriptions of a resource say of its drift.
func driftOf(r store.Reader, row Resource) *api.StackResourceDriftInformation {
	d, err := Drifts.Get(r, Resources.Key(row))
	if err != nil || d.Status == "NOT_CHECKED" {
		return &api.StackResourceDriftInformation{StackResourceDriftStatus: "NOT_CHECKED"}
	}
	return &api.StackResourceDriftInformation{StackResourceDriftStatus: api.StackResourceDriftStatus(d.Status), LastCheckTimestamp: &d.At}
}

func orNotChecked(status string) string {
	if status == "" {
		return "NOT_CHECKED"
	}
	return status
}
