package logs_test

import (
	"context"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/service/logs"
)

func TestLogGroupResource(t *testing.T) {
	w := newWorld(t)
	typ := w.s.Resources()[0]
	request := func(token string) context.Context {
		return awsapi.WithToken(cfn.With(w.ctx, cfn.Request{
			StackID: "stack", StackName: "Tap", LogicalID: "Logs", Token: token,
			Tags: map[string]string{cfn.TagStackID: "stack", cfn.TagStackName: "Tap", cfn.TagLogicalID: "Logs"},
		}), token)
	}
	in, err := typ.Create(request("1"), map[string]any{"LogGroupName": "/ecs/web", "RetentionInDays": "7"})
	if err != nil || in.ID != "/ecs/web" || !strings.Contains(string(in.State), `"Arn":"arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web:*"`) {
		t.Fatalf("%+v %v", in, err)
	}
	if again, err := typ.Create(request("1"), map[string]any{"LogGroupName": "/ecs/web", "RetentionInDays": 7}); err != nil || again.ID != in.ID {
		t.Errorf("after a crash: %+v %v", again, err)
	}
	if _, err := typ.Create(request("2"), map[string]any{"LogGroupName": "x", "RetentionInDays": 8}); code(err) != "InvalidParameterException" {
		t.Error(err)
	}
	if _, err := typ.Create(request("3"), map[string]any{"LogGroupName": "x", "KmsKeyId": "other"}); code(err) != "AccessDeniedException" {
		t.Error(err)
	}
	if _, err := typ.Update(request("4"), in, map[string]any{"LogGroupName": "/ecs/web", "KmsKeyId": "allowed"}); err != nil {
		t.Error(err)
	}
	g, err := logs.Groups.Get(w.db.Snapshot(), scope.Key("/ecs/web"))
	if err != nil || g.Retention != 0 || g.KMSKey != "allowed" || g.Tags[cfn.TagStackName] != "Tap" {
		t.Errorf("%+v %v", g, err)
	}
	stream := w.s.Resources()[1]
	for range 2 {
		if _, err := stream.Create(request("5"), map[string]any{"LogGroupName": "/ecs/web", "LogStreamName": "s"}); err != nil {
			t.Error(err)
		}
	}
	if _, err := stream.Create(request("6"), map[string]any{"LogGroupName": "/ecs/web", "LogStreamName": "s"}); code(err) != "ResourceAlreadyExistsException" {
		t.Error(err)
	}
	for range 2 {
		if err := typ.Delete(request("7"), in); err != nil {
			t.Error(err)
		}
	}
}
