package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

const oneThing = "Resources:\n  A: {Type: T::Thing}\n"

func quiet(t *testing.T, test func(s *story)) {
	synctest.Test(t, func(t *testing.T) {
		s := newStory(t, nil)
		defer func() { s.stop() }()
		test(s)
	})
}

func message(err error) string {
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		return e.Message
	}
	return fmt.Sprint(err)
}

func TestRepeatedRequests(t *testing.T) {
	quiet(t, func(s *story) {
		create := &api.CreateStackInput{StackName: new("web"), TemplateBody: new(oneThing), ClientRequestToken: new("t1")}
		first, err := s.svc.CreateStack(s.ctx, create)
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.svc.CreateStack(s.ctx, create)
		if err != nil || *again.StackId != *first.StackId {
			t.Errorf("the same token: %v", err)
		}
		create.ClientRequestToken = new("t2")
		if _, err := s.svc.CreateStack(s.ctx, create); message(err) != "Stack [web] already exists" {
			t.Errorf("another token: %v", err)
		}
		s.wait()
		update := &api.UpdateStackInput{StackName: new("web"), TemplateBody: new(strings.Replace(oneThing, "A:", "B:", 1)), ClientRequestToken: new("u1")}
		if _, err := s.svc.UpdateStack(s.ctx, update); err != nil {
			t.Fatal(err)
		}
		if _, err := s.svc.UpdateStack(s.ctx, update); err != nil {
			t.Errorf("the same update again: %v", err)
		}
		s.wait()
		out, err := s.svc.DescribeStackEvents(s.ctx, &api.DescribeStackEventsInput{StackName: first.StackId})
		if err != nil || *out.StackEvents[0].ClientRequestToken != "u1" {
			t.Errorf("events: %v", err)
		}
	})
}

// A stack that is updated for years does not grow: events go after ninety
// days, templates with the deployment that had them.
func TestAnOldStackDoesNotGrow(t *testing.T) {
	quiet(t, func(s *story) {
		body := oneThing
		if _, err := s.svc.CreateStack(s.ctx, &api.CreateStackInput{StackName: new("web"), TemplateBody: &body}); err != nil {
			t.Fatal(err)
		}
		s.wait()
		for n := range 3 {
			time.Sleep(remembered / 2)
			body = strings.Replace(oneThing, "A:", fmt.Sprintf("B%d:", n), 1)
			if _, err := s.svc.UpdateStack(s.ctx, &api.UpdateStackInput{StackName: new("web"), TemplateBody: &body}); err != nil {
				t.Fatal(err)
			}
			s.wait()
		}
		first := time.Now()
		for e := range Events.List(s.store.Snapshot(), "") {
			if e.Time.Before(first) {
				first = e.Time
			}
		}
		if age := time.Since(first); age > remembered {
			t.Errorf("an event is kept for %s", age)
		}
		if n := len(slices.Collect(Templates.List(s.store.Snapshot(), ""))); n != 1 {
			t.Errorf("%d templates are kept", n)
		}
	})
}

func TestSecretsAreMasked(t *testing.T) {
	quiet(t, func(s *story) {
		body := "Parameters:\n  P: {Type: String, NoEcho: true}\nResources:\n  A: {Type: T::Thing, Properties: {Kind: !Ref P, Doc: {x: !Sub 'pre-${P}'}}}\n"
		if _, err := s.svc.CreateStack(s.ctx, &api.CreateStackInput{
			StackName: new("web"), TemplateBody: &body, Parameters: parameters([]string{`P=hu"sh`}),
		}); err != nil {
			t.Fatal(err)
		}
		s.wait()
		out, err := s.svc.DescribeStackEvents(s.ctx, &api.DescribeStackEventsInput{StackName: new("web")})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range out.StackEvents {
			if strings.Contains(deref(e.ResourceProperties), "sh") {
				t.Errorf("secret in %s", *e.ResourceProperties)
			}
		}
		if got := deref(out.StackEvents[1].ResourceProperties); got != `{"Doc":{"x":"pre-****"},"Kind":"****"}` {
			t.Errorf("properties %s", got)
		}
	})
}

func TestValidateTemplate(t *testing.T) {
	quiet(t, func(s *story) {
		s.svc.Fetch = nil
		body := "Description: d\nParameters:\n  P: {Type: String, Default: x, Description: pp}\nResources:\n  R: {Type: 'AWS::IAM::Role'}\n  A: {Type: T::Thing}\nMetadata: {a: 1}\n"
		v, err := s.svc.ValidateTemplate(s.ctx, &api.ValidateTemplateInput{TemplateBody: &body})
		if err != nil || *v.Description != "d" || len(v.Parameters) != 1 || v.Capabilities[0] != "CAPABILITY_IAM" ||
			*v.CapabilitiesReason != "The following resource(s) require capabilities: [AWS::IAM::Role]" {
			t.Errorf("%+v %v", v, err)
		}
		g, err := s.svc.GetTemplateSummary(s.ctx, &api.GetTemplateSummaryInput{TemplateBody: &body})
		if err != nil || !reflect.DeepEqual(g.ResourceTypes, []string{"AWS::IAM::Role", "T::Thing"}) || *g.Metadata != `{"a":1}` ||
			*g.Parameters[0].ParameterType != "String" || g.ResourceIdentifierSummaries[0].ResourceIdentifiers[0] != "RoleName" {
			t.Errorf("%+v %v", g, err)
		}
		for _, tt := range []struct {
			in   api.ValidateTemplateInput
			want string
		}{
			{api.ValidateTemplateInput{}, "Either Template URL or Template Body must be specified."},
			{api.ValidateTemplateInput{TemplateBody: new("{")}, "Template format error: JSON not well-formed. (line 1, column 2)"},
			{api.ValidateTemplateInput{TemplateURL: new("https://b.s3.amazonaws.com/k")}, "S3 error: TemplateURL https://b.s3.amazonaws.com/k cannot be read: " +
				"this engine has no S3 service yet. Pass it as TemplateBody."},
		} {
			if _, err := s.svc.ValidateTemplate(s.ctx, &tt.in); message(err) != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		}
	})
}

func TestWhatIsNotThereIsRefused(t *testing.T) {
	quiet(t, func(s *story) {
		for _, tt := range []struct {
			in   api.CreateStackInput
			want string
		}{
			{api.CreateStackInput{NotificationARNs: []string{"arn:x"}}, "NotificationARNs cannot be used: this engine has no SNS service."},
			{api.CreateStackInput{RollbackConfiguration: &api.RollbackConfiguration{RollbackTriggers: make([]api.RollbackTrigger, 1)}}, "Rollback triggers are not implemented by this engine."},
			{api.CreateStackInput{ResourceTypes: []string{"AWS::*"}}, "Resource type T::Thing is not allowed by parameter ResourceTypes [AWS::*]"},
			{api.CreateStackInput{OnFailure: "DELETE", DisableRollback: new(true)}, "You can specify either DisableRollback or OnFailure, but not both"},
			{api.CreateStackInput{Tags: tags([]string{"tag:aws:x=y"})}, "aws: prefixed tag key names are not allowed for external use."},
		} {
			tt.in.StackName, tt.in.TemplateBody = new("web"), new(oneThing)
			if _, err := s.svc.CreateStack(s.ctx, &tt.in); message(err) != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		}
	})
}

func TestBrokenHandlerFailsItsResource(t *testing.T) {
	quiet(t, func(s *story) {
		s.cloud.things = nil // a write to a nil map breaks the handler
		if _, err := s.svc.CreateStack(s.ctx, &api.CreateStackInput{StackName: new("web"), TemplateBody: new(oneThing), OnFailure: "DO_NOTHING"}); err != nil {
			t.Fatal(err)
		}
		s.wait()
		out, err := s.svc.DescribeStackResource(s.ctx, &api.DescribeStackResourceInput{StackName: new("web"), LogicalResourceId: new("A")})
		if err != nil || out.StackResourceDetail.ResourceStatus != "CREATE_FAILED" || !strings.Contains(*out.StackResourceDetail.ResourceStatusReason, "InternalFailure") {
			t.Errorf("%+v %v", out, err)
		}
		if _, err := s.svc.DescribeStackResource(s.ctx, &api.DescribeStackResourceInput{StackName: new("web"), LogicalResourceId: new("Z")}); message(err) != "Resource Z does not exist for stack web" {
			t.Errorf("%v", err)
		}
		all, err := s.svc.DescribeStackResources(s.ctx, &api.DescribeStackResourcesInput{StackName: new("web")})
		if err != nil || len(all.StackResources) != 1 {
			t.Errorf("%+v %v", all, err)
		}
	})
}

func TestTemplateSources(t *testing.T) {
	quiet(t, func(s *story) {
		s.svc.Fetch = func(_ context.Context, url string) (string, error) { return oneThing, nil }
		if _, err := s.svc.CreateStack(s.ctx, &api.CreateStackInput{StackName: new("url"), TemplateURL: new("https://b/k")}); err != nil {
			t.Fatal(err)
		}
		got, err := s.svc.GetTemplate(s.ctx, &api.GetTemplateInput{StackName: new("url")})
		if err != nil || *got.TemplateBody != oneThing {
			t.Errorf("template: %v", err)
		}
		big := oneThing + strings.Repeat("#", strictBody)
		if _, err := s.svc.ValidateTemplate(s.ctx, &api.ValidateTemplateInput{TemplateBody: &big}); err != nil {
			t.Errorf("no strict quotas: %v", err)
		}
		s.svc.StrictQuotas = true
		if _, err := s.svc.ValidateTemplate(s.ctx, &api.ValidateTemplateInput{TemplateBody: &big}); !strings.Contains(message(err), "less than or equal to 51200") {
			t.Errorf("strict quotas: %v", err)
		}
		s.wait()
	})
}

func TestStoredParameters(t *testing.T) {
	quiet(t, func(s *story) {
		body := "Parameters:\n  P: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /size}\nResources:\n  A: {Type: T::Thing, Properties: {Size: !Ref P}}\n"
		size := "3"
		s.svc.Config.Parameter = func(_ context.Context, _ arn.Scope, name string) (string, bool) { return size, name == "/size" }
		if _, err := s.svc.CreateStack(s.ctx, &api.CreateStackInput{StackName: new("web"), TemplateBody: &body}); err != nil {
			t.Fatal(err)
		}
		s.wait()
		size = "4" // the next update sees the new value
		if _, err := s.svc.UpdateStack(s.ctx, &api.UpdateStackInput{StackName: new("web"), UsePreviousTemplate: new(true)}); err != nil {
			t.Fatal(err)
		}
		s.wait()
		out, err := s.svc.DescribeStacks(s.ctx, &api.DescribeStacksInput{StackName: new("web")})
		if err != nil || *out.Stacks[0].Parameters[0].ResolvedValue != "4" || *out.Stacks[0].Parameters[0].ParameterValue != "/size" {
			t.Errorf("%+v %v", out, err)
		}
		if got := s.cloud.list(); len(got) != 1 || got[0] != "web/A size 4" {
			t.Errorf("cloud %v", got)
		}
	})
}

func TestScopesAreApart(t *testing.T) {
	quiet(t, func(s *story) {
		out, err := s.svc.CreateStack(s.ctx, &api.CreateStackInput{StackName: new("web"), TemplateBody: new(oneThing)})
		if err != nil {
			t.Fatal(err)
		}
		other := awsapi.WithCaller(context.Background(), awsapi.Caller{Scope: arn.Scope{Account: testScope.Account, Region: "eu-west-1"}})
		for _, name := range []*string{new("web"), out.StackId} {
			if _, err := s.svc.DescribeStacks(other, &api.DescribeStacksInput{StackName: name}); message(err) != "Stack with id "+*name+" does not exist" {
				t.Errorf("%s seen from another region: %v", *name, err)
			}
		}
		if _, err := s.svc.CreateStack(other, &api.CreateStackInput{StackName: new("web"), TemplateBody: new(oneThing)}); err != nil {
			t.Errorf("same name in another region: %v", err)
		}
		s.wait()
	})
}

func TestListsArePaged(t *testing.T) {
	quiet(t, func(s *story) {
		for i := range 120 {
			if _, err := s.svc.CreateStack(s.ctx, &api.CreateStackInput{StackName: new(fmt.Sprintf("s%d", i)), TemplateBody: new(oneThing)}); err != nil {
				t.Fatal(err)
			}
		}
		s.wait()
		seen := map[string]bool{}
		var token *string
		for page := 0; page == 0 || token != nil; page++ {
			out, err := s.svc.ListStacks(s.ctx, &api.ListStacksInput{NextToken: token, StackStatusFilter: []api.StackStatus{"CREATE_COMPLETE"}})
			if err != nil || page > 2 {
				t.Fatal(page, err)
			}
			for _, st := range out.StackSummaries {
				seen[*st.StackName] = true
			}
			token = out.NextToken
		}
		if len(seen) != 120 {
			t.Errorf("%d stacks", len(seen))
		}
	})
}

func TestTypesTwicePanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("two types of one name must panic")
		}
	}()
	typ := cfn.Of("T::Thing", things{newCloud()})
	New(Config{Types: []cfn.Type{typ, typ}})
}

// TestEventsHaveTimesOfTheirOwn holds what clients rely on that sort events by their time and know them by their id.
func TestEventsHaveTimesOfTheirOwn(t *testing.T) {
	quiet(t, func(s *story) { // the clock stands still in here
		body := "Resources:\n  A: {Type: T::Thing}\n  B: {Type: T::Thing}\n"
		made, err := s.svc.CreateStack(s.ctx, &api.CreateStackInput{StackName: new("web"), TemplateBody: &body})
		if err != nil {
			t.Fatal(err)
		}
		s.wait()
		out, err := s.svc.DescribeStackEvents(s.ctx, &api.DescribeStackEventsInput{StackName: made.StackId})
		if err != nil || len(out.StackEvents) != 8 {
			t.Fatalf("%d events, %v", len(out.StackEvents), err)
		}
		seen := map[string]bool{}
		for i, e := range out.StackEvents { // newest first
			if i > 0 && !e.Timestamp.Before(*out.StackEvents[i-1].Timestamp) {
				t.Errorf("%s at %s is followed by %s at %s", e.ResourceStatus, e.Timestamp, out.StackEvents[i-1].ResourceStatus, out.StackEvents[i-1].Timestamp)
			}
			if seen[*e.EventId] {
				t.Errorf("event id %s twice", *e.EventId)
			}
			seen[*e.EventId] = true
		}
	})
}
