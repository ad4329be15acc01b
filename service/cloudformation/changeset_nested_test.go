package cloudformation

import (
	"context"
	"slices"
	"strings"
	"testing"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
)

const (
	nestedOuter = `
Parameters: {Size: {Type: String, Default: '1'}}
Resources:
  Net: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: 's3://middle', Parameters: {Size: !Ref Size}}}
`
	nestedMiddle = `
Parameters: {Size: {Type: String}}
Resources:
  Deep: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: 's3://inner', Parameters: {Size: !Ref Size}}}
`
	nestedInner = `
Parameters: {Size: {Type: String}}
Resources:
  A: {Type: T::Thing, Properties: {Size: !Ref Size}}
`
)

// A change set goes into the stacks nested in its stack: each has one of its own, which is executed with the root's, from the template as it was then.
func TestNestedChangeSets(t *testing.T) {
	quiet(t, func(s *story) {
		files := map[string]string{"s3://middle": nestedMiddle, "s3://inner": nestedInner}
		s.svc.Fetch = func(_ context.Context, url string) (string, error) { return files[url], nil }
		if _, err := s.svc.CreateStack(s.ctx, &api.CreateStackInput{StackName: new("web"), TemplateBody: new(nestedOuter)}); err != nil {
			t.Fatal(err)
		}
		s.wait()
		create := func(name, size string) {
			t.Helper()
			_, err := s.svc.CreateChangeSet(s.ctx, &api.CreateChangeSetInput{
				StackName: new("web"), ChangeSetName: &name, TemplateBody: new(nestedOuter), IncludeNestedStacks: new(true),
				Parameters: []api.Parameter{{ParameterKey: new("Size"), ParameterValue: &size}},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		describe := func(id string, stack *string) *api.DescribeChangeSetOutput {
			t.Helper()
			out, err := s.svc.DescribeChangeSet(s.ctx, &api.DescribeChangeSetInput{ChangeSetName: &id, StackName: stack})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		create("grow", "2")
		root := describe("grow", new("web"))
		middle := describe(deref(root.Changes[0].ResourceChange.ChangeSetId), nil)
		inner := describe(deref(middle.Changes[0].ResourceChange.ChangeSetId), nil)
		if root.ParentChangeSetId != nil || deref(middle.ParentChangeSetId) != *root.ChangeSetId || deref(middle.RootChangeSetId) != *root.ChangeSetId ||
			deref(inner.ParentChangeSetId) != *middle.ChangeSetId || deref(inner.RootChangeSetId) != *root.ChangeSetId {
			t.Errorf("root %+v\nmiddle %+v\ninner %+v", root, middle, inner)
		}
		if c := inner.Changes[0].ResourceChange; *c.LogicalResourceId != "A" || c.Action != "Modify" {
			t.Errorf("inner change: %+v", c)
		}
		if _, err := s.svc.ExecuteChangeSet(s.ctx, &api.ExecuteChangeSetInput{ChangeSetName: inner.ChangeSetId}); err == nil || !strings.Contains(message(err), *root.ChangeSetId) {
			t.Errorf("a nested one by itself: %v", err)
		}
		if _, err := s.svc.DeleteChangeSet(s.ctx, &api.DeleteChangeSetInput{ChangeSetName: new("grow"), StackName: new("web")}); err != nil {
			t.Fatal(err)
		}
		none := func(when string) {
			t.Helper()
			left := slices.DeleteFunc(slices.Collect(ChangeSets.List(s.store.Snapshot(), "")), func(cs ChangeSet) bool { return cs.ExecutionStatus == "EXECUTE_COMPLETE" })
			if len(left) > 0 {
				t.Errorf("%s there are %d change sets, %s", when, len(left), left[0].Name)
			}
		}
		none("after the deletion of the root")

		create("again", "3")
		files["s3://inner"] = strings.Replace(nestedInner, "  A:", "  B:", 1) // too late for this change set
		if _, err := s.svc.ExecuteChangeSet(s.ctx, &api.ExecuteChangeSetInput{ChangeSetName: new("again"), StackName: new("web")}); err != nil {
			t.Fatal(err)
		}
		s.wait()
		if _, a := s.cloud.find("A"); a.size != "3" {
			t.Errorf("things: %v", s.cloud.list())
		}
		if _, b := s.cloud.find("B"); b.size != "" {
			t.Errorf("a template that came later was deployed: %v", s.cloud.list())
		}
		none("after the execution")
	})
}
