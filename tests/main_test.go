// Package tests tells the project's stories from end to end: the built binary,
// engines of its own on state directories and ports of their own, real clients
// (curl, the AWS command line in both versions, boto3, docker, skopeo), and the
// host's own view of processes, mounts and namespaces. Nothing is mocked.
//
// A tool that is missing fails the story that needs it, with the line that
// installs it: a story that was not told is no story that went well.
package tests

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/tests/rig"
)

var (
	seed        = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the stories that do things at random moments")
	repetitions = flag.Int("chaos", 8, "how often the engine is killed at a random moment; 50 and 200 for the long versions")
)

var (
	folder string // of all engines of this run
	binary string
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if folder, err = os.MkdirTemp("", "slipway-tests-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := os.Chmod(folder, 0o755); err != nil { // the ordinary user's engine is in it
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := lookAtSources(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if binary, err = rig.Build(context.Background(), folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	done, err := rig.Janitor(binary, folder)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer done()
	return m.Run()
}

// need fails the story when a program is missing.
func need(t testing.TB, program, install string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is not installed; install it with: %s", program, install)
	}
	return path
}

func needRoot(t testing.TB, why string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatalf("this story needs root (%s): run the tests with sudo, or leave it out with -skip", why)
	}
}

// world is one engine and the story that has it.
type world struct {
	testing.TB
	*rig.Engine
}

// newWorld prepares an engine that is gone after the story.
func newWorld(t testing.TB, change ...func(*rig.Options)) world {
	t.Helper()
	need(t, "runc", "apt-get install runc")
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == ' ' {
			return '-'
		}
		return r
	}, t.Name())
	o := rig.Options{Binary: binary, Folder: filepath.Join(folder, name)}
	for _, c := range change {
		c(&o)
	}
	e, err := rig.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w := world{t, e}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of engine.log:\n%s", e.Journal())
		}
		if err := e.Close(); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	return w
}

var shared struct {
	sync.Mutex
	engine *rig.Engine
}

// platform is a world with the platform up, shared by the stories that leave
// it as they found it.
func platform(t testing.TB) world {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.engine == nil {
		e, err := rig.New(rig.Options{Binary: binary, Folder: filepath.Join(folder, "shared")})
		if err != nil {
			t.Fatal(err)
		}
		shared.engine = e // the janitor ends it
	}
	w := world{t, shared.engine}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of engine.log:\n%s", w.Journal())
		}
	})
	// Also when it is up: whatever a failed story has left is put right.
	w.must(w.UpArgs()...)
	return w
}

// must runs slipway and fails the story when it fails.
func (w world) must(args ...string) string {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	defer cancel()
	out, err := w.Run(ctx, args...)
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// fails runs slipway, which has to fail with an exit code, and returns all it
// has printed.
func (w world) fails(code int, args ...string) string {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	defer cancel()
	out, err := w.Run(ctx, args...)
	failed, ok := errors.AsType[*rig.CommandError](err)
	if !ok {
		w.Fatalf("slipway %s should fail, but it printed: %s", strings.Join(args, " "), out)
	}
	if failed.Code() != code {
		w.Fatalf("slipway %s exited with %d, want %d:\n%s", strings.Join(args, " "), failed.Code(), code, failed.Output)
	}
	return failed.Output
}

// says asserts that a text tells certain things.
func says(t testing.TB, text string, wanted ...string) {
	t.Helper()
	for _, w := range wanted {
		if !strings.Contains(text, w) {
			t.Errorf("it does not say %q:\n%s", w, text)
		}
	}
}

// tool runs another program in the engine's environment.
func (w world) tool(argv ...string) (string, error) {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	defer cancel()
	cmd, err := w.Tool(ctx, argv...)
	if err != nil {
		return "", err
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out), nil
}

// eventually waits until something is true.
func (w world) eventually(limit time.Duration, what string, done func() (bool, error)) {
	w.Helper()
	if err := rig.Until(context.Background(), limit, what, done); err != nil {
		w.Fatal(err)
	}
}

// call calls an operation of the engine's API.
func call[I, O any](w world, service, op string, in *I) *O {
	w.Helper()
	out, err := try[I, O](w, service, op, in)
	if err != nil {
		w.Fatalf("%s %s: %v", service, op, err)
	}
	return out
}

func try[I, O any](w world, service, op string, in *I) (*O, error) {
	w.Helper()
	c, err := w.Client()
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return awsapi.Call[I, O](ctx, c, service, op, in)
}

func val[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// lookAtSources lets go test know what the stories depend on besides this
// package: the whole source of the binary. A cached result would be a lie else.
func lookAtSources() error {
	return filepath.WalkDir(rig.Root(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == "bin" || name == "node_modules" || name == "cdk.out" || strings.HasPrefix(name, ".")) {
			return fs.SkipDir
		}
		_, err = d.Info()
		return err
	})
}
