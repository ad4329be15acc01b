package logs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/api/logsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/logs"
	events "github.com/slipway-dev/slipway/telemetry/logs"
)

var scope = arn.Scope{Account: "123456789012", Region: "us-east-1"}

type world struct {
	t   testing.TB
	dir string
	db  *store.Store
	ev  *events.Store
	s   *logs.Service
	ctx context.Context
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	var err error
	if w.db, err = store.Open(store.Config{}, logs.Tables()...); err != nil {
		t.Fatal(err)
	}
	if w.ev, err = events.Open(events.Config{Dir: w.dir}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.ev.Close() })
	w.s = logs.New(logs.Config{Store: w.db, Events: w.ev, Log: slog.New(slog.DiscardHandler), KeyAllowed: func(_ context.Context, _ arn.Scope, key, _ string) bool {
		return key == "allowed"
	}})
	w.ctx = awsapi.WithCaller(t.Context(), awsapi.Caller{Scope: scope, ARN: "arn:aws:iam::123456789012:root"})
	return w
}

func (w *world) write(group, stream string, es ...events.Event) {
	w.t.Helper()
	if err := w.s.Write(w.ctx, scope, group, stream, true, es); err != nil {
		w.t.Fatal(err)
	}
}

func line(ts int64, m string) events.Event { return events.Event{Timestamp: ts, Message: m} }

func code(err error) string {
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

func TestGroupLife(t *testing.T) {
	w := newWorld(t)
	create := func(name string) error {
		_, err := w.s.CreateLogGroup(w.ctx, &logsapi.CreateLogGroupInput{LogGroupName: &name, Tags: map[string]string{"Team": "a"}})
		return err
	}
	for _, n := range []string{"/ecs/web", "/ecs/api", "/app"} {
		if err := create(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := create("/app"); fmt.Sprint(err) != "ResourceAlreadyExistsException: The specified log group already exists" {
		t.Error(err)
	}
	if err := create("aws/x"); code(err) != "InvalidParameterException" {
		t.Error(err)
	}
	names := func(in logsapi.DescribeLogGroupsInput) string {
		out, err := w.s.DescribeLogGroups(w.ctx, &in)
		if err != nil {
			return err.Error()
		}
		var s []string
		for _, g := range out.LogGroups {
			s = append(s, *g.LogGroupName)
		}
		return strings.Join(s, " ")
	}
	if got := names(logsapi.DescribeLogGroupsInput{}); got != "/app /ecs/api /ecs/web" {
		t.Error(got)
	}
	if got := names(logsapi.DescribeLogGroupsInput{LogGroupNamePrefix: new("/ecs/")}); got != "/ecs/api /ecs/web" {
		t.Error(got)
	}
	if got := names(logsapi.DescribeLogGroupsInput{LogGroupNamePattern: new("WEB")}); got != "/ecs/web" {
		t.Error(got)
	}
	if got := names(logsapi.DescribeLogGroupsInput{LogGroupNamePattern: new("a"), LogGroupNamePrefix: new("a")}); !strings.Contains(got, "mutually exclusive") {
		t.Error(got)
	}
	web := new("/ecs/web")
	if _, err := w.s.PutRetentionPolicy(w.ctx, &logsapi.PutRetentionPolicyInput{LogGroupName: web, RetentionInDays: new(int32(2))}); !strings.Contains(fmt.Sprint(err), "[1, 3, 5, 7, 14,") {
		t.Error(err)
	}
	if _, err := w.s.PutRetentionPolicy(w.ctx, &logsapi.PutRetentionPolicyInput{LogGroupName: web, RetentionInDays: new(int32(7))}); err != nil {
		t.Error(err)
	}
	out, err := w.s.DescribeLogGroups(w.ctx, &logsapi.DescribeLogGroupsInput{LogGroupNamePrefix: web})
	if g := out.LogGroups[0]; err != nil || *g.RetentionInDays != 7 || *g.Arn != "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web:*" ||
		*g.LogGroupArn != "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web" {
		t.Errorf("%+v %v", g, err)
	}
	if _, err := w.s.DeleteRetentionPolicy(w.ctx, &logsapi.DeleteRetentionPolicyInput{LogGroupName: web}); err != nil {
		t.Error(err)
	}
	for _, id := range []*string{out.LogGroups[0].Arn, out.LogGroups[0].LogGroupArn} {
		if _, err := w.s.TagResource(w.ctx, &logsapi.TagResourceInput{ResourceArn: id, Tags: map[string]string{"X": "1"}}); err != nil {
			t.Error(err)
		}
	}
	if _, err := w.s.UntagLogGroup(w.ctx, &logsapi.UntagLogGroupInput{LogGroupName: web, Tags: []string{"Team"}}); err != nil {
		t.Error(err)
	}
	tags, err := w.s.ListTagsForResource(w.ctx, &logsapi.ListTagsForResourceInput{ResourceArn: out.LogGroups[0].LogGroupArn})
	if err != nil || len(tags.Tags) != 1 || tags.Tags["X"] != "1" {
		t.Errorf("%v %v", tags, err)
	}
	if _, err := w.s.DeleteLogGroup(w.ctx, &logsapi.DeleteLogGroupInput{LogGroupName: web}); err != nil {
		t.Error(err)
	}
	_, err = w.s.DeleteLogGroup(w.ctx, &logsapi.DeleteLogGroupInput{LogGroupName: web})
	if fmt.Sprint(err) != "ResourceNotFoundException: The specified log group does not exist." {
		t.Error(err)
	}
}

func TestAKeyMustBeAllowed(t *testing.T) {
	w := newWorld(t)
	_, err := w.s.CreateLogGroup(w.ctx, &logsapi.CreateLogGroupInput{LogGroupName: new("g"), KmsKeyId: new("other")})
	want := "The specified KMS key does not exist or is not allowed to be used with Arn 'arn:aws:logs:us-east-1:123456789012:log-group:g'"
	if !strings.Contains(fmt.Sprint(err), want) {
		t.Error(err)
	}
	if _, err := w.s.CreateLogGroup(w.ctx, &logsapi.CreateLogGroupInput{LogGroupName: new("g"), KmsKeyId: new("allowed")}); err != nil {
		t.Error(err)
	}
}
