package ssm

import (
	"testing"

	"github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

func TestARoleReadsWhatItMay(t *testing.T) {
	w := newWorld(t)
	put(w, "/shop/password", "secret", secure, "")
	put(w, "/bank/password", "other", secure, "")
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	if _, err := awsapi.Call[iamapi.CreateRoleInput, iamapi.CreateRoleOutput](t.Context(), w.client, "iam", "CreateRole",
		&iamapi.CreateRoleInput{RoleName: new("exec"), AssumeRolePolicyDocument: &trust}); err != nil {
		t.Fatal(err)
	}
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ssm:GetParameters","Resource":"arn:aws:ssm:*:*:parameter/shop/*"}]}`
	if _, err := awsapi.Call[iamapi.PutRolePolicyInput, iamapi.PutRolePolicyOutput](t.Context(), w.client, "iam", "PutRolePolicy",
		&iamapi.PutRolePolicyInput{RoleName: new("exec"), PolicyName: new("p"), PolicyDocument: &policy}); err != nil {
		t.Fatal(err)
	}
	role := awsapi.Caller{Scope: here, ARN: "arn:aws:sts::123456789012:assumed-role/exec/task"}
	for _, name := range []string{"/shop/password", "/shop/password:1", here.ARN("ssm", "parameter/shop/password")} {
		values, err := w.service.Reveal(t.Context(), role, []string{name})
		if err != nil || values[name] != "secret" {
			t.Errorf("%s: %q %v", name, values[name], err)
		}
	}
	for name, code := range map[string]string{
		"/bank/password": "AccessDeniedException", "/shop/none": "ParameterNotFound",
		"arn:aws:ssm:eu-west-1:123456789012:parameter/shop/password": "ParameterNotFound",
	} {
		if _, err := w.service.Reveal(t.Context(), role, []string{name}); codeOf(err) != code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.service.Reveal(t.Context(), awsapi.Caller{Scope: here}, []string{"/shop/password"}); codeOf(err) != "AccessDeniedException" {
		t.Errorf("nobody: %v", err)
	}
}
