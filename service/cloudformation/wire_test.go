package cloudformation

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// serve runs the service with a store on disk behind a real endpoint.
func serve(t testing.TB) (*awsapi.Client, *cloud) {
	t.Helper()
	db, err := store.Open(store.Config{Path: filepath.Join(t.TempDir(), "state.db")}, Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	c := newCloud()
	svc := New(Config{Store: db, Log: slog.New(slog.DiscardHandler), Types: c.types()})
	stop := runLoops(svc)
	mux := awsapi.NewMux(awsapi.Config{DefaultScope: testScope, AnyAuth: true, Log: slog.New(slog.DiscardHandler)}, svc.API())
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.Close()
		stop()
		_ = db.Close()
	})
	return awsapi.NewClient(awsapi.ClientConfig{Endpoint: server.URL, Region: "us-east-1", AccessKey: "test", SecretKey: "test"}), c
}

// TestCDKDeploy makes the calls that the CDK CLI makes, in its order.
func TestCDKDeploy(t *testing.T) {
	client, _ := serve(t)
	ctx := t.Context()
	stack, set := "TapStackdev", "cdk-deploy-change-set"
	body := "Resources:\n  A: {Type: T::Thing}\nOutputs:\n  A: {Value: !Ref A}\n"

	for range 3 {
		_, err := awsapi.Call[api.DescribeStacksInput, api.DescribeStacksOutput](ctx, client, "cloudformation", "DescribeStacks", &api.DescribeStacksInput{StackName: &stack})
		wantError(t, err, "ValidationError", "Stack with id TapStackdev does not exist", 400)
	}
	made, err := awsapi.Call[api.CreateChangeSetInput, api.CreateChangeSetOutput](ctx, client, "cloudformation", "CreateChangeSet", &api.CreateChangeSetInput{
		StackName: &stack, ChangeSetName: &set, ChangeSetType: "CREATE", TemplateBody: &body, ClientToken: new("create-1"), IncludeNestedStacks: new(true),
		ImportExistingResources: new(false), Description: new("CDK Changeset for execution 1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	described, err := awsapi.Call[api.DescribeChangeSetInput, api.DescribeChangeSetOutput](ctx, client, "cloudformation", "DescribeChangeSet",
		&api.DescribeChangeSetInput{StackName: made.StackId, ChangeSetName: made.Id})
	if err != nil || described.Status != "CREATE_COMPLETE" || described.ExecutionStatus != "AVAILABLE" || len(described.Changes) != 1 {
		t.Fatalf("change set: %+v %v", described, err)
	}
	template, err := awsapi.Call[api.GetTemplateInput, api.GetTemplateOutput](ctx, client, "cloudformation", "GetTemplate",
		&api.GetTemplateInput{StackName: &stack, ChangeSetName: &set, TemplateStage: "Original"})
	if err != nil || *template.TemplateBody != body {
		t.Fatalf("template: %v", err)
	}
	template, err = awsapi.Call[api.GetTemplateInput, api.GetTemplateOutput](ctx, client, "cloudformation", "GetTemplate",
		&api.GetTemplateInput{StackName: &stack, TemplateStage: "Original"})
	if err != nil || template.TemplateBody != nil {
		t.Fatalf("template of a stack under review: %v", err)
	}
	if _, err := awsapi.Call[api.ExecuteChangeSetInput, api.ExecuteChangeSetOutput](ctx, client, "cloudformation", "ExecuteChangeSet",
		&api.ExecuteChangeSetInput{StackName: &stack, ChangeSetName: &set, ClientRequestToken: new("exec-1"), DisableRollback: new(false)}); err != nil {
		t.Fatal(err)
	}
	st := awaitStack(t, client, *made.StackId, "CREATE_COMPLETE")
	if len(st.Outputs) != 1 || !strings.HasPrefix(*st.Outputs[0].OutputValue, "a-") {
		t.Errorf("outputs: %+v", st.Outputs)
	}
	events, err := awsapi.Call[api.DescribeStackEventsInput, api.DescribeStackEventsOutput](ctx, client, "cloudformation", "DescribeStackEvents",
		&api.DescribeStackEventsInput{StackName: made.StackId})
	if err != nil || len(events.StackEvents) != 6 || events.StackEvents[0].ResourceStatus != "CREATE_COMPLETE" {
		t.Fatalf("events: %d %v", len(events.StackEvents), err)
	}

	// The update: the set of that name is deleted first, missing or not, and described until it is gone.
	for range 2 {
		if _, err := awsapi.Call[api.DeleteChangeSetInput, api.DeleteChangeSetOutput](ctx, client, "cloudformation", "DeleteChangeSet",
			&api.DeleteChangeSetInput{StackName: &stack, ChangeSetName: &set}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = awsapi.Call[api.DescribeChangeSetInput, api.DescribeChangeSetOutput](ctx, client, "cloudformation", "DescribeChangeSet",
		&api.DescribeChangeSetInput{StackName: &stack, ChangeSetName: &set})
	wantError(t, err, "ChangeSetNotFound", "ChangeSet [cdk-deploy-change-set] does not exist", 404)

	// destroy
	if _, err := awsapi.Call[api.DeleteStackInput, api.DeleteStackOutput](ctx, client, "cloudformation", "DeleteStack", &api.DeleteStackInput{StackName: &stack}); err != nil {
		t.Fatal(err)
	}
	awaitStack(t, client, *made.StackId, "DELETE_COMPLETE")
	_, err = awsapi.Call[api.DescribeStacksInput, api.DescribeStacksOutput](ctx, client, "cloudformation", "DescribeStacks", &api.DescribeStacksInput{StackName: &stack})
	wantError(t, err, "ValidationError", "Stack with id TapStackdev does not exist", 400)
}

func wantError(t *testing.T, err error, code, message string, status int) {
	t.Helper()
	e, ok := errors.AsType[*awsapi.Error](err)
	if !ok || e.Code != code || e.Message != message || e.Status != status {
		t.Fatalf("got %v (%+v), want %s: %s (%d)", err, e, code, message, status)
	}
}

// awaitStack asks until a stack has a status.
func awaitStack(t testing.TB, client *awsapi.Client, id, status string) api.Stack {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		out, err := awsapi.Call[api.DescribeStacksInput, api.DescribeStacksOutput](t.Context(), client, "cloudformation", "DescribeStacks",
			&api.DescribeStacksInput{StackName: &id})
		if err != nil {
			t.Fatal(err)
		}
		if st := out.Stacks[0]; string(st.StackStatus) == status {
			return st
		}
	}
	t.Fatalf("stack %s does not become %s", id, status)
	return api.Stack{}
}

// TestFortyResources: creation of many quick resources is bound by the disk, not by polling.
func TestFortyResources(t *testing.T) {
	client, _ := serve(t)
	var body strings.Builder
	body.WriteString("Resources:\n  Vpc: {Type: T::Thing}\n")
	for i := range 13 {
		fmt.Fprintf(&body, "  S%d: {Type: T::Thing, Properties: {Uses: [!Ref Vpc]}}\n", i)
		fmt.Fprintf(&body, "  T%d: {Type: T::Thing, Properties: {Uses: [!Ref S%d]}}\n", i, i)
		fmt.Fprintf(&body, "  U%d: {Type: T::Named, DependsOn: T%d}\n", i, i)
	}
	for round := range 3 {
		name := fmt.Sprintf("forty%d", round)
		begin := time.Now()
		out, err := awsapi.Call[api.CreateStackInput, api.CreateStackOutput](t.Context(), client, "cloudformation", "CreateStack",
			&api.CreateStackInput{StackName: &name, TemplateBody: new(body.String())})
		if err != nil {
			t.Fatal(err)
		}
		awaitStack(t, client, *out.StackId, "CREATE_COMPLETE")
		t.Logf("40 resources: %v", time.Since(begin))
	}
}
