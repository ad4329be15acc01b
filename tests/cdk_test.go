package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/tests/rig"
)

// The CDK's own command line deploys the project: cdk.json names slipway synth
// as the app.
func TestCDK(t *testing.T) {
	need(t, "node", "apt-get install nodejs npm")
	cdk := filepath.Join(rig.Root(), "tests", "testdata", "cdk", "node_modules", ".bin", "cdk")
	if _, err := os.Stat(cdk); err != nil {
		t.Fatalf("the CDK is not installed; install it with: make deps-test (npm ci in tests/testdata/cdk)")
	}
	w := newWorld(t)
	// Without a bucket (cdk bootstrap) the CDK takes a template of 51,200 bytes, as YAML; the mesh's is longer.
	if err := w.Manifest("mesh: {enabled: true}", "mesh: {enabled: false}"); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(w.Project, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(w.Binary, filepath.Join(w.Project, "bin", "slipway")); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		argv := append([]string{"env", "CDK_DISABLE_CLI_TELEMETRY=true", "CI=1", "HOME=" + w.Folder, "AWS_ACCOUNT_ID=000000000000", cdk}, args...)
		began := time.Now()
		out, err := w.tool(append(argv, "--no-notices", "--context", "environmentSuffix=dev", "--no-color")...)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("cdk %s: %s", strings.Join(args, " "), time.Since(began).Round(10*time.Millisecond))
		return out
	}
	says(t, run("synth"), "AWS::ECS::Service", "microservices-cluster-dev")
	says(t, run("ls"), "TapStackdev")

	w.must(w.UpArgs()...) // the images have to be pushed before services can start
	// Parameters without their previous values, the tags of the images, make a
	// difference by change set; by template there is none.
	says(t, run("diff"), "read-only change set")
	says(t, run("diff", "--method=template"), "There were no differences")

	w.write("slipway.yaml", strings.Replace(w.manifest(), "port: 8080 ", "env: {RELEASE: cdk}\n    port: 8080 ", 1))
	says(t, run("diff"), "PaymentTaskDefinition", "RELEASE")
	says(t, run("deploy", "--require-approval", "never"), "TapStackdev")
	tasks := w.tasks("payment")
	for _, p := range tasks {
		if p.Env("RELEASE") != "cdk" {
			t.Errorf("process %d is not of what cdk deployed", p.Pid)
		}
	}
	for _, s := range services {
		if a := w.once(s); a.Failed() {
			t.Errorf("%s does not answer: %s", s, a)
		}
	}
	says(t, run("diff", "--method=template"), "There were no differences")
	run("destroy", "--force")
	if _, err := try[cfnapi.DescribeStacksInput, cfnapi.DescribeStacksOutput](w, "cloudformation", "DescribeStacks",
		&cfnapi.DescribeStacksInput{StackName: new("TapStackdev")}); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("after cdk destroy: %v", err)
	}
	w.eventually(10*time.Second, "no task is left", func() (bool, error) { return len(w.tasks("")) == 0, nil })
}

func (w world) manifest() string {
	w.Helper()
	b, err := os.ReadFile(filepath.Join(w.Project, "slipway.yaml"))
	if err != nil {
		w.Fatal(err)
	}
	return string(b)
}
