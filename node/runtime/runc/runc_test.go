package runc_test

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/node/runtime"
	"github.com/slipway-dev/slipway/node/runtime/image"
	"github.com/slipway-dev/slipway/node/runtime/runc"
	"github.com/slipway-dev/slipway/node/runtime/runtimetest"
)

// bed is where real containers can run.
type bed struct {
	runtimetest.Subject
	dir      string
	cgroup   string
	init     string
	always   bool // runc
	images   *image.Store
	launcher *runtimetest.Launcher
	driver   *runc.Driver
}

// newBed makes a driver; at the end of the test nothing of it may be left.
func newBed(t testing.TB) *bed { return newBedOf(t, false) }

// newBedOf makes one whose containers are started by runc always, or only when they have to be.
func newBedOf(t testing.TB, always bool) *bed {
	t.Helper()
	if _, err := exec.LookPath("runc"); err != nil {
		t.Fatal("these tests run real containers and need runc: apt-get install -y runc")
	}
	if os.Getuid() != 0 {
		t.Fatal("these tests run real containers and need root: sudo go test ./node/...")
	}
	b := &bed{dir: t.TempDir(), always: always}
	b.cgroup = "/slipway-test-" + strings.ReplaceAll(strings.TrimPrefix(b.dir, os.TempDir()), "/", "")
	var err error
	if b.images, err = image.Open(image.Config{Dir: filepath.Join(b.dir, "images"), Log: slog.New(slog.NewTextHandler(t.Output(), nil))}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.images.Close(); err != nil {
			t.Error(err)
		}
		b.nothingLeft(t)
	})
	b.launcher = runtimetest.NewLauncher(t)
	ref := runtimetest.Registry(t) + "/app:latest"
	runtimetest.Push(t, ref, runtimetest.ProgramImage(t))
	img, err := b.images.Pull(t.Context(), ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.driver = b.open(t)
	b.Subject = runtimetest.Subject{Driver: b.driver, Image: img, Again: func() runtime.Driver {
		b.driver.Close()
		b.driver = b.open(t)
		return b.driver
	}}
	return b
}

func (b *bed) open(t testing.TB) *runc.Driver {
	t.Helper()
	d, err := runc.New(runc.Config{
		Dir: b.dir, Launcher: b.launcher, Images: b.images, Cgroup: b.cgroup, Init: b.init, InitArgs: []string{"init"}, AlwaysRunc: b.always,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// nothingLeft fails the test for every mount and cgroup that stayed.
func (b *bed) nothingLeft(t testing.TB) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Error(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, b.dir) {
			t.Errorf("mount left: %s", line)
		}
	}
	for _, pattern := range []string{"/sys/fs/cgroup/*" + b.cgroup, "/sys/fs/cgroup" + b.cgroup} {
		dirs, _ := filepath.Glob(pattern)
		for _, d := range dirs {
			children, _ := filepath.Glob(d + "/*/")
			if len(children) > 0 {
				t.Errorf("cgroups left: %v", children)
			}
			if err := os.Remove(d); err != nil {
				t.Error(err)
			}
		}
	}
	bundles, _ := os.ReadDir(filepath.Join(b.dir, "bundles"))
	for _, e := range bundles {
		t.Errorf("bundle left: %s", e.Name())
	}
}

func TestRuncConforms(t *testing.T) {
	runtimetest.Run(t, func(t *testing.T) runtimetest.Subject { return newBedOf(t, true).Subject })
}

func TestDirectConforms(t *testing.T) {
	runtimetest.Run(t, func(t *testing.T) runtimetest.Subject { return newBed(t).Subject })
}
