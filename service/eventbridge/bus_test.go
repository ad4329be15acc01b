package eventbridge

import (
	"strings"
	"testing"

	api "github.com/slipway-dev/slipway/api/eventsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// Events go to the rules of the bus they were put on, and to no others.
func TestBuses(t *testing.T) {
	inWorld(t, func(w *world) {
		w.AnyAuth = true
		if _, err := w.CreateEventBus(w.ctx, &api.CreateEventBusInput{Name: new("orders"), Description: new("ours"), Tags: []api.Tag{{Key: new("Team"), Value: new("a")}}}); err != nil {
			t.Fatal(err)
		}
		for name, code := range map[string]string{"orders": "ResourceAlreadyExistsException", "default": "ResourceAlreadyExistsException", "a/b": "ValidationException"} {
			if _, err := w.CreateEventBus(w.ctx, &api.CreateEventBusInput{Name: &name}); codeOf(err) != code {
				t.Errorf("%s: %v", name, err)
			}
		}
		const all = `{"source":["shop"]}`
		w.rule("same", all, nil)
		for _, c := range []struct {
			in   api.PutRuleInput
			code string
		}{
			{api.PutRuleInput{Name: new("same"), EventPattern: new(all), EventBusName: new("none")}, "ResourceNotFoundException"},
			{api.PutRuleInput{Name: new("same"), ScheduleExpression: new("rate(5 minutes)"), EventBusName: new("orders")}, "ValidationException"},
			{api.PutRuleInput{Name: new("same"), EventPattern: new(all), EventBusName: new(busARN(here, "orders"))}, ""},
		} {
			out, err := w.PutRule(w.ctx, &c.in)
			if codeOf(err) != c.code {
				t.Errorf("%+v: %v", c.in, err)
			}
			if err == nil && *out.RuleArn != "arn:aws:events:eu-central-1:123456789012:rule/orders/same" {
				t.Error(*out.RuleArn)
			}
		}
		transformed := api.Target{Id: new("log"), Arn: new(group), InputTransformer: &api.InputTransformer{InputTemplate: new(`{"bus":"orders"}`)}}
		if _, err := w.PutTargets(w.ctx, &api.PutTargetsInput{Rule: new("same"), EventBusName: new("orders"), Targets: []api.Target{transformed}}); err != nil {
			t.Fatal(err)
		}
		send := func(bus string) *api.PutEventsOutput {
			t.Helper()
			out, err := w.PutEvents(w.ctx, &api.PutEventsInput{Entries: []api.PutEventsRequestEntry{{Source: new("shop"), DetailType: new("order"), Detail: new(`{}`), EventBusName: opt(bus)}}})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		for _, bus := range []string{"", "default", "orders", busARN(here, "orders")} {
			send(bus)
			own := strings.HasSuffix(bus, "orders")
			if told := w.told(); len(told) != 1 || (told[0]["bus"] == "orders") != own {
				t.Errorf("on bus %q: %v", bus, told)
			}
		}
		if out := send("none"); *out.FailedEntryCount != 1 || *out.Entries[0].ErrorCode != "ResourceNotFoundException" {
			t.Errorf("%+v", out)
		}
		rules, err := w.ListRules(w.ctx, &api.ListRulesInput{EventBusName: new("orders")})
		if err != nil || len(rules.Rules) != 1 || *rules.Rules[0].EventBusName != "orders" {
			t.Errorf("%+v %v", rules, err)
		}
		if rules, err = w.ListRules(w.ctx, &api.ListRulesInput{}); err != nil || len(rules.Rules) != 1 || *rules.Rules[0].EventBusName != "default" {
			t.Errorf("%+v %v", rules, err)
		}
		tags, err := w.ListTagsForResource(w.ctx, &api.ListTagsForResourceInput{ResourceARN: new(busARN(here, "orders"))})
		if err != nil || len(tags.Tags) != 1 {
			t.Errorf("%+v %v", tags, err)
		}
		if _, err := w.DeleteEventBus(w.ctx, &api.DeleteEventBusInput{Name: new("orders")}); codeOf(err) != "ValidationException" {
			t.Errorf("with rules: %v", err)
		}
		if _, err := w.RemoveTargets(w.ctx, &api.RemoveTargetsInput{Rule: new("same"), EventBusName: new("orders"), Ids: []string{"log"}}); err != nil {
			t.Error(err)
		}
		if _, err := w.DeleteRule(w.ctx, &api.DeleteRuleInput{Name: new("same"), EventBusName: new("orders")}); err != nil {
			t.Error(err)
		}
		for name, code := range map[string]string{"orders": "", "gone": "", "default": "ValidationException"} {
			if _, err := w.DeleteEventBus(w.ctx, &api.DeleteEventBusInput{Name: &name}); codeOf(err) != code {
				t.Errorf("delete %s: %v", name, err)
			}
		}
		buses, err := w.ListEventBuses(w.ctx, &api.ListEventBusesInput{})
		if err != nil || len(buses.EventBuses) != 1 {
			t.Errorf("%+v %v", buses, err)
		}
	})
}

// Another account puts events when the bus's policy lets it, until it no longer does.
func TestPermissionForAnotherAccount(t *testing.T) {
	inWorld(t, func(w *world) {
		w.rule("all", `{"source":["theirs"]}`, nil)
		there := arn.Scope{Account: "210987654321", Region: here.Region}
		theirs := awsapi.WithCaller(w.ctx, awsapi.Caller{Scope: there, ARN: there.GlobalARN("iam", "root")})
		send := func() error {
			_, err := w.PutEvents(theirs, &api.PutEventsInput{Entries: []api.PutEventsRequestEntry{
				{Source: new("theirs"), DetailType: new("x"), Detail: new(`{}`), EventBusName: new(busARN(here, "default"))},
			}})
			return err
		}
		if err := send(); codeOf(err) != "AccessDeniedException" {
			t.Errorf("without a permission: %v", err)
		}
		for want, in := range map[string]api.PutPermissionInput{
			"ValidationException": {Action: new("events:PutRule"), Principal: &there.Account, StatementId: new("they")},
			"":                    {Action: new("events:PutEvents"), Principal: &there.Account, StatementId: new("they")},
		} {
			if _, err := w.PutPermission(w.ctx, &in); codeOf(err) != want {
				t.Errorf("%+v: %v", in, err)
			}
		}
		if err := send(); err != nil {
			t.Errorf("with a permission: %v", err)
		}
		if told := w.told(); len(told) != 1 || told[0]["account"] != there.Account {
			t.Errorf("%v", told)
		}
		bus, err := w.DescribeEventBus(w.ctx, &api.DescribeEventBusInput{})
		if err != nil || !strings.Contains(val(bus.Policy), `"Sid":"they"`) {
			t.Errorf("%+v %v", bus, err)
		}
		if _, err := w.RemovePermission(w.ctx, &api.RemovePermissionInput{StatementId: new("me")}); codeOf(err) != "ResourceNotFoundException" {
			t.Error(err)
		}
		if _, err := w.RemovePermission(w.ctx, &api.RemovePermissionInput{StatementId: new("they")}); err != nil {
			t.Error(err)
		}
		if err := send(); codeOf(err) != "AccessDeniedException" {
			t.Errorf("without it again: %v", err)
		}
	})
}
