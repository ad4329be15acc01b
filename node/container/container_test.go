package container_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/slipway-dev/slipway/node/container"
	"github.com/slipway-dev/slipway/node/runtime/runtimetest"
)

// bundle makes one whose program is the conformance suite's. The driver's tests
// tell what its containers see; these tell what callers may ask for.
func bundle(t *testing.T, change func(*specs.Spec)) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("these tests run real containers and need root: sudo go test ./node/...")
	}
	dir := t.TempDir()
	root := filepath.Join(dir, "rootfs")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", root, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(root, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(root, "app"), runtimetest.Program(t), 0o755); err != nil {
		t.Fatal(err)
	}
	oci := &specs.Spec{
		Root:    &specs.Root{Path: "rootfs"},
		Process: &specs.Process{Args: []string{"/app", "cat", "/proc/self/cgroup"}, Cwd: "/", Capabilities: &specs.LinuxCapabilities{}},
		Mounts:  []specs.Mount{{Destination: "/proc", Type: "proc", Source: "proc"}, {Destination: "/dev", Type: "tmpfs", Source: "tmpfs"}},
		Linux:   &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.MountNamespace}}},
	}
	change(oci)
	b, err := json.Marshal(oci)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "config.json"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// run starts a container and returns its output and exit code.
func run(t *testing.T, dir string, cgroups ...string) (string, int) {
	t.Helper()
	c, err := container.Open(dir, cgroups)
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	fd := int(out.Fd())
	pid, err := c.Start([3]int{fd, fd, fd})
	if err != nil {
		t.Error(err)
	}
	var ws syscall.WaitStatus
	if pid > 0 {
		if _, err := syscall.Wait4(pid, &ws, 0, nil); err != nil {
			t.Error(err)
		}
	}
	b, err := os.ReadFile(out.Name())
	if err != nil {
		t.Error(err)
	}
	return string(b), ws.ExitStatus()
}

// A container is born in its cgroup of version 2, wherever that is mounted.
func TestBornInUnifiedCgroup(t *testing.T) {
	mount := "/sys/fs/cgroup"
	if _, err := os.Stat(filepath.Join(mount, "cgroup.controllers")); err != nil {
		mount = filepath.Join(mount, "unified")
	}
	name := "/slipway-test-" + filepath.Base(filepath.Dir(t.TempDir()))
	if err := os.Mkdir(mount+name, 0o755); err != nil {
		t.Fatalf("no cgroup of version 2 can be made: %v", err)
	}
	t.Cleanup(func() {
		if err := os.Remove(mount + name); err != nil {
			t.Error(err)
		}
	})
	out, code := run(t, bundle(t, func(*specs.Spec) {}), mount+name)
	if code != 0 || !strings.Contains(out, "0::"+name+"\n") {
		t.Errorf("exit code %d, cgroups:\n%s", code, out)
	}
}

// Nothing of the caller's mounts is left, over or under the container's.
func TestOnlyItsOwnMounts(t *testing.T) {
	out, _ := run(t, bundle(t, func(s *specs.Spec) { s.Process.Args = []string{"/app", "cat", "/proc/self/mounts"} }))
	var points []string
	for line := range strings.Lines(out) {
		points = append(points, strings.Fields(line)[1])
	}
	want := "/ /proc /dev /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty"
	if got := strings.Join(points, " "); got != want {
		t.Errorf("mounts %s, want %s", got, want)
	}
}

func TestNoNewPrivileges(t *testing.T) {
	out, _ := run(t, bundle(t, func(s *specs.Spec) {
		s.Process.NoNewPrivileges, s.Process.Args = true, []string{"/app", "cat", "/proc/self/status"}
	}))
	if !strings.Contains(out, "NoNewPrivs:\t1") {
		t.Error(out)
	}
}

func TestWhatIsRuncs(t *testing.T) {
	for name, change := range map[string]func(*specs.Spec){
		"hooks":            func(s *specs.Spec) { s.Hooks = &specs.Hooks{} },
		"mapped ids":       func(s *specs.Spec) { s.Linux.UIDMappings = []specs.LinuxIDMapping{{Size: 1}} },
		"devices":          func(s *specs.Spec) { s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/fuse"}} },
		"a tracer":         func(s *specs.Spec) { s.Process.Capabilities.Bounding = []string{"CAP_SYS_PTRACE"} },
		"a label":          func(s *specs.Spec) { s.Process.ApparmorProfile = "x" },
		"a user namespace": func(s *specs.Spec) { s.Linux.Namespaces[0].Type = specs.UserNamespace },
		"cgroup mounts":    func(s *specs.Spec) { s.Mounts[0].Type = "cgroup" },
		"strange options":  func(s *specs.Spec) { s.Mounts[0].Options = []string{"idmap"} },
		"an unknown limit": func(s *specs.Spec) { s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_X"}} },
		"seccomp agents": func(s *specs.Spec) {
			s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActNotify}
		},
	} {
		c, err := container.Open(bundle(t, change), nil)
		if err == nil {
			_, err = c.Start([3]int{0, 1, 2})
		}
		if !errors.Is(err, container.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhyItDoesNotRun(t *testing.T) {
	for want, change := range map[string]func(*specs.Spec){
		`exec: "/no": stat /no: no such file or directory`:                 func(s *specs.Spec) { s.Process.Args = []string{"/no"} },
		`exec: "no": executable file not found in $PATH`:                   func(s *specs.Spec) { s.Process.Args = []string{"no"} },
		`exec: "/proc": permission denied`:                                 func(s *specs.Spec) { s.Process.Args = []string{"/proc"} },
		`chdir to cwd ("/app") set in config.json failed: not a directory`: func(s *specs.Spec) { s.Process.Cwd = "/app" },
		"set sysctl kernel.nothing: no such file or directory":             func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{"kernel.nothing": "1"} },
		"open network namespace /nowhere: no such file or directory": func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: "/nowhere"})
		},
	} {
		c, err := container.Open(bundle(t, change), nil)
		if err != nil {
			t.Fatal(err)
		}
		pid, err := c.Start([3]int{0, 1, 2})
		if err == nil || err.Error() != "unable to start container process: "+want {
			t.Errorf("%v, want %s", err, want)
		}
		if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
			t.Errorf("the child is not there to be reaped: %v", err)
		}
	}
}
