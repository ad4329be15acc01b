package ssm

import (
	"context"
	"fmt"
	"testing"

	"github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

func TestAnAutomationRunsAsItsRole(t *testing.T) {
	w := newWorld(t)
	var called []string
	w.service.Actions = map[string]Action{"ecs:UpdateService": func(ctx context.Context, inputs map[string]any) error {
		called = append(called, awsapi.CallerOf(ctx).ARN+" "+fmt.Sprint(inputs))
		return nil
	}}
	typ := w.service.Resources()[1]
	ctx := cfn.With(w.ctx(), cfn.Request{StackID: "s", StackName: "Tap", LogicalID: "Redeploy", Token: "1", Tags: map[string]string{cfn.TagStackID: "s", cfn.TagLogicalID: "Redeploy"}})
	content := func(change func(map[string]any)) map[string]any {
		c := map[string]any{
			"schemaVersion": "0.3", "assumeRole": "arn:aws:iam::123456789012:role/deployer",
			"mainSteps": []any{map[string]any{"name": "deploy", "action": "aws:executeAwsApi", "inputs": map[string]any{
				"Service": "ecs", "Api": "UpdateService", "cluster": "c", "service": "web", "forceNewDeployment": true,
			}}},
		}
		change(c)
		return c
	}
	for what, c := range map[string]map[string]any{
		"another type": {"DocumentType": "Command", "Content": content(func(map[string]any) {})},
		"no role":      {"DocumentType": "Automation", "Content": content(func(c map[string]any) { delete(c, "assumeRole") })},
		"parameters":   {"DocumentType": "Automation", "Content": content(func(c map[string]any) { c["parameters"] = map[string]any{} })},
		"other action": {"DocumentType": "Automation", "Content": content(func(c map[string]any) {
			c["mainSteps"] = []any{map[string]any{"name": "x", "action": "aws:sleep", "inputs": map[string]any{}}}
		})},
		"other operation": {"DocumentType": "Automation", "Content": content(func(c map[string]any) {
			c["mainSteps"] = []any{map[string]any{"name": "x", "action": "aws:executeAwsApi", "inputs": map[string]any{"Service": "ec2", "Api": "StopInstances"}}}
		})},
	} {
		if _, err := typ.Create(ctx, c); codeOf(err) != "InvalidDocumentContent" {
			t.Errorf("%s: %v", what, err)
		}
	}
	in, err := typ.Create(ctx, map[string]any{"DocumentType": "Automation", "Content": content(func(map[string]any) {})})
	if err != nil {
		t.Fatal(err)
	}
	nobody := awsapi.WithCaller(t.Context(), awsapi.Caller{Scope: here, ARN: "arn:aws:sts::123456789012:assumed-role/push/1"})
	if err := w.service.Automate(nobody, here, in.ID); codeOf(err) != "AccessDeniedException" {
		t.Errorf("without permission: %v", err)
	}
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ssm:StartAutomationExecution","Resource":"` + here.ARN("ssm", "automation-definition/"+in.ID+":$DEFAULT") + `"}]}`
	if _, err := awsapi.Call[iamapi.CreateRoleInput, iamapi.CreateRoleOutput](t.Context(), w.client, "iam", "CreateRole",
		&iamapi.CreateRoleInput{RoleName: new("push"), AssumeRolePolicyDocument: &trust}); err != nil {
		t.Fatal(err)
	}
	if _, err := awsapi.Call[iamapi.PutRolePolicyInput, iamapi.PutRolePolicyOutput](t.Context(), w.client, "iam", "PutRolePolicy",
		&iamapi.PutRolePolicyInput{RoleName: new("push"), PolicyName: new("p"), PolicyDocument: &policy}); err != nil {
		t.Fatal(err)
	}
	if err := w.service.Automate(nobody, here, in.ID); err != nil {
		t.Fatal(err)
	}
	want := "arn:aws:sts::123456789012:assumed-role/deployer/Automation-" + in.ID + " map[cluster:c forceNewDeployment:true service:web]"
	if len(called) != 1 || called[0] != want {
		t.Errorf("%v, want %s", called, want)
	}
	if err := typ.Delete(ctx, in); err != nil {
		t.Fatal(err)
	}
	if err := w.service.Automate(nobody, here, in.ID); codeOf(err) != "AutomationDefinitionNotFoundException" {
		t.Error(err)
	}
}
