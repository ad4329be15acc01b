package ssm

import (
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/api/iamapi"
	api "github.com/slipway-dev/slipway/api/ssmapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// user makes an IAM user with a policy and answers his client.
func (w *world) user(name, policy string) *awsapi.Client {
	w.Helper()
	if _, err := awsapi.Call[iamapi.CreateUserInput, iamapi.CreateUserOutput](w.Context(), w.client, "iam", "CreateUser", &iamapi.CreateUserInput{UserName: &name}); err != nil {
		w.Fatal(err)
	}
	if _, err := awsapi.Call[iamapi.PutUserPolicyInput, iamapi.PutUserPolicyOutput](w.Context(), w.client, "iam", "PutUserPolicy",
		&iamapi.PutUserPolicyInput{UserName: &name, PolicyName: new("p"), PolicyDocument: &policy}); err != nil {
		w.Fatal(err)
	}
	keys, err := awsapi.Call[iamapi.CreateAccessKeyInput, iamapi.CreateAccessKeyOutput](w.Context(), w.client, "iam", "CreateAccessKey", &iamapi.CreateAccessKeyInput{UserName: &name})
	if err != nil {
		w.Fatal(err)
	}
	return w.as(*keys.AccessKey.AccessKeyId, *keys.AccessKey.SecretAccessKey)
}

func TestPoliciesAreHeldTo(t *testing.T) {
	w := newWorld(t)
	put(w, "/shop/url", "a", nil, "")
	put(w, "/bank/url", "b", nil, "")
	w.client = w.user("ann", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["ssm:GetParameter*","ssm:DescribeParameters"],"Resource":["arn:aws:ssm:eu-central-1:123456789012:parameter/shop*","arn:aws:ssm:eu-central-1:123456789012:*"]},
		{"Effect":"Deny","Action":"ssm:*","Resource":"arn:aws:ssm:eu-central-1:123456789012:parameter/bank*"}]}`)
	get(w, "/shop/url", false, "")
	get(w, "arn:aws:ssm:eu-central-1:123456789012:parameter/shop/url", false, "")
	get(w, "/shop/url:1", false, "")
	get(w, "/bank/url", false, "AccessDeniedException")
	call[api.GetParametersOutput](w, "GetParameters", &api.GetParametersInput{Names: []string{"/shop/url", "/bank/url"}}, "AccessDeniedException")
	put(w, "/shop/url", "c", overwrite, "AccessDeniedException")
	describe(w, nil, "")
	byPathOf(w, "/shop", false, nil, "")
	byPathOf(w, "/bank", false, nil, "AccessDeniedException")

	_, err := awsapi.Call[api.DeleteParameterInput, api.DeleteParameterOutput](t.Context(), w.client, "ssm", "DeleteParameter", &api.DeleteParameterInput{Name: new("/shop/url")})
	const want = "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: ssm:DeleteParameter on resource: arn:aws:ssm:eu-central-1:123456789012:parameter/shop/url because no identity-based policy allows the ssm:DeleteParameter action"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v", err)
	}
}
