package tests

import (
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Mistakes are told in words that say what to do, and cost nothing.
func TestBadInput(t *testing.T) {
	t.Run("the API's port is taken", func(t *testing.T) {
		w := newWorld(t)
		l, err := net.Listen("tcp4", w.API)
		if err != nil {
			t.Fatal(err)
		}
		says(t, w.fails(3, w.StartArgs()...), w.API, "address already in use", "--api")
		l.Close()
		w.must(w.StartArgs()...)
	})
	t.Run("the load balancer's port is taken", func(t *testing.T) {
		w := newWorld(t)
		l, err := net.Listen("tcp4", w.Balancer())
		if err != nil {
			t.Fatal(err)
		}
		says(t, w.fails(1, w.UpArgs()...), port(w.Balancer()), "in use", "LoadBalancer")
		l.Close()
		w.must(w.UpArgs()...)
	})
	t.Run("a second engine on one state directory", func(t *testing.T) {
		w := newWorld(t)
		w.must(w.StartArgs()...)
		st, err := w.Status()
		if err != nil {
			t.Fatal(err)
		}
		says(t, w.must(w.StartArgs()...), "the engine runs already")
		if now, err := w.Status(); err != nil || now.Pid != st.Pid {
			t.Errorf("the engine was %d and is %d (%v)", st.Pid, now.Pid, err)
		}
	})
	t.Run("two start at once", func(t *testing.T) {
		w := newWorld(t)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, err := w.Run(t.Context(), w.StartArgs()...); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		w.must("engine", "status")
	})
	t.Run("no engine", func(t *testing.T) {
		w := newWorld(t)
		says(t, w.fails(3, "engine", "status"), "no engine runs")
		says(t, w.fails(3, "outputs"), "slipway up")
		w.must("down", "--all") // nothing to do is done
		w.must(w.StartArgs()...)
		w.must("engine", "stop")
		says(t, w.fails(3, "outputs"), "slipway")
	})
	t.Run("the manifest", func(t *testing.T) {
		w := newWorld(t)
		for _, wrong := range []struct {
			from, to string
			says     []string
		}{
			{"  cpu: 512\n", "  cpu: 513\n", []string{"variant.yaml:", "513", "512"}},
			{"port: 8080 ", "prot: 8080 ", []string{"variant.yaml:", "prot", "port"}},
			{"calls: [payment, notification, order]", "calls: [payments]", []string{"variant.yaml:", "payments", "payment"}},
			{"cidr: 10.0.0.0/16", "cidr: 10.0.0.0/99", []string{"variant.yaml:", "10.0.0.0/99"}},
			{"build: examples/payment ", "build: examples/paymant ", []string{"variant.yaml:", "examples/paymant"}},
			{"services:", "services: [", []string{"variant.yaml:"}},
		} {
			out := w.fails(2, append(w.UpArgs(), "--file", w.variantManifest(wrong.from, wrong.to))...)
			says(t, out, wrong.says...)
			if st, err := w.Status(); err != nil || st.Running {
				t.Errorf("an engine was started for a wrong manifest (%v)", err)
			}
		}
		says(t, w.fails(2, "up", "--file", "nowhere.yaml"), "nowhere.yaml", "slipway init")
		says(t, w.fails(2, "up", "--nonsense"), "--nonsense")
	})
	t.Run("code that does not compile", func(t *testing.T) {
		w := newWorld(t)
		w.write("examples/broken/main.go", "package main\n\nfunc main() { undefined() }\n")
		out := w.fails(1, append(w.UpArgs(), "--file", w.variantManifest("build: examples/payment ", "build: examples/broken "))...)
		says(t, out, "examples/broken/main.go:3:15", "undefined")
	})
	t.Run("templates", func(t *testing.T) {
		w := newWorld(t)
		w.must(w.StartArgs()...)
		aws := awsVersion(t, "1")
		for name, wrong := range map[string]struct{ template, says string }{
			"unknown type":    {`{"Resources":{"Thing":{"Type":"AWS::Nothing::Thing"}}}`, "Template format error: Unrecognized resource types: [AWS::Nothing::Thing]"},
			"wrong reference": {`{"Resources":{"C":{"Type":"AWS::ECS::Cluster","Properties":{"ClusterName":{"Ref":"Nope"}}}}}`, "Unresolved resource dependencies [Nope]"},
			"circle": {
				`{"Resources":{"A":{"Type":"AWS::EC2::SecurityGroup","Properties":{"GroupDescription":{"Ref":"B"}}},"B":{"Type":"AWS::EC2::SecurityGroup","Properties":{"GroupDescription":{"Ref":"A"}}}}}`,
				"Circular dependency between resources: [",
			},
			"no JSON": {`{"Resources":`, "Template format error"},
			"empty":   {`{}`, "At least one Resources member must be defined"},
		} {
			out, err := w.tool(aws.program, "cloudformation", "create-stack", "--stack-name", "wrong", "--template-body", wrong.template)
			if err == nil {
				t.Errorf("%s: it was taken: %s", name, out)
			}
			says(t, out, "ValidationError", wrong.says)
		}
		// What a resource's properties are is known when it is made: the stack
		// fails and rolls back.
		w.tool(aws.program, "cloudformation", "create-stack", "--stack-name", "wrong", "--template-body",
			`{"Resources":{"V":{"Type":"AWS::EC2::VPC","Properties":{"CidrBlock":"10.0.0.0/16","EnableDnsSupport":"perhaps","Cidr":"x"}}}}`)
		if out, err := w.tool(aws.program, "cloudformation", "wait", "stack-create-complete", "--stack-name", "wrong"); err == nil {
			t.Errorf("a stack with wrong properties was made: %s", out)
		}
		out, err := w.tool(aws.program, "cloudformation", "describe-stack-events", "--stack-name", "wrong", "--query", "StackEvents[].[ResourceStatus,ResourceStatusReason]", "--output", "text")
		if err != nil {
			t.Fatal(err)
		}
		says(t, out, "CREATE_FAILED", "Encountered unsupported property Cidr", "ROLLBACK_COMPLETE")
	})
	t.Run("runc is missing", func(t *testing.T) {
		w := newWorld(t)
		cmd, err := w.Command(t.Context(), w.StartArgs()...)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Env = append(cmd.Env, "PATH="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Fatalf("an engine starts without runc: %s", out)
		}
		says(t, string(out), "runc", "apt-get install runc")
	})
	t.Run("settings that are no JSON", func(t *testing.T) {
		w := newWorld(t)
		if err := os.MkdirAll(w.Home, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(w.Home, "settings.json"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		says(t, w.fails(1, w.StartArgs()...), "settings.json", "remove the file")
	})
}
