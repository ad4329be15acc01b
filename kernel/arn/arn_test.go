package arn_test

import (
	"testing"

	"github.com/slipway-dev/slipway/kernel/arn"
)

func TestScopeOfRow(t *testing.T) {
	here := arn.Scope{Account: "111111111111", Region: "eu-west-1"}
	for key, want := range map[string]arn.Scope{
		here.Key("web"):               here,
		here.Key("web", "a:b"):        here,
		here.ARN("ecs", "task/web/1"): here,
		here.ARN("elasticloadbalancing", "targetgroup/web/1") + "/10.0.0.1:80": here,
		here.GlobalARN("iam", "role/x"):                                        {Account: here.Account},
		arn.Scope{Account: here.Account}.Key("board"):                          {Account: here.Account},
		"us-east-1a":              {},
		"elb":                     {},
		"a/b/c":                   {},
		"":                        {},
		"11111111111/eu-west-1/x": {},
	} {
		if got := arn.ScopeOfRow(key); got != want {
			t.Errorf("%q: %+v, want %+v", key, got, want)
		}
	}
}
