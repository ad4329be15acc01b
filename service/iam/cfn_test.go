package iam

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	api "github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// stack calls resource types as the stack engine does.
type stack struct {
	*world
	types map[string]cfn.Type
}

func newStack(t *testing.T) *stack {
	s := &stack{world: newWorld(t), types: map[string]cfn.Type{}}
	for _, typ := range s.service.Resources() {
		s.types[typ.Name()] = typ
	}
	return s
}

func (s *stack) ctx(logical string) context.Context {
	ctx := awsapi.WithToken(awsapi.WithCaller(s.t.Context(), awsapi.Caller{Scope: arn.Scope{Account: own, Region: "eu-central-1"}}), logical)
	return cfn.With(ctx, cfn.Request{
		StackID: "stack", StackName: "dev", LogicalID: logical, Token: logical,
		Tags: map[string]string{cfn.TagStackID: "stack", cfn.TagLogicalID: logical, "env": "dev"},
	})
}

func (s *stack) create(typ, logical, properties string) cfn.Instance {
	s.t.Helper()
	in, err := s.types["AWS::IAM::"+typ].Create(s.ctx(logical), object(s.t, properties))
	if err != nil {
		s.t.Fatalf("%s: %v", logical, err)
	}
	return in
}

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

const execution = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"

func TestRolesOfAStack(t *testing.T) {
	s := newStack(t)
	role := s.types["AWS::IAM::Role"]
	properties := `{"AssumeRolePolicyDocument":` + trust + `,"ManagedPolicyArns":["` + execution + `"],"Policies":[{"PolicyName":"logs","PolicyDocument":` + allow + `}],"Tags":[{"Key":"team","Value":"a"}]}`
	in := s.create("Role", "TaskRole", properties)
	again := s.create("Role", "TaskRole", properties)
	if in.ID != again.ID || !strings.HasPrefix(in.ID, "dev-TaskRole-") {
		t.Errorf("%s, then %s after a crash", in.ID, again.ID)
	}
	if a, ok := role.Attribute(in, "Arn"); !ok || a != "arn:aws:iam::123456789012:role/"+in.ID {
		t.Errorf("Arn is %v", a)
	}
	row, err := GetRole(s.store.Snapshot(), own, in.ID)
	if err != nil || row.Tags["env"] != "dev" || row.Tags["team"] != "a" || len(row.Attached) != 1 || len(row.Inline) != 1 {
		t.Fatalf("%+v %v", row, err)
	}

	in, err = role.Update(s.ctx("TaskRole"), in, object(t, `{"AssumeRolePolicyDocument":`+trust+`,"Description":"new","Policies":[{"PolicyName":"other","PolicyDocument":`+allow+`}]}`))
	if err != nil {
		t.Fatal(err)
	}
	row, _ = GetRole(s.store.Snapshot(), own, in.ID)
	if row.Description != "new" || len(row.Attached) != 0 || row.Inline["other"] == "" || row.Inline["logs"] != "" || row.Tags["team"] != "" {
		t.Errorf("%+v", row)
	}

	policy := s.create("Policy", "Inline", `{"PolicyName":"extra","PolicyDocument":`+allow+`,"Roles":["`+in.ID+`"]}`)
	managed := s.create("ManagedPolicy", "Managed", `{"PolicyDocument":`+allow+`,"Roles":["`+in.ID+`"]}`)
	profile := s.create("InstanceProfile", "Profile", `{"Roles":["`+in.ID+`"]}`)
	if !strings.HasPrefix(managed.ID, "arn:aws:iam::123456789012:policy/dev-Managed-") {
		t.Errorf("Ref of a managed policy is %s", managed.ID)
	}
	for range 7 { // more often than versions fit
		if managed, err = s.types["AWS::IAM::ManagedPolicy"].Update(s.ctx("Managed"), managed, object(t, `{"PolicyDocument":`+allow+`,"Roles":["`+in.ID+`"]}`)); err != nil {
			t.Fatal(err)
		}
	}
	if err := role.Delete(s.ctx("TaskRole"), in); err == nil {
		t.Error("a role in use was deleted")
	}
	for _, r := range []struct {
		typ, logical string
		in           cfn.Instance
	}{{"InstanceProfile", "Profile", profile}, {"ManagedPolicy", "Managed", managed}, {"Policy", "Inline", policy}, {"Role", "TaskRole", in}} {
		typ := s.types["AWS::IAM::"+r.typ]
		if r.typ != "Role" { // the failed deletion took its policies already
			if _, err := typ.Read(s.ctx(r.logical), r.in); err != nil {
				t.Errorf("read %s: %v", r.logical, err)
			}
		}
		for range 2 { // the second finds nothing, which is fine
			if err := typ.Delete(s.ctx(r.logical), r.in); err != nil {
				t.Errorf("delete %s: %v", r.logical, err)
			}
		}
	}
	left := call[api.ListPoliciesOutput](s.world, "ListPolicies", &api.ListPoliciesInput{Scope: api.PolicyScopeTypeLocal}, "").Policies
	if _, err := GetRole(s.store.Snapshot(), own, in.ID); err == nil || len(left) != 0 {
		t.Error("something is left")
	}
}

func TestANamedRoleThatIsNotOurs(t *testing.T) {
	s := newStack(t)
	call[api.CreateRoleOutput](s.world, "CreateRole", &api.CreateRoleInput{RoleName: new("taken"), AssumeRolePolicyDocument: new(trust)}, "")
	_, err := s.types["AWS::IAM::Role"].Create(s.ctx("R"), object(t, `{"RoleName":"taken","AssumeRolePolicyDocument":`+trust+`}`))
	if !is(err, "EntityAlreadyExists") {
		t.Errorf("%v", err)
	}
	in, err := s.types["AWS::IAM::Role"].Create(s.ctx("Q"), object(t, `{"RoleName":"bad","AssumeRolePolicyDocument":`+trust+`,"ManagedPolicyArns":["arn:aws:iam::aws:policy/NoSuchPolicyHere"]}`))
	if !is(err, "NoSuchEntity") || in.ID != "bad" {
		t.Errorf("a role made in part must be known to the rollback: %q, %v", in.ID, err)
	}
}
