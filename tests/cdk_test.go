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
	c := newOwnCDK(t)
	w := c.world
	run := func(args ...string) string {
		t.Helper()
		return c.run(append(args, "--context", "environmentSuffix=dev")...)
	}
	says(t, run("synth"), "AWS::ECS::Service", "microservices-cluster-dev", "AWS::AppMesh::VirtualNode")
	says(t, run("ls"), "TapStackdev")

	w.must(w.StartArgs()...)
	c.bootstrapped()
	c.previewed(run("diff"))
	w.must(w.UpArgs()...) // the images have to be pushed before services can start
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
	c.previewed(run("diff"))
	says(t, run("diff", "--method=template"), "There were no differences")
	says(t, run("deploy", "--require-approval", "never"), "no changes")
	run("destroy", "--force")
	if st := c.stack("TapStackdev"); st != nil {
		t.Errorf("after cdk destroy: %+v", st)
	}
	w.eventually(10*time.Second, "no task is left", func() (bool, error) { return len(w.tasks("")) == 0, nil })
}

// A platform that fits into a request needs no cdk bootstrap. With a mesh it no
// longer does; the CDK says what is missing, and the same stack grows by it.
func TestCDKGrows(t *testing.T) {
	c := newOwnCDK(t)
	w := c.world
	whole := w.manifest()
	small := strings.Replace(whole, "mesh: {enabled: true}", "mesh: {enabled: false}", 1)
	w.write("slipway.yaml", small)
	w.must(w.StartArgs()...)
	c.previewed(c.run("diff"))
	w.must(w.UpArgs()...)
	w.write("slipway.yaml", strings.Replace(small, "port: 8080 ", "env: {RELEASE: cdk}\n    port: 8080 ", 1))
	says(t, c.deploy(), "UPDATE_COMPLETE")
	for _, p := range w.tasks("payment") {
		if p.Env("RELEASE") != "cdk" {
			t.Errorf("process %d is not of what cdk deployed", p.Pid)
		}
	}

	w.write("slipway.yaml", whole)
	says(t, c.refused("deploy", "--require-approval", "never"), "cdk bootstrap")
	c.bootstrapped()
	diff := c.run("diff")
	c.previewed(diff)
	says(t, diff, "AWS::AppMesh::Mesh")
	says(t, c.deploy(), "UPDATE_COMPLETE")
	for _, s := range services {
		if a := w.once(s); a.Failed() {
			t.Errorf("%s does not answer: %s", s, a)
		}
	}
	says(t, c.run("drift"), "No drift detected")
}

// newOwnCDK has the project of the repository as its app: cdk.json names slipway.
func newOwnCDK(t *testing.T) cdk {
	t.Helper()
	w := newWorld(t)
	if err := os.MkdirAll(filepath.Join(w.Project, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(w.Binary, filepath.Join(w.Project, "bin", "slipway")); err != nil {
		t.Fatal(err)
	}
	return newCDK(w, "AWS_ACCOUNT_ID=000000000000", "ENVIRONMENT_SUFFIX=dev")
}

// previewed asserts that a difference is that of a change set.
func (c cdk) previewed(diff string) {
	c.Helper()
	if strings.Contains(diff, "Could not create a change set") {
		c.Errorf("no change set was made:\n%s", diff)
	}
}

func (w world) manifest() string {
	w.Helper()
	b, err := os.ReadFile(filepath.Join(w.Project, "slipway.yaml"))
	if err != nil {
		w.Fatal(err)
	}
	return string(b)
}
