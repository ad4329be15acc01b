package eventbridge

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	api "github.com/slipway-dev/slipway/api/eventsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

func TestRulesLive(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, c := range []struct {
			in   api.PutRuleInput
			code string
		}{
			{api.PutRuleInput{Name: new("a")}, "ValidationException"},
			{api.PutRuleInput{Name: new("a"), EventPattern: new("{")}, "InvalidEventPatternException"},
			{api.PutRuleInput{Name: new("a"), ScheduleExpression: new("rate(1 minutes)")}, "ValidationException"},
			{api.PutRuleInput{Name: new("a"), EventPattern: new(`{"source":["x"]}`), EventBusName: new("mine")}, "ResourceNotFoundException"},
			{api.PutRuleInput{Name: new("a"), EventPattern: new(`{"source":["x"]}`), EventBusName: new("default")}, ""},
		} {
			if _, err := w.PutRule(w.ctx, &c.in); codeOf(err) != c.code {
				t.Errorf("%+v: %v", c.in, err)
			}
		}
		for arn, code := range map[string]string{
			group: "", "arn:aws:lambda:eu-central-1:123456789012:function:f": "ValidationException", "x": "ValidationException",
			"arn:aws:ecs:eu-central-1:123456789012:cluster/c": "ValidationException", // what to run is not said
		} {
			if _, err := w.PutTargets(w.ctx, &api.PutTargetsInput{Rule: new("a"), Targets: []api.Target{{Id: new("1"), Arn: &arn}}}); codeOf(err) != code {
				t.Errorf("%s: %v", arn, err)
			}
		}
		if _, err := w.DeleteRule(w.ctx, &api.DeleteRuleInput{Name: new("a")}); codeOf(err) != "ValidationException" {
			t.Error(err)
		}
		names, err := w.ListRuleNamesByTarget(w.ctx, &api.ListRuleNamesByTargetInput{TargetArn: new(group)})
		if err != nil || fmt.Sprint(names.RuleNames) != "[a]" {
			t.Errorf("%v %v", names, err)
		}
		out, err := w.RemoveTargets(w.ctx, &api.RemoveTargetsInput{Rule: new("a"), Ids: []string{"1", "2"}})
		if err != nil || *out.FailedEntryCount != 1 {
			t.Errorf("%+v %v", out, err)
		}
		if _, err := w.DeleteRule(w.ctx, &api.DeleteRuleInput{Name: new("a")}); err != nil {
			t.Error(err)
		}
		if _, err := w.DescribeRule(w.ctx, &api.DescribeRuleInput{Name: new("a")}); codeOf(err) != "ResourceNotFoundException" {
			t.Error(err)
		}
	})
}

func put(w *world, source, detail string) {
	w.Helper()
	out, err := w.PutEvents(w.ctx, &api.PutEventsInput{Entries: []api.PutEventsRequestEntry{{Source: &source, DetailType: new("test"), Detail: &detail}}})
	if err != nil || *out.FailedEntryCount != 0 {
		w.Fatalf("%+v %v", out, err)
	}
	synctest.Wait()
}

func TestWhatComesToTheTarget(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*api.Target)
		want   string
	}{
		"a constant": {func(t *api.Target) { t.Input = new(`{"a":1}`) }, `{"a":1}`},
		"a part":     {func(t *api.Target) { t.InputPath = new("$.detail.list[1]") }, `{"x":"two"}`},
		"a template": {func(t *api.Target) {
			t.InputTransformer = &api.InputTransformer{
				InputPathsMap: map[string]string{"who": "$.detail.who", "all": "$.detail", "none": "$.detail.none"},
				InputTemplate: new(`{"text":"<who> from <aws.events.rule-name>, <none>","who":<who>,"all":<all>,"left":"<other>"}`),
			}
		}, `{"text":"me \"too\" from r, ","who":"me \"too\"","all":{"who":"me \"too\"","list":[1,{"x":"two"}]},"left":"<other>"}`},
		"a line of its own": {func(t *api.Target) {
			t.InputTransformer = &api.InputTransformer{
				InputPathsMap: map[string]string{"who": "$.source"}, InputTemplate: new(`{"timestamp":5,"message":"{\"from\":\"<who>\"}"}`),
			}
		}, `{"from":"mine"}`},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.rule("r", `{"source":["mine"]}`, c.change)
				put(w, "mine", `{"who":"me \"too\"","list":[1,{"x":"two"}]}`)
				put(w, "yours", `{}`)
				w.mu.Lock()
				defer w.mu.Unlock()
				if len(w.lines) != 1 || w.lines[0] != c.want {
					t.Errorf("%v, want %s", w.lines, c.want)
				}
			})
		})
	}
}

func TestEventsThatAreNone(t *testing.T) {
	inWorld(t, func(w *world) {
		out, err := w.PutEvents(w.ctx, &api.PutEventsInput{Entries: []api.PutEventsRequestEntry{
			{DetailType: new("t"), Detail: new("{}")},
			{Source: new("aws.ecs"), DetailType: new("t"), Detail: new("{}")},
			{Source: new("s"), DetailType: new("t"), Detail: new("[]")},
			{Source: new("s"), DetailType: new("t"), Detail: new("{}"), EventBusName: new("mine")},
			{Source: new("s"), DetailType: new("t"), Detail: new("{}")},
		}})
		if err != nil || *out.FailedEntryCount != 4 {
			t.Fatalf("%+v %v", out, err)
		}
		var codes []string
		for _, e := range out.Entries {
			codes = append(codes, val(e.ErrorCode))
		}
		if got := strings.Join(codes, " "); got != "InvalidArgument NotAuthorizedForSourceException MalformedDetail ResourceNotFoundException " {
			t.Error(got)
		}
	})
}

func TestADeliveryIsTriedUntilItSucceeds(t *testing.T) {
	inWorld(t, func(w *world) {
		w.full = true
		w.rule("r", `{"source":["mine"]}`, nil)
		put(w, "mine", `{}`)
		time.Sleep(time.Hour)
		w.mu.Lock()
		w.full = false
		w.mu.Unlock()
		time.Sleep(10 * time.Minute)
		if got := w.told(); len(got) != 1 {
			t.Errorf("%d came", len(got))
		}
		w.mu.Lock()
		w.full = true
		w.mu.Unlock()
		put(w, "mine", `{}`)
		time.Sleep(25 * time.Hour)
		if left := len(Deliveries.Keys(w.Store.Snapshot())); left != 0 {
			t.Errorf("%d still tried after a day", left)
		}
	})
}

func TestTasksAreRun(t *testing.T) {
	inWorld(t, func(w *world) {
		w.rule("r", `{"source":["mine"]}`, func(t *api.Target) {
			t.Arn, t.RoleArn = new(here.ARN("ecs", "cluster/c")), new("arn:aws:iam::123456789012:role/events")
			t.EcsParameters = &api.EcsParameters{TaskDefinitionArn: new("job:1"), TaskCount: new(int32(2)), LaunchType: "FARGATE"}
			t.Input = new(`{"containerOverrides":[{"name":"app","environment":[{"name":"A","value":"b"}]}]}`)
		})
		put(w, "mine", `{}`)
		if len(w.runs) != 1 || *w.runs[0].TaskDefinition != "job:1" || *w.runs[0].Count != 2 || *w.runs[0].StartedBy != "events-rule/r" {
			t.Fatalf("%+v", w.runs)
		}
		if o := w.runs[0].Overrides.ContainerOverrides; len(o) != 1 || *o[0].Environment[0].Value != "b" {
			t.Errorf("%+v", o)
		}
		if !strings.HasPrefix(w.as[0], "arn:aws:sts::123456789012:assumed-role/events/") {
			t.Error(w.as)
		}
	})
}

func TestSchedules(t *testing.T) {
	start := time.Date(2026, 3, 4, 10, 7, 30, 0, time.UTC) // a Wednesday
	for text, want := range map[string]string{
		"rate(1 minute)": "2026-03-04T10:08:30Z", "rate(5 hours)": "2026-03-04T15:07:30Z",
		"cron(0 12 * * ? *)": "2026-03-04T12:00:00Z", "cron(0/15 * * * ? *)": "2026-03-04T10:15:00Z", "cron(15 10 ? * MON-FRI *)": "2026-03-04T10:15:00Z",
		"cron(0 8 1 * ? *)": "2026-04-01T08:00:00Z", "cron(0 9 ? * SUN *)": "2026-03-08T09:00:00Z", "cron(5,35 14 29 FEB ? *)": "2028-02-29T14:05:00Z",
		"cron(0 0 1 1 ? 2020)": "", "rate(1 minutes)": "x", "rate(0 minutes)": "x", "rate(2 minute)": "x", "cron(0 12 * * * *)": "x", "cron(0 12 ? * ? *)": "x",
		"cron(60 12 * * ? *)": "x", "cron(0 12 L * ? *)": "x", "cron(0 12 ? * 2#1 *)": "x", "cron(0 12 * * ?)": "x", "every day": "x", "cron(5-1 * * * ? *)": "x",
	} {
		s, err := parseSchedule(text)
		if err != nil {
			if want != "x" {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		got := ""
		if at, ok := s.next(start); ok {
			got = at.Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	inWorld(t, func(w *world) {
		if _, err := w.PutRule(w.ctx, &api.PutRuleInput{Name: new("r"), ScheduleExpression: new("rate(5 minutes)")}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.PutTargets(w.ctx, &api.PutTargetsInput{Rule: new("r"), Targets: []api.Target{{Id: new("log"), Arn: new(group)}}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(16 * time.Minute)
		got := w.told()
		if len(got) != 3 || got[0]["detail-type"] != "Scheduled Event" || got[0]["source"] != "aws.events" {
			t.Errorf("%d: %v", len(got), got)
		}
		if _, err := w.DisableRule(w.ctx, &api.DisableRuleInput{Name: new("r")}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(16 * time.Minute)
		if got := w.told(); len(got) != 0 {
			t.Errorf("disabled: %v", got)
		}
	})
}

func TestRulesOfStacks(t *testing.T) {
	inWorld(t, func(w *world) {
		typ := w.Resources()[0]
		ctx := cfn.With(w.ctx, cfn.Request{StackID: "s", StackName: "Tap", LogicalID: "Rule", Token: "1", Tags: map[string]string{cfn.TagStackID: "s", cfn.TagLogicalID: "Rule"}})
		props := map[string]any{
			"EventPattern": map[string]any{"source": []any{"mine"}}, "Description": "d", "State": "ENABLED",
			"Targets": []any{map[string]any{"Id": "log", "Arn": group, "InputPath": "$.detail"}},
		}
		in, err := typ.Create(ctx, props)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := typ.Create(ctx, props); err != nil || again.ID != in.ID {
			t.Errorf("again after a crash: %v", err)
		}
		put(w, "mine", `{"a":1}`)
		if len(w.lines) != 1 || w.lines[0] != `{"a":1}` {
			t.Errorf("%v", w.lines)
		}
		if in, err = typ.Read(ctx, in); err != nil {
			t.Fatal(err)
		}
		if d, err := typ.Drift(props, in, nil); err != nil || len(d.Differences) != 0 {
			t.Errorf("%+v %v", d.Differences, err)
		}
		props["Targets"] = []any{map[string]any{"Id": "other", "Arn": group}}
		if in, err = typ.Update(ctx, in, props); err != nil {
			t.Fatal(err)
		}
		out, err := w.ListTargetsByRule(w.ctx, &api.ListTargetsByRuleInput{Rule: &in.ID})
		if err != nil || len(out.Targets) != 1 || *out.Targets[0].Id != "other" {
			t.Errorf("%+v %v", out, err)
		}
		for range 2 {
			if err := typ.Delete(ctx, in); err != nil {
				t.Fatal(err)
			}
		}
	})
}
