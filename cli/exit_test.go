package cli

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/api/ecsapi"
)

// TestExitCodes: they are part of the interface.
func TestExitCodes(t *testing.T) {
	cases := []struct {
		args []string
		code int
		says string // on standard error
	}{
		{[]string{"version"}, exitOK, ""},
		{[]string{"nonsense"}, exitUsage, `unknown command "nonsense"`},
		{[]string{"status", "--nonsense"}, exitUsage, "unknown flag"},
		{[]string{"scale", "payment"}, exitUsage, "accepts 2 arg(s)"},
		{[]string{"scale", "payment", "many"}, exitUsage, "no number of tasks"},
		{[]string{"logs", "paymnt"}, exitUsage, "there is no service paymnt; did you mean payment? (services: payment, order)"},
		{[]string{"logs", "billing"}, exitUsage, "there is no service billing (services: payment, order)"},
		{[]string{"logs", "--since", "soon"}, exitUsage, "no age and no time"},
		{[]string{"exec", "payment"}, exitUsage, "say what to run"},
		{[]string{"exec", "payment", "--", "sh"}, exitFailed, "no task of payment runs"},
		{[]string{"exec", "0123abcd", "--", "sh"}, exitUsage, "no task 0123abcd runs"},
		{[]string{"push", "payment"}, exitUsage, "payment is not built here"},
		{[]string{"init"}, exitUsage, "exists; it is left as it is"},
		{[]string{"outputs"}, exitOK, ""},
		{[]string{"diff"}, exitOK, ""},
		{[]string{"diff", "--exit-code"}, exitFailed, ""},
	}
	for _, tc := range cases {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			c := newCloud(t)
			c.tasks()
			c.stack("UPDATE_COMPLETE")
			c.changeSet()
			if code := c.run(t.Context(), tc.args...); code != tc.code {
				t.Errorf("exit code %d, want %d: %s", code, tc.code, c.err.String())
			}
			c.want(&c.err, tc.says)
		})
	}
}

// changeSet answers with one of each change.
func (c *cloud) changeSet() {
	handle(c, c.cfn, "CreateChangeSet", func(in *cfnapi.CreateChangeSetInput) (*cfnapi.CreateChangeSetOutput, error) {
		return &cfnapi.CreateChangeSetOutput{Id: new("arn:aws:cloudformation:us-east-1:000000000000:changeSet/x/1"), StackId: in.StackName}, nil
	})
	handle(c, c.cfn, "DeleteChangeSet", func(*cfnapi.DeleteChangeSetInput) (*cfnapi.DeleteChangeSetOutput, error) {
		return &cfnapi.DeleteChangeSetOutput{}, nil
	})
	change := func(action cfnapi.ChangeAction, id, kind string, replacement cfnapi.Replacement, properties ...string) cfnapi.Change {
		r := &cfnapi.ResourceChange{Action: action, LogicalResourceId: &id, ResourceType: &kind, Replacement: replacement}
		for _, p := range properties {
			r.Details = append(r.Details, cfnapi.ResourceChangeDetail{Target: &cfnapi.ResourceTargetDefinition{Attribute: "Properties", Name: &p}})
		}
		return cfnapi.Change{Type: "Resource", ResourceChange: r}
	}
	handle(c, c.cfn, "DescribeChangeSet", func(in *cfnapi.DescribeChangeSetInput) (*cfnapi.DescribeChangeSetOutput, error) {
		switch c.calls["DescribeChangeSet"] {
		case 1:
			return &cfnapi.DescribeChangeSetOutput{Status: "CREATE_IN_PROGRESS"}, nil
		case 2:
			return &cfnapi.DescribeChangeSetOutput{Status: "CREATE_COMPLETE", NextToken: new("more"), Changes: []cfnapi.Change{
				change("Add", "OrderService", "AWS::ECS::Service", ""),
				change("Modify", "PaymentTaskDefinition", "AWS::ECS::TaskDefinition", "True", "ContainerDefinitions", "Cpu", "ContainerDefinitions"),
			}}, nil
		}
		return &cfnapi.DescribeChangeSetOutput{Status: "CREATE_COMPLETE", Changes: []cfnapi.Change{
			change("Modify", "PaymentService", "AWS::ECS::Service", "Conditional", "TaskDefinition"), change("Remove", "OldQueue", "AWS::SQS::Queue", ""),
		}}, nil
	})
}

func TestDiff(t *testing.T) {
	c := newCloud(t)
	c.stack("UPDATE_COMPLETE")
	c.changeSet()
	if code := c.run(t.Context(), "diff"); code != exitOK {
		t.Fatalf("exit code %d: %s", code, c.err.String())
	}
	golden(t, "diff", c.out.String())
	if c.calls["DeleteChangeSet"] != 1 {
		t.Error("the change set is left over")
	}
}

// TestNoEngine: without an engine every command says how to start one.
func TestNoEngine(t *testing.T) {
	c := newCloud(t)
	server := httptest.NewServer(c)
	endpoint := server.URL
	a := c.app()
	a.transport = nil // the network
	credentials := filepath.Join(c.home, "credentials.json")
	c.file(credentials, `{"endpoint":"`+endpoint+`","region":"us-east-1","accessKey":"k","secretKey":"s"}`)
	c.stack("UPDATE_COMPLETE")
	args := []string{"outputs", "--home", c.home, "--file", c.manifest}
	if code := a.run(t.Context(), args, nil); code != exitOK {
		t.Errorf("over the network: exit code %d: %s", code, c.err.String())
	}
	server.Close()
	if code := a.run(t.Context(), args, nil); code != exitNoEngine {
		t.Errorf("nobody answers: exit code %d", code)
	}
	c.want(&c.err, "does not answer", "slipway engine status")
	if err := os.Remove(credentials); err != nil {
		t.Fatal(err)
	}
	if code := a.run(t.Context(), args, nil); code != exitNoEngine {
		t.Errorf("no credentials: exit code %d", code)
	}
	c.want(&c.err, "slipway up")
}

// TestGuilty: the log of the container that failed is shown, not that of the
// sidecar that was stopped with it.
func TestGuilty(t *testing.T) {
	exit := func(name string, code int32) ecsapi.Container { return ecsapi.Container{Name: &name, ExitCode: &code} }
	for want, all := range map[string][]ecsapi.Container{
		"app":  {exit("envoy", 143), exit("app", 3)},
		"slow": {exit("envoy", 143), {Name: new("slow"), HealthStatus: "UNHEALTHY"}},
		"gone": {{Name: new("gone"), Reason: new("CannotPullContainerError: not found")}, {Name: new("other")}},
		"only": {exit("only", 0)},
	} {
		if got := guilty(all); len(got) != 1 || *got[0].Name != want {
			t.Errorf("%s: %v", want, got)
		}
	}
}
