// Package clients tells stories of real clients on an engine of their own,
// from an empty account and back, and holds every answer against the model
// that the client itself reads it with.
package clients

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/tests/rig"
)

// TestBoto3 runs testdata/story.py: chapters through ten services, with
// waiters and paginators. It fails on any answer that botocore's model does
// not describe, which boto3 itself would pass over in silence.
func TestBoto3(t *testing.T) {
	python := pythonWith(t, "boto3")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	e := engine(ctx, t)
	program := filepath.Join(t.TempDir(), "server")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, "./testdata/server")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	cmd, err := e.Tool(ctx, python, "-B", story(t), program)
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

// engine starts one that is gone after the test.
func engine(ctx context.Context, t *testing.T) *rig.Engine {
	t.Helper()
	if _, err := exec.LookPath("runc"); err != nil {
		t.Fatal("runc is not installed; install it with: apt-get install runc")
	}
	folder, err := os.MkdirTemp("", "slipway-clients-") // t.TempDir's paths are too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	binary, err := rig.Build(ctx, folder)
	if err != nil {
		t.Fatal(err)
	}
	done, err := rig.Janitor(binary, folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(done)
	e, err := rig.New(rig.Options{Binary: binary, Folder: filepath.Join(folder, "engine")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of engine.log:\n%s", e.Journal())
		}
		if err := e.Close(); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	if _, err := e.Run(ctx, e.StartArgs()...); err != nil {
		t.Fatal(err)
	}
	return e
}

// pythonWith finds a Python that has a module; a story that was not told is
// none that went well.
func pythonWith(t *testing.T, module string) string {
	t.Helper()
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(dir, "python3")
		if exec.Command(path, "-c", "import "+module).Run() == nil {
			return path
		}
	}
	t.Fatalf("no python3 on the path has %s; install it with: apt-get install python3-%s", module, module)
	return ""
}

func story(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("testdata/story.py")
	if err != nil {
		t.Fatal(err)
	}
	return path
}
