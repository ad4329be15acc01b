package cloudformation

import (
	"testing"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
)

// drift detects the drift of a stack, or of some of its resources, and prints what was found.
func (s *story) drift(args []string) {
	made, err := s.svc.DetectStackDrift(s.ctx, &api.DetectStackDriftInput{StackName: &args[0], LogicalResourceIds: args[1:]})
	if err != nil {
		s.fail(err)
		return
	}
	out, err := s.svc.DescribeStackDriftDetectionStatus(s.ctx, &api.DescribeStackDriftDetectionStatusInput{StackDriftDetectionId: made.StackDriftDetectionId})
	s.fail(err)
	s.printf("%s %s %d %s", out.DetectionStatus, out.StackDriftStatus, *out.DriftedStackResourceCount, deref(out.DetectionStatusReason))
	drifts, err := s.svc.DescribeStackResourceDrifts(s.ctx, &api.DescribeStackResourceDriftsInput{StackName: &args[0]})
	s.fail(err)
	for _, d := range drifts.StackResourceDrifts {
		s.printf("  %s %s %s", *d.LogicalResourceId, d.StackResourceDriftStatus, deref(d.DriftStatusReason))
		if d.StackResourceDriftStatus == "MODIFIED" {
			s.printf("    expected %s", s.clean(*d.ExpectedProperties))
			s.printf("    actual   %s", s.clean(*d.ActualProperties))
		}
		for _, p := range d.PropertyDifferences {
			s.printf("    %s %s: %s -> %s", p.DifferenceType, *p.PropertyPath, s.clean(*p.ExpectedValue), s.clean(*p.ActualValue))
		}
	}
}

func TestDriftOfOneResource(t *testing.T) {
	quiet(t, func(s *story) {
		body := "Resources:\n  A: {Type: T::Thing, Properties: {Size: 1}}\n  M: {Type: 'AWS::CDK::Metadata'}\n"
		if _, err := s.svc.CreateStack(s.ctx, &api.CreateStackInput{StackName: new("web"), TemplateBody: &body}); err != nil {
			t.Fatal(err)
		}
		detect := func(id string) (*api.DetectStackResourceDriftOutput, error) {
			return s.svc.DetectStackResourceDrift(s.ctx, &api.DetectStackResourceDriftInput{StackName: new("web"), LogicalResourceId: &id})
		}
		st, _ := find(s.ctx, s.store.Snapshot(), "web")
		if _, err := detect("A"); message(err) != "Drift detection cannot be performed on stack ["+st.ID+"] while it is in [CREATE_IN_PROGRESS] state" {
			t.Errorf("during the creation: %v", err)
		}
		s.wait()
		_, row := s.cloud.find("A")
		row.size = "2"
		out, err := detect("A")
		if err != nil || out.StackResourceDrift.StackResourceDriftStatus != "MODIFIED" || len(out.StackResourceDrift.PropertyDifferences) != 1 {
			t.Errorf("%+v %v", out, err)
		}
		described, err := s.svc.DescribeStackResource(s.ctx, &api.DescribeStackResourceInput{StackName: new("web"), LogicalResourceId: new("A")})
		if info := described.StackResourceDetail.DriftInformation; err != nil || info.StackResourceDriftStatus != "MODIFIED" || info.LastCheckTimestamp == nil {
			t.Errorf("%+v %v", info, err)
		}
		stacks, err := s.svc.DescribeStacks(s.ctx, &api.DescribeStacksInput{StackName: new("web")})
		if err != nil || stacks.Stacks[0].DriftInformation.StackDriftStatus != "DRIFTED" {
			t.Errorf("%+v %v", stacks, err)
		}
		for id, want := range map[string]string{
			"M": "Drift detection is not supported for the specified ResourceType: AWS::CDK::Metadata",
			"Z": "Resource Z does not exist for stack web",
		} {
			if _, err := detect(id); message(err) != want {
				t.Errorf("%s: %v", id, err)
			}
		}
		if _, err := s.svc.DescribeStackDriftDetectionStatus(s.ctx, &api.DescribeStackDriftDetectionStatusInput{StackDriftDetectionId: new("no")}); message(err) != "DriftDetectionId [no] does not exist" {
			t.Error(err)
		}
	})
}
