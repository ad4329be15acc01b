package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/tests/rig"
)

// cdk is the CDK's own command line, pinned, at work in a folder against an
// engine of its own.
type cdk struct {
	world
	program string
	dir     string
	env     []string
}

// newCDK has the world's project as its app; its variables are what a user's
// shell would have.
func newCDK(w world, env ...string) cdk {
	w.Helper()
	need(w, "node", "apt-get install nodejs npm")
	modules := filepath.Join(rig.Root(), "tests", "testdata", "cdk", "node_modules")
	program := filepath.Join(modules, ".bin", "cdk")
	for _, path := range []string{program, filepath.Join(modules, "aws-cdk-lib")} {
		if _, err := os.Stat(path); err != nil {
			w.Fatalf("the CDK is not installed; install it with: make deps-test (npm ci in tests/testdata/cdk)")
		}
	}
	return cdk{w, program, w.Project, append([]string{
		"CDK_DISABLE_CLI_TELEMETRY=true", "CDK_VALIDATION=false", "CI=1", "HOME=" + w.Folder, "NODE_NO_WARNINGS=1",
	}, env...)}
}

func (c cdk) command(ctx context.Context, args ...string) *exec.Cmd {
	c.Helper()
	cmd, err := c.Tool(ctx, append([]string{c.program}, append(args, "--no-notices", "--no-color")...)...)
	if err != nil {
		c.Fatal(err)
	}
	cmd.Dir, cmd.Env = c.dir, append(cmd.Env, c.env...)
	return cmd
}

func (c cdk) try(args ...string) (string, error) {
	c.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	defer cancel()
	began := time.Now()
	out, err := c.command(ctx, args...).CombinedOutput()
	c.Logf("cdk %s: %s", strings.Join(args, " "), time.Since(began).Round(10*time.Millisecond))
	if err != nil {
		return string(out), fmt.Errorf("cdk %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

func (c cdk) run(args ...string) string {
	c.Helper()
	out, err := c.try(args...)
	if err != nil {
		c.Fatal(err)
	}
	return out
}

// refused runs a command that has to fail.
func (c cdk) refused(args ...string) string {
	c.Helper()
	out, err := c.try(args...)
	if err == nil {
		c.Fatalf("cdk %s should fail, but it printed:\n%s", strings.Join(args, " "), out)
	}
	return out
}

// deploy deploys without questions.
func (c cdk) deploy(args ...string) string {
	c.Helper()
	return c.run(append([]string{"deploy", "--require-approval", "never"}, args...)...)
}

// stack describes a stack; nil when there is none.
func (c cdk) stack(name string) *cfnapi.Stack {
	c.Helper()
	out, err := try[cfnapi.DescribeStacksInput, cfnapi.DescribeStacksOutput](c.world, "cloudformation", "DescribeStacks", &cfnapi.DescribeStacksInput{StackName: &name})
	switch {
	case err != nil && strings.Contains(err.Error(), "does not exist"):
		return nil
	case err != nil:
		c.Fatal(err)
	}
	return &out.Stacks[0]
}

func (c cdk) output(stack, key string) string {
	c.Helper()
	if st := c.stack(stack); st != nil {
		for _, o := range st.Outputs {
			if val(o.OutputKey) == key {
				return val(o.OutputValue)
			}
		}
	}
	c.Fatalf("stack %s has no output %s", stack, key)
	return ""
}

func (c cdk) status(stack, want string) {
	c.Helper()
	st := c.stack(stack)
	if st == nil || string(st.StackStatus) != want {
		c.Fatalf("stack %s is %+v, want %s", stack, st, want)
	}
}

// bootstrapped makes the CDK's toolkit stack, as it comes.
func (c cdk) bootstrapped() {
	c.Helper()
	says(c, c.run("bootstrap", "aws://000000000000/us-east-1"), "bootstrapped")
	c.status("CDKToolkit", "CREATE_COMPLETE")
}

// app writes a cdk.json.
func (c cdk) app(settings map[string]any) {
	c.Helper()
	b, err := json.Marshal(settings)
	if err == nil {
		err = os.WriteFile(filepath.Join(c.dir, "cdk.json"), b, 0o644)
	}
	if err != nil {
		c.Fatal(err)
	}
}
