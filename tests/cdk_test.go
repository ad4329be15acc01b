package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The CDK's own command line deploys the project: cdk.json names slipway synth
// as the app. Its template is too long for a request, so that it goes by the
// bucket of cdk bootstrap.
func TestCDK(t *testing.T) {
	w := newWorld(t)
	if err := os.MkdirAll(filepath.Join(w.Project, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(w.Binary, filepath.Join(w.Project, "bin", "slipway")); err != nil {
		t.Fatal(err)
	}
	c := newCDK(w, "AWS_ACCOUNT_ID=000000000000", "ENVIRONMENT_SUFFIX=dev")
	run := func(args ...string) string {
		t.Helper()
		return c.run(append(args, "--context", "environmentSuffix=dev")...)
	}
	says(t, run("synth"), "AWS::ECS::Service", "microservices-cluster-dev", "AWS::AppMesh::VirtualNode")
	says(t, run("ls"), "TapStackdev")

	w.must(w.UpArgs()...) // the images have to be pushed before services can start
	c.bootstrapped()
	says(t, run("diff", "--method=template"), "There were no differences")
	says(t, run("drift"), "No drift detected")

	w.write("slipway.yaml", strings.Replace(w.manifest(), "port: 8080 ", "env: {RELEASE: cdk}\n    port: 8080 ", 1))
	says(t, run("diff"), "PaymentTaskDefinition", "RELEASE")
	says(t, run("deploy", "--require-approval", "never"), "TapStackdev", "UPDATE_COMPLETE")
	for _, p := range w.tasks("payment") {
		if p.Env("RELEASE") != "cdk" {
			t.Errorf("process %d is not of what cdk deployed", p.Pid)
		}
	}
	for _, s := range services {
		if a := w.once(s); a.Failed() {
			t.Errorf("%s does not answer: %s", s, a)
		}
	}
	// Parameters without their previous values, the tags of the images, make a
	// difference by change set, which the CDK makes of the template in the bucket;
	// by template there is none.
	if out := run("diff"); strings.Contains(out, "Could not create a change set") {
		t.Errorf("no change set was made:\n%s", out)
	}
	says(t, run("diff", "--method=template"), "There were no differences")
	says(t, run("deploy", "--require-approval", "never"), "no changes")
	run("destroy", "--force")
	if st := c.stack("TapStackdev"); st != nil {
		t.Errorf("after cdk destroy: %+v", st)
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
