package ssm

import (
	"context"
	"testing"

	api "github.com/slipway-dev/slipway/api/ssmapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

func TestParametersOfStacks(t *testing.T) {
	w := newWorld(t)
	typ := w.service.Resources()[0]
	as := func(token string) context.Context {
		return cfn.With(w.ctx(), cfn.Request{
			StackID: "arn:aws:cloudformation:eu-central-1:123456789012:stack/Tap/1", StackName: "Tap", LogicalID: "Param", Token: token,
			Tags: map[string]string{cfn.TagStackID: "arn:aws:cloudformation:eu-central-1:123456789012:stack/Tap/1", cfn.TagLogicalID: "Param", "stack": "yes"},
		})
	}
	props := map[string]any{"Name": "/cdk-bootstrap/hnb659fds/version", "Type": "String", "Value": "33", "Tags": map[string]any{"team": "a"}}
	in, err := typ.Create(as("1"), props)
	if err != nil || in.ID != "/cdk-bootstrap/hnb659fds/version" {
		t.Fatal(in, err)
	}
	if _, err := typ.Create(as("1"), props); err != nil {
		t.Errorf("again after a crash: %v", err)
	}
	if _, err := typ.Create(w.ctx(), props); codeOf(err) != "ParameterAlreadyExists" {
		t.Errorf("somebody else's: %v", err)
	}
	if v, ok := typ.Attribute(in, "Value"); !ok || v != "33" {
		t.Errorf("Value is %v", v)
	}
	if in, err = typ.Update(as("2"), in, map[string]any{"Name": in.ID, "Type": "StringList", "Value": "a,b"}); err != nil {
		t.Fatal(err)
	}
	if in, err = typ.Update(as("3"), in, map[string]any{"Name": in.ID, "Type": "StringList", "Value": "a,c"}); err != nil {
		t.Fatal(err)
	}
	p := get(w, in.ID, false, "")
	if *p.Value != "a,c" || p.Type != api.ParameterTypeStringList || *p.Version != 2 {
		t.Errorf("%s %s version %d", *p.Value, p.Type, *p.Version)
	}
	tags := call[api.ListTagsForResourceOutput](w, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceType: "Parameter", ResourceId: &in.ID}, "")
	if len(tags.TagList) != 3 { // the stack's own and CloudFormation's two
		t.Errorf("%+v", tags.TagList)
	}
	now := map[string]any{"Name": in.ID, "Type": "StringList", "Value": "a,c"}
	if in, err = typ.Read(as("4"), in); err != nil {
		t.Fatal(err)
	}
	if d, err := typ.Drift(now, in, map[string]string{"stack": "yes"}); err != nil || len(d.Differences) != 0 {
		t.Errorf("%+v %v", d.Differences, err)
	}
	put(w, in.ID, "a,d", overwrite, "")
	if in, err = typ.Read(as("4"), in); err != nil {
		t.Fatal(err)
	}
	if d, err := typ.Drift(now, in, nil); err != nil || len(d.Differences) != 1 || d.Differences[0].Path != "/Value" {
		t.Errorf("%+v %v", d.Differences, err)
	}
	for range 2 {
		if err := typ.Delete(as("5"), in); err != nil {
			t.Fatal(err)
		}
	}
	get(w, in.ID, false, "ParameterNotFound")
	if _, err := typ.Create(as("6"), map[string]any{"Type": "SecureString", "Value": "x"}); codeOf(err) != "ValidationException" {
		t.Error(err)
	}
	if in, err = typ.Create(as("7"), map[string]any{"Type": "String", "Value": "x"}); err != nil || in.ID[:10] != "CFN-Param-" {
		t.Error(in.ID, err)
	}
}
