package cloudformation

import (
	"encoding/json"
	"slices"
	"testing"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
)

// The types are public ones, and their schema says what an update does.
func TestTypes(t *testing.T) {
	quiet(t, func(s *story) {
		if out, err := s.svc.ListTypes(s.ctx, &api.ListTypesInput{}); err != nil || len(out.TypeSummaries) != 0 {
			t.Errorf("private types: %v %v", out, err)
		}
		var names []string
		in := &api.ListTypesInput{Visibility: "PUBLIC", MaxResults: new(int32(2)), Filters: &api.TypeFilters{TypeNamePrefix: new("T::")}}
		for {
			out, err := s.svc.ListTypes(s.ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			for _, sum := range out.TypeSummaries {
				names = append(names, *sum.TypeName)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		if !slices.Equal(names, []string{"T::Blocking", "T::Fixed", "T::Named", "T::Thing"}) {
			t.Errorf("types: %v", names)
		}
		out, err := s.svc.DescribeType(s.ctx, &api.DescribeTypeInput{Arn: new("arn:aws:cloudformation:us-east-1::type/resource/T-Thing")})
		if err != nil || out.ProvisioningType != "FULLY_MUTABLE" || out.Visibility != "PUBLIC" {
			t.Fatalf("type: %+v %v", out, err)
		}
		var schema struct {
			TypeName         string
			Properties       map[string]struct{ Type string }
			CreateOnly       []string `json:"createOnlyProperties"`
			ReadOnly         []string `json:"readOnlyProperties"`
			PrimaryIdentfier []string `json:"primaryIdentifier"`
		}
		if err := json.Unmarshal([]byte(*out.Schema), &schema); err != nil {
			t.Fatal(err)
		}
		if schema.Properties["Size"].Type != "integer" || !slices.Equal(schema.CreateOnly, []string{"/properties/Kind"}) ||
			!slices.Equal(schema.ReadOnly, []string{"/properties/ID", "/properties/Arn"}) || schema.PrimaryIdentfier[0] != "/properties/ID" {
			t.Errorf("schema: %s", *out.Schema)
		}
		if out, err := s.svc.DescribeType(s.ctx, &api.DescribeTypeInput{Type: "RESOURCE", TypeName: new("T::Fixed")}); err != nil || out.ProvisioningType != "IMMUTABLE" {
			t.Errorf("a type that cannot be updated: %+v %v", out, err)
		}
		if _, err := s.svc.DescribeType(s.ctx, &api.DescribeTypeInput{Type: "RESOURCE", TypeName: new("T::None")}); message(err) != "The type 'T::None' cannot be found." {
			t.Error(err)
		}
	})
}

// Events are told by operation, with what came of each.
func TestEventsByOperation(t *testing.T) {
	quiet(t, func(s *story) {
		made, err := s.svc.CreateStack(s.ctx, &api.CreateStackInput{StackName: new("web"), TemplateBody: new(oneThing)})
		if err != nil {
			t.Fatal(err)
		}
		s.wait()
		s.cloud.fails = map[string]string{"create B": "scripted"}
		changed, err := s.svc.UpdateStack(s.ctx, &api.UpdateStackInput{StackName: new("web"), TemplateBody: new("Resources:\n  A: {Type: T::Thing}\n  B: {Type: T::Thing}\n")})
		if err != nil {
			t.Fatal(err)
		}
		s.wait()
		for id, want := range map[string]struct {
			kind   api.OperationType
			status api.BeaconStackOperationStatus
		}{*made.OperationId: {"CREATE_STACK", "SUCCEEDED"}, *changed.OperationId: {"UPDATE_STACK", "FAILED"}} {
			out, err := s.svc.DescribeEvents(s.ctx, &api.DescribeEventsInput{OperationId: &id})
			if err != nil || len(out.OperationEvents) == 0 {
				t.Fatal(out, err)
			}
			if last := out.OperationEvents[0]; last.OperationType != want.kind || last.OperationStatus != want.status || last.EndTime == nil || last.StartTime == nil {
				t.Errorf("the last event: %+v", last)
			}
		}
		out, err := s.svc.DescribeEvents(s.ctx, &api.DescribeEventsInput{StackName: new("web"), Filters: &api.EventFilter{FailedEvents: new(true)}})
		if err != nil || !slices.ContainsFunc(out.OperationEvents, func(e api.OperationEvent) bool {
			return e.EventType == "PROVISIONING_ERROR" && deref(e.LogicalResourceId) == "B"
		}) || slices.ContainsFunc(out.OperationEvents, func(e api.OperationEvent) bool { return !isFailure(e) }) {
			t.Errorf("failed events: %+v %v", out, err)
		}
		if _, err := s.svc.CreateChangeSet(s.ctx, &api.CreateChangeSetInput{StackName: new("web"), ChangeSetName: new("same"), TemplateBody: new(oneThing)}); err != nil {
			t.Fatal(err)
		}
		out, err = s.svc.DescribeEvents(s.ctx, &api.DescribeEventsInput{StackName: new("web"), ChangeSetName: new("same")})
		if err != nil || len(out.OperationEvents) != 1 || out.OperationEvents[0].OperationStatus != "FAILED" || deref(out.OperationEvents[0].ResourceStatusReason) != noChanges {
			t.Errorf("events of a change set: %+v %v", out, err)
		}
		hooks, err := s.svc.DescribeChangeSetHooks(s.ctx, &api.DescribeChangeSetHooksInput{StackName: new("web"), ChangeSetName: new("same")})
		if err != nil || hooks.Status != "UNAVAILABLE" || hooks.Hooks == nil {
			t.Errorf("hooks: %+v %v", hooks, err)
		}
		if _, err := s.svc.DescribeEvents(s.ctx, &api.DescribeEventsInput{}); err == nil {
			t.Error("events of nothing in particular")
		}
	})
}
