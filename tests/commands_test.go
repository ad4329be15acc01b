package tests

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/tests/rig"
)

// Every command of the platform's own documentation, in one script, by the real
// clients; go test -v shows what each has printed.
func TestCommands(t *testing.T) {
	needRoot(t, "it runs a Docker daemon of its own")
	for program, from := range map[string]string{"docker": "docker.io", "skopeo": "skopeo", "curl": "curl", "bash": "bash", "node": "nodejs npm"} {
		need(t, program, "apt-get install "+from)
	}
	cdk := filepath.Join(rig.Root(), "tests", "testdata", "cdk", "node_modules", ".bin")
	if _, err := os.Stat(filepath.Join(cdk, "cdk")); err != nil {
		t.Fatalf("the CDK is not installed; install it with: make deps-test (npm ci in tests/testdata/cdk)")
	}
	w := newWorld(t)
	host := dockerd(t)
	bin := filepath.Join(w.Folder, "bin")
	if err := os.MkdirAll(filepath.Join(w.Project, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	aws := awsVersion(t, "2")
	for link, to := range map[string]string{filepath.Join(w.Project, "bin", "slipway"): w.Binary, filepath.Join(bin, "slipway"): w.Binary} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	wrapper := "#!/bin/sh\nexec '" + aws.program + "' " + aws.args + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "aws"), []byte(wrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	w.must(w.StartArgs()...)
	ctx, cancel := context.WithTimeout(t.Context(), 3*rig.Patience)
	defer cancel()
	cmd, err := w.Tool(ctx, "env", "PATH="+strings.Join([]string{bin, cdk, os.Getenv("PATH")}, string(filepath.ListSeparator)),
		"CDK_DISABLE_CLI_TELEMETRY=true", "CI=1", "HOME="+w.Folder, "AWS_ACCOUNT_ID=000000000000", "AWS_PAGER=",
		"DOCKER_HOST="+host, "DOCKER_CONFIG="+t.TempDir(), "DOCKER_BUILDKIT=0",
		"bash", filepath.Join(rig.Root(), "tests", "testdata", "clients", "commands.sh"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := cmd.CombinedOutput()
	out := string(b)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log(out)
	says(t, out, "Login Succeeded", "latest: digest: sha256:", "microservices-dev.elb.localhost", "has reached a steady state", "STRICT", "healthy",
		`"service":"payment","status":"ok"`, "There were no differences", "TapStackdev: destroyed")
}
