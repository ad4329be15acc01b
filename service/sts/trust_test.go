package sts

import (
	"testing"

	"github.com/slipway-dev/slipway/api/iamapi"
	api "github.com/slipway-dev/slipway/api/stsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/service/iam"
)

// Who may take a role on: whom its trust policy names, and of an account that
// it names those whose own policies allow it.
func TestTrust(t *testing.T) {
	w := newWorld(t)
	people := iam.New(iam.Config{Store: w.store})
	ctx := awsapi.WithCaller(t.Context(), awsapi.Caller{Scope: arn.Scope{Account: own}})
	user := func(name, policy string) *awsapi.Client {
		t.Helper()
		if _, err := people.CreateUser(ctx, &iamapi.CreateUserInput{UserName: &name}); err != nil {
			t.Fatal(err)
		}
		if policy != "" {
			_, err := people.PutUserPolicy(ctx, &iamapi.PutUserPolicyInput{UserName: &name, PolicyName: new("own"), PolicyDocument: &policy})
			if err != nil {
				t.Fatal(err)
			}
		}
		key, err := people.CreateAccessKey(ctx, &iamapi.CreateAccessKeyInput{UserName: &name})
		if err != nil {
			t.Fatal(err)
		}
		return w.client(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, "")
	}
	clients := map[string]*awsapi.Client{
		"root":   w.as(nil),
		"ada":    user("ada", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:*","Resource":"*"}}`),
		"bob":    user("bob", ""),
		"denied": user("denied", `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*"}}`),
	}
	const start, end = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":`, `}]}`
	for name, test := range map[string]struct {
		trust string
		may   string // "root ada bob denied", y or n each
		in    api.AssumeRoleInput
	}{
		"account":  {start + `{"AWS":"` + own + `"}` + end, "yynn", api.AssumeRoleInput{}},
		"users":    {start + `{"AWS":["arn:aws:iam::` + own + `:user/bob","arn:aws:iam::` + own + `:user/denied"]}` + end, "nnyn", api.AssumeRoleInput{}},
		"service":  {start + `{"Service":"cloudformation.amazonaws.com"}` + end, "nnnn", api.AssumeRoleInput{}},
		"no-id":    {start + `{"AWS":"` + own + `"},"Condition":{"Null":{"sts:ExternalId":"true"}}` + end, "yynn", api.AssumeRoleInput{}},
		"id":       {start + `{"AWS":"` + own + `"},"Condition":{"Null":{"sts:ExternalId":"true"}}` + end, "nnnn", api.AssumeRoleInput{ExternalId: new("partner")}},
		"id-right": {start + `{"AWS":"*"},"Condition":{"StringEquals":{"sts:ExternalId":"partner"}}` + end, "yyyn", api.AssumeRoleInput{ExternalId: new("partner")}},
		"id-wrong": {start + `{"AWS":"*"},"Condition":{"StringEquals":{"sts:ExternalId":"partner"}}` + end, "nnnn", api.AssumeRoleInput{ExternalId: new("other")}},
		"tags":     {start + `{"AWS":"*"}` + end, "nnnn", api.AssumeRoleInput{Tags: []api.Tag{{Key: new("team"), Value: new("a")}}}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := people.CreateRole(ctx, &iamapi.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &test.trust}); err != nil {
				t.Fatal(err)
			}
			for i, who := range []string{"root", "ada", "bob", "denied"} {
				in := test.in
				in.RoleArn, in.RoleSessionName = new("arn:aws:iam::"+own+":role/"+name), new("story")
				code := map[byte]string{'y': "", 'n': "AccessDenied"}[test.may[i]]
				w := &world{t: t}
				call[api.AssumeRoleOutput](w, clients[who], "AssumeRole", &in, code)
			}
		})
	}
	call[api.AssumeRoleOutput](w, w.as(nil), "AssumeRole", &api.AssumeRoleInput{
		RoleArn: new("arn:aws:iam::" + own + ":role/web"), RoleSessionName: new("less"), Policy: new(`{"Statement":[]}`),
	}, "ValidationError")
}
