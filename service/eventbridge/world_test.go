package eventbridge

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	api "github.com/slipway-dev/slipway/api/eventsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/cloudwatch"
	"github.com/slipway-dev/slipway/service/ecr"
	"github.com/slipway-dev/slipway/service/ecs"
	"github.com/slipway-dev/slipway/telemetry/logs"
)

var here = arn.Scope{Account: "123456789012", Region: "eu-central-1"}

// group is the ARN of the log group that takes what happens.
const group = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/events/all"

// world is the service with its loops, and targets that write down what comes.
type world struct {
	*testing.T
	*Service
	ctx context.Context

	mu    sync.Mutex
	full  bool // the log group takes nothing
	lines []string
	runs  []ecsapi.RunTaskInput
	as    []string // who ran them
}

func (w *world) Write(_ context.Context, _ arn.Scope, group, _ string, _ bool, lines []logs.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.full || group != "/aws/events/all" {
		return errors.New("the log group does not exist")
	}
	for _, l := range lines {
		w.lines = append(w.lines, l.Message)
	}
	return nil
}

func (w *world) RunTask(ctx context.Context, in *ecsapi.RunTaskInput) (*ecsapi.RunTaskOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs, w.as = append(w.runs, *in), append(w.as, awsapi.CallerOf(ctx).ARN)
	return &ecsapi.RunTaskOutput{}, nil
}

func (w *world) DescribeTasks(_ context.Context, in *ecsapi.DescribeTasksInput) (*ecsapi.DescribeTasksOutput, error) {
	st, _ := agent.Statuses.Get(w.Store.Snapshot(), in.Tasks[0])
	return &ecsapi.DescribeTasksOutput{Tasks: []ecsapi.Task{{TaskArn: &in.Tasks[0], LastStatus: &st.LastStatus, CreatedAt: new(time.Now())}}}, nil
}

// inWorld tells a story in time that does not pass by itself.
func inWorld(t *testing.T, story func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var tables []store.Schema
		for _, s := range [][]store.Schema{Tables(), ecr.Tables(), ecs.Tables(), agent.Tables(), cloudwatch.Tables()} {
			tables = append(tables, s...)
		}
		st, err := store.Open(store.Config{}, tables...)
		if err != nil {
			t.Fatal(err)
		}
		w := &world{T: t}
		w.Service = New(Config{Store: st, Lines: w, Tasks: w})
		ctx, cancel := context.WithCancel(t.Context())
		w.ctx = awsapi.WithCaller(ctx, awsapi.Caller{Scope: here, ARN: here.GlobalARN("iam", "root")})
		var wg sync.WaitGroup
		for _, l := range w.Loops() {
			wg.Go(func() { _ = l.Run(ctx, st, w.Service.Log) })
		}
		story(w)
		cancel()
		wg.Wait()
	})
}

func (w *world) update(fn func(tx *store.Tx)) {
	w.Helper()
	if err := w.Store.Update(func(tx *store.Tx) error {
		fn(tx)
		return nil
	}); err != nil {
		w.Fatal(err)
	}
	synctest.Wait()
}

// rule makes a rule that sends what matches to the log group.
func (w *world) rule(name, pattern string, change func(t *api.Target)) {
	w.Helper()
	target := api.Target{Id: new("log"), Arn: new(group)}
	if change != nil {
		change(&target)
	}
	if _, err := w.PutRule(w.ctx, &api.PutRuleInput{Name: &name, EventPattern: &pattern}); err != nil {
		w.Fatal(err)
	}
	if _, err := w.PutTargets(w.ctx, &api.PutTargetsInput{Rule: &name, Targets: []api.Target{target}}); err != nil {
		w.Fatal(err)
	}
	synctest.Wait()
}

// told are the events that have come since the last call.
func (w *world) told() (all []map[string]any) {
	w.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.lines {
		var e map[string]any
		if err := json.Unmarshal([]byte(l), &e); err != nil {
			w.Fatalf("%s: %v", l, err)
		}
		all = append(all, e)
	}
	w.lines = nil
	return all
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		return e.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}
