package tests

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/tests/rig"
)

// The same platform written in the CDK with its ECS patterns and the default
// synthesizer: assets are published with the roles that cdk bootstrap has made,
// images built and pushed by Docker, and every command of a working day is run.
func TestCDKPatterns(t *testing.T) {
	needRoot(t, "it runs a Docker daemon of its own")
	need(t, "docker", "apt-get install docker.io")
	w := newWorld(t)
	// Only the clock is faster: what fails its checks is known so sooner.
	w.must(append(w.StartArgs(), "--speed", "10")...)
	c := newCDK(w, "DOCKER_HOST="+dockerd(t), "DOCKER_BUILDKIT=0")
	c.dir = filepath.Join(w.Folder, "js")
	c.contexts()
	c.app(map[string]any{
		"app":   "node " + filepath.Join(rig.Root(), "tests", "testdata", "cdk", "platform.js"),
		"watch": map[string]any{"include": []string{"*/Dockerfile"}},
	})
	before := w.networks()
	c.bootstrapped()
	says(t, c.run("bootstrap", "aws://000000000000/us-east-1"), "(no changes)")

	c.deploy("--asset-parallelism")
	c.status("Js", "CREATE_COMPLETE")
	payment, order := c.output("Js", "PaymentHost"), c.output("Js", "OrderHost")
	answers := func(host, path string) {
		t.Helper()
		if a := w.ask(host, path); a.Failed() {
			t.Errorf("%s%s: %s", host, path, a)
		}
	}
	answers(payment, "/payment/health")
	answers(payment, "/notification/health")
	answers(order, "/order/health")
	out, err := w.tool("curl", "-fsS", "--max-time", "10", "--connect-to", "::"+w.Balancer(), "http://"+order+"/order/orders",
		"-d", `{"customer":"ada@example.com","items":[{"sku":"book","quantity":1,"price":1999}]}`)
	if err != nil {
		t.Fatal(err)
	}
	says(t, out, `"paid":true`, `"notified":true`)

	const assembly = "cdk.out" // as it was synthesised last
	says(t, c.run("ls", "--app", assembly), "Js")
	diff := c.run("diff", "--app", assembly)
	says(t, diff, "There were no differences")
	if strings.Contains(diff, "Could not create a change set") {
		t.Errorf("no change set was made:\n%s", diff)
	}
	says(t, c.deploy("--app", assembly), "no changes")
	says(t, c.run("drift", "--app", assembly), "No drift detected")

	t.Run("target group replaced", func(t *testing.T) {
		c := c.in(t)
		says(t, c.run("diff", "-c", "port=8088"), "TargetGroup", "replace")
		// As on AWS the listener names the new group before the service has registered its tasks there.
		c.deploy("-c", "port=8088", "--method", "direct")
		c.status("Js", "UPDATE_COMPLETE")
		answers(payment, "/payment/health")
	})
	t.Run("failing update", func(t *testing.T) {
		c := c.in(t)
		before := w.pids("")
		says(t, c.refused("deploy", "--require-approval", "never", "-c", "port=8088", "-c", "command=healthcheck"), "ECS Deployment Circuit Breaker was triggered")
		c.status("Js", "UPDATE_ROLLBACK_COMPLETE")
		// The CDK lets no replacement be without rollback, so that a property has to be wrong.
		c.refused("deploy", "--require-approval", "never", "-c", "port=8088", "-c", "retention=8", "--no-rollback")
		c.status("Js", "UPDATE_FAILED")
		c.run("rollback", "--app", assembly)
		c.status("Js", "UPDATE_ROLLBACK_COMPLETE")
		answers(payment, "/payment/health")
		w.eventually(20*time.Second, "only what ran before runs", func() (bool, error) {
			return slices.Equal(w.pids(""), before), nil
		})
	})
	t.Run("hotswap", func(t *testing.T) {
		c := c.in(t)
		says(t, c.deploy("-c", "port=8088", "-c", "release=hot", "--hotswap"), "hotswapped")
		w.released("payment", "hot")
		says(t, c.run("drift", "--app", assembly), "TaskDefinition")
		c.deploy("-c", "port=8088", "-c", "release=cold")
		w.released("payment", "cold")
	})
	t.Run("watch", func(t *testing.T) {
		c := c.in(t)
		c.watch(func() {
			c.image("notification", "ENV RELEASE=watched\nENV WATCHED=yes\n")
			w.eventually(time.Minute, "what changed runs", func() (bool, error) {
				tasks, err := w.Tasks("notification")
				return len(tasks) == 1 && tasks[0].Env("WATCHED") == "yes", err
			})
		})
	})
	c.run("destroy", "--force", "--app", assembly)
	if st := c.stack("Js"); st != nil {
		t.Errorf("after cdk destroy: %+v", st)
	}
	w.eventually(10*time.Second, "no task is left", func() (bool, error) { return len(w.tasks("")) == 0, nil })
	if after := w.networks(); after != before {
		t.Errorf("cdk destroy leaves %+v, want %+v", after, before)
	}
}

// in is the same for a story within the story.
func (c cdk) in(t *testing.T) cdk {
	c.world = world{t, c.Engine}
	return c
}

// contexts writes what the images of the services are built of.
func (c cdk) contexts() {
	c.Helper()
	for _, s := range services {
		dir := filepath.Join(c.dir, s)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			c.Fatal(err)
		}
		cmd := exec.CommandContext(c.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, "app"), "./examples/"+s)
		cmd.Dir, cmd.Env = rig.Root(), append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			c.Fatalf("build %s: %v\n%s", s, err, out)
		}
		c.image(s, "")
	}
}

func (c cdk) image(service, more string) {
	c.Helper()
	text := "FROM scratch\nCOPY app /app\nUSER 65532:65532\n" + more + `ENTRYPOINT ["/app"]` + "\n"
	if err := os.WriteFile(filepath.Join(c.dir, service, "Dockerfile"), []byte(text), 0o644); err != nil {
		c.Fatal(err)
	}
}

// watch runs cdk watch while something happens, from its first deployment on.
func (c cdk) watch(during func()) {
	c.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	defer cancel()
	cmd := c.command(ctx, "watch", "--no-logs", "-c", "port=8088", "-c", "release=cold")
	read, write, err := os.Pipe()
	if err != nil {
		c.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		c.Fatal(err)
	}
	_ = write.Close()
	said := make(chan string, 1)
	var out strings.Builder
	go func() {
		b := make([]byte, 4096)
		for first := true; ; {
			n, err := read.Read(b)
			out.Write(b[:n])
			if first && strings.Contains(out.String(), "Total time") {
				first = false
				said <- ""
			}
			if err != nil {
				close(said)
				return
			}
		}
	}()
	if _, ok := <-said; ok {
		during()
	}
	_ = cmd.Process.Signal(syscall.SIGINT)
	_ = cmd.Wait() // by a signal
	for range said {
	}
	c.Logf("cdk watch:\n%s", out.String())
}

// released asserts which release the one task of a service is of.
func (w world) released(service, want string) {
	w.Helper()
	w.eventually(20*time.Second, service+" of release "+want+" runs alone", func() (bool, error) {
		tasks, err := w.Tasks(service)
		return len(tasks) == 1 && tasks[0].Env("RELEASE") == want, err
	})
}

// ask sends one request by a load balancer's name.
func (w world) ask(host, path string) rig.Answer {
	w.Helper()
	result := rig.Load{Addr: w.Balancer(), URL: "http://" + host + path, Conns: 1, Count: 1}.Run(w.Context())
	if len(result) != 1 {
		w.Fatalf("%d answers", len(result))
	}
	return result[0]
}

// holdings are how much of the network's resources there is.
type holdings struct{ VPCs, Addresses, Balancers, Groups int }

func (w world) networks() (n holdings) {
	w.Helper()
	n.VPCs = len(call[ec2api.DescribeVpcsInput, ec2api.DescribeVpcsOutput](w, "ec2", "DescribeVpcs", &ec2api.DescribeVpcsInput{}).Vpcs)
	n.Addresses = len(call[ec2api.DescribeAddressesInput, ec2api.DescribeAddressesOutput](w, "ec2", "DescribeAddresses", &ec2api.DescribeAddressesInput{}).Addresses)
	n.Balancers = len(call[elbv2api.DescribeLoadBalancersInput, elbv2api.DescribeLoadBalancersOutput](w, "elbv2", "DescribeLoadBalancers", &elbv2api.DescribeLoadBalancersInput{}).LoadBalancers)
	n.Groups = len(call[elbv2api.DescribeTargetGroupsInput, elbv2api.DescribeTargetGroupsOutput](w, "elbv2", "DescribeTargetGroups", &elbv2api.DescribeTargetGroupsInput{}).TargetGroups)
	return n
}
