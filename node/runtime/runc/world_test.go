package runc_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-dev/slipway/node/runtime"
	"github.com/slipway-dev/slipway/node/runtime/runtimetest"
)

// say runs the program with a verb and returns what it said and its state.
func (b *bed) say(t *testing.T, spec runtime.Spec, verb ...string) (string, runtime.State) {
	t.Helper()
	if spec.ID == "" {
		spec.ID = "c"
	}
	spec.Image, spec.Command = b.Image, verb
	if err := b.driver.Create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if err := b.driver.Start(t.Context(), spec.ID); err != nil {
		t.Error(err)
	}
	st := b.await(t, spec.ID)
	out, err := os.ReadFile(b.driver.Logs(spec.ID))
	if err != nil {
		t.Error(err)
	}
	for _, err := range []error{b.driver.Remove(context.Background(), spec.ID), b.driver.RemoveLog(t.Context(), spec.ID)} {
		if err != nil {
			t.Error(err)
		}
	}
	return string(out), st
}

func (b *bed) await(t *testing.T, id string) runtime.State {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		list, err := b.driver.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			if s.ID == id && s.Exited() {
				return s
			}
		}
		select {
		case <-b.driver.Changed():
		case <-limit:
			t.Fatalf("%s does not end", id)
		}
	}
}

// What a container sees of its definition, whoever starts it.
func TestContainersWorld(t *testing.T) {
	for name, always := range map[string]bool{"directly": false, "by runc": true} {
		t.Run(name, func(t *testing.T) { testWorld(t, newBedOf(t, always)) })
	}
}

func testWorld(t *testing.T, b *bed) {
	volume := filepath.Join(b.dir, "volume")
	if err := os.Mkdir(volume, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spec runtime.Spec
		verb []string
		want string // all of the output, or part of it after "..."
		code int
	}{
		"root by default":             {runtime.Spec{}, []string{"id"}, "0 0 []\n", 0},
		"a user by name":              {runtime.Spec{User: "alice"}, []string{"id"}, "1001 1002 [50]\n", 0},
		"a user by number with entry": {runtime.Spec{User: "1001"}, []string{"id"}, "1001 1002 [50]\n", 0},
		"a user without entry":        {runtime.Spec{User: "4711"}, []string{"id"}, "4711 0 []\n", 0},
		"user and group by name":      {runtime.Spec{User: "alice:staff"}, []string{"id"}, "1001 50 []\n", 0},
		"numbers for both":            {runtime.Spec{User: "12:34"}, []string{"id"}, "12 34 []\n", 0},
		"variables":                   {runtime.Spec{Env: []string{"A=1"}, Hostname: "h"}, []string{"env"}, "...HOSTNAME=h\nA=1\n", 0},
		"working directory":           {runtime.Spec{Dir: "/data/new"}, []string{"pwd"}, "/data/new\n", 0},
		"files":                       {runtime.Spec{Files: map[string][]byte{"/etc/hosts": []byte("1.2.3.4 x\n")}}, []string{"cat", "/etc/hosts"}, "1.2.3.4 x\n", 0},
		"read-only root":              {runtime.Spec{ReadOnlyRoot: true}, []string{"touch", "/x"}, "...read-only file system", 99},
		"writable root":               {runtime.Spec{}, []string{"touch", "/x"}, "", 0},
		"tmpfs in a read-only root":   {runtime.Spec{ReadOnlyRoot: true, Tmpfs: []runtime.Tmpfs{{Target: "/tmp", Size: 1 << 20}}}, []string{"touch", "/tmp/x"}, "", 0},
		"open files":                  {runtime.Spec{}, []string{"limit"}, openFiles(t), 0},
		"a ulimit":                    {runtime.Spec{Ulimits: []runtime.Ulimit{{Name: "nofile", Soft: 200, Hard: 200}}}, []string{"limit"}, "...200\n", 0},
		"process 1":                   {runtime.Spec{}, []string{"pid"}, "1\n", 0},
		"capabilities":                {runtime.Spec{}, []string{"cat", "/proc/self/status"}, "...CapEff:\t00000000a80425fb", 0},
		"SYS_PTRACE added":            {runtime.Spec{CapAdd: []string{"SYS_PTRACE"}}, []string{"cat", "/proc/self/status"}, "...CapEff:\t00000000a80c25fb", 0},
		"all dropped":                 {runtime.Spec{CapDrop: []string{"ALL"}}, []string{"cat", "/proc/self/status"}, "...CapBnd:\t0000000000000000", 0},
		"no capability as a user":     {runtime.Spec{User: "alice"}, []string{"cat", "/proc/self/status"}, "...CapEff:\t0000000000000000", 0},
		"seccomp":                     {runtime.Spec{}, []string{"cat", "/proc/self/status"}, "...Seccomp:\t2", 0},
		"a volume is filled":          {runtime.Spec{Mounts: []runtime.Mount{{Source: volume, Target: "/data", CopyUp: true}}}, []string{"cat", "/data/seed"}, "seed", 0},
		"and has the image's owner":   {runtime.Spec{Mounts: []runtime.Mount{{Source: volume, Target: "/data", CopyUp: true}}}, []string{"stat", "/data"}, "750 1001:1002\n", 0},
		"a read-only volume":          {runtime.Spec{Mounts: []runtime.Mount{{Source: volume, Target: "/data", ReadOnly: true}}}, []string{"touch", "/data/x"}, "...read-only file system", 99},
		"a sysctl":                    {runtime.Spec{Sysctls: map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"}}, []string{"cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"}, "0\n", 0},
		"no device of its own":        {runtime.Spec{}, []string{"device", "/x"}, "refused\n", 0},
		"nor in /dev":                 {runtime.Spec{}, []string{"device", "/dev/x"}, "refused\n", 0},
		"nor in shared memory":        {runtime.Spec{}, []string{"device", "/dev/shm/x"}, "refused\n", 0},
		"nor in a tmpfs":              {runtime.Spec{Tmpfs: []runtime.Tmpfs{{Target: "/t", Options: []string{"dev"}}}}, []string{"device", "/t/x"}, "refused\n", 0},
		"nor in a volume":             {runtime.Spec{Mounts: []runtime.Mount{{Source: t.TempDir(), Target: "/v"}}}, []string{"device", "/v/x"}, "refused\n", 0},
		"null takes anything":         {runtime.Spec{User: "alice"}, []string{"touch", "/dev/null"}, "", 0},
		"no descriptors":              {runtime.Spec{}, []string{"leak"}, "", 0},
		"home of the user":            {runtime.Spec{User: "alice"}, []string{"env"}, "...HOME=/home/alice\n", 0},
		"home as defined":             {runtime.Spec{User: "alice", Env: []string{"HOME=/x"}}, []string{"env"}, "...HOME=/x\n", 0},
		"a program of PATH":           {runtime.Spec{EntryPoint: []string{"app"}, Env: []string{"PATH=/nowhere:/"}}, []string{"echo", "found"}, "found\n", 0},
		"masked":                      {runtime.Spec{}, []string{"cat", "/proc/keys"}, "", 0},
		"shared memory":               {runtime.Spec{ShmSize: 1 << 20}, []string{"cat", "/proc/mounts"}, "...shm /dev/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k", 0},
	} {
		t.Run(name, func(t *testing.T) {
			out, st := b.say(t, c.spec, c.verb...)
			part, isPart := strings.CutPrefix(c.want, "...")
			if isPart && !strings.Contains(out, part) || !isPart && out != c.want {
				t.Errorf("it said %q, want %q", out, c.want)
			}
			if st.ExitCode != c.code {
				t.Errorf("exit code %d, want %d", st.ExitCode, c.code)
			}
		})
	}
}

// openFiles is Fargate's limit, or this machine's if it has less for root.
func openFiles(t *testing.T) string {
	var own unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &own); err != nil {
		t.Fatal(err)
	}
	n := min(own.Max, 65535)
	return fmt.Sprintf("%d %d\n", n, n)
}

func TestRefusedSpecs(t *testing.T) {
	b := newBed(t)
	for want, spec := range map[string]runtime.Spec{
		"unable to find user bob":        {User: "bob"},
		"unable to find group nobodys":   {User: "alice:nobodys"},
		"capability SYS_ADMIN cannot":    {CapAdd: []string{"SYS_ADMIN"}},
		`unknown ulimit "files"`:         {Ulimits: []runtime.Ulimit{{Name: "files"}}},
		"no init process for containers": {Init: true},
		`"a/b" cannot be a container id`: {Group: runtime.Group{ID: "a/b"}},
	} {
		spec.ID, spec.Image = "c", b.Image
		if err := b.driver.Create(t.Context(), spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestLimits(t *testing.T) {
	b := newBed(t)
	if !b.driver.Limited() {
		t.Fatal("as root there are limits")
	}
	for name, spec := range map[string]runtime.Spec{
		"the container's memory": {MemoryLimit: 32 << 20},
		"the task's memory":      {Group: runtime.Group{ID: "g", Memory: 32 << 20}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, st := b.say(t, spec, "alloc", "100"); !st.OOMKilled || st.ExitCode != 137 {
				t.Errorf("%+v: want it killed for want of memory", st)
			}
			if _, st := b.say(t, spec, "exit", "3"); st.OOMKilled || st.ExitCode != 3 {
				t.Errorf("%+v: want code 3 and no more", st)
			}
		})
	}
	t.Run("the task's processors", func(t *testing.T) {
		spec := runtime.Spec{ID: "c", Image: b.Image, Command: []string{"burn"}, Group: runtime.Group{ID: "g", CPU: 0.25, Memory: 64 << 20}}
		if err := b.driver.Create(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		defer b.driver.Remove(context.Background(), "c") //nolint:errcheck // the bed looks
		if err := b.driver.Start(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		read := func() runtime.Stats {
			s, err := b.driver.Stats(t.Context(), "c")
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		var first, last runtime.Stats
		first = read()
		for last = read(); last.Read.Sub(first.Read) < time.Second; last = read() {
			time.Sleep(50 * time.Millisecond)
		}
		if got := (last.CPU - first.CPU).Seconds() / last.Read.Sub(first.Read).Seconds(); got < 0.1 || got > 0.35 {
			t.Errorf("it used %.2f processors, want 0.25", got)
		}
		if last.MemoryLimit != 64<<20 || last.Memory == 0 || last.Processes == 0 || last.Throttled == 0 {
			t.Errorf("%+v", last)
		}
	})
}

func TestExecInside(t *testing.T) {
	for name, always := range map[string]bool{"directly": false, "by runc": true} {
		t.Run(name, func(t *testing.T) { testExecInside(t, newBedOf(t, always)) })
	}
}

func testExecInside(t *testing.T, b *bed) {
	spec := runtime.Spec{ID: "c", Image: b.Image, Env: []string{"A=1"}, User: "alice"}
	if err := b.driver.Create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	defer b.driver.Remove(context.Background(), "c") //nolint:errcheck // the bed looks
	if err := b.driver.Start(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	run := func(e runtime.Exec) (string, int) {
		t.Helper()
		var out bytes.Buffer
		e.Stdout, e.Stderr = &out, &out
		code, err := b.driver.Exec(t.Context(), "c", e)
		if err != nil {
			t.Errorf("%v: %v", e.Args, err)
		}
		return out.String(), code
	}
	if out, _ := run(runtime.Exec{Args: []string{"/app", "id"}}); out != "1001 1002 [50]\n" {
		t.Errorf("id: %q", out)
	}
	if out, _ := run(runtime.Exec{Args: []string{"/app", "id"}, User: "root"}); out != "0 0 []\n" {
		t.Errorf("id as root: %q", out)
	}
	if out, _ := run(runtime.Exec{Args: []string{"/app", "env"}, Env: []string{"B=2"}}); !strings.Contains(out, "A=1\n") || !strings.Contains(out, "B=2\n") {
		t.Errorf("env: %q", out)
	}
	if out, _ := run(runtime.Exec{Args: []string{"/app", "pwd"}, Dir: "/etc"}); out != "/etc\n" {
		t.Errorf("pwd: %q", out)
	}
	if out, _ := run(runtime.Exec{Args: []string{"/app", "copy"}, Stdin: strings.NewReader("in")}); out != "in" {
		t.Errorf("input: %q", out)
	}
	if out, code := run(runtime.Exec{Args: []string{"/app", "cat", "/nowhere"}}); code != 99 || !strings.Contains(out, "no such file") {
		t.Errorf("failure: %d %q", code, out)
	}
	if out, _ := run(runtime.Exec{Args: []string{"/app", "echo", "tty"}, TTY: true}); out != "tty\r\n" {
		t.Errorf("terminal: %q", out)
	}
	if _, err := b.driver.Exec(t.Context(), "c", runtime.Exec{Args: []string{"/nowhere"}}); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a program that is not there: %v", err)
	}
}

func TestInitProcess(t *testing.T) {
	b := newBed(t)
	b.init = filepath.Join(b.dir, "init")
	if err := os.WriteFile(b.init, runtimetest.Program(t), 0o755); err != nil {
		t.Fatal(err)
	}
	b.Again()
	spec := runtime.Spec{Init: true, User: "alice"}
	if out, st := b.say(t, spec, "pid"); out == "1\n" || st.ExitCode != 0 {
		t.Errorf("the program is process %q, exit code %d", out, st.ExitCode)
	}
	if _, st := b.say(t, spec, "exit", "7"); st.ExitCode != 7 {
		t.Errorf("exit code %d", st.ExitCode)
	}
	if out, _ := b.say(t, spec, "orphan"); out != "all reaped\n" {
		t.Errorf("orphans: %q", out)
	}
	spec.ID, spec.Image = "c", b.Image
	if err := b.driver.Create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	defer b.driver.Remove(context.Background(), "c") //nolint:errcheck // the bed looks
	if err := b.driver.Start(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(10 * time.Second); time.Now().Before(limit); time.Sleep(time.Millisecond) {
		if out, _ := os.ReadFile(b.driver.Logs("c")); strings.Contains(string(out), "running") {
			break
		}
	}
	if err := b.driver.Signal(t.Context(), "c", syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if st := b.await(t, "c"); st.ExitCode != 143 {
		t.Errorf("after SIGTERM: %d", st.ExitCode)
	}
}

// A process that joins a container is and sees exactly what one that was born
// in it is and sees, and brings nothing along.
func TestJoiningIsNoMore(t *testing.T) {
	b := newBed(t)
	for name, spec := range map[string]runtime.Spec{
		"root":            {},
		"a user":          {User: "alice"},
		"no capabilities": {CapDrop: []string{"ALL"}},
		"some":            {CapDrop: []string{"NET_RAW", "MKNOD"}},
		"limits":          {ReadOnlyRoot: true, Ulimits: []runtime.Ulimit{{Name: "nofile", Soft: 64, Hard: 128}, {Name: "nproc", Soft: 50, Hard: 50}}},
		"a task":          {Group: runtime.Group{ID: "task", CPU: 0.5, Memory: 64 << 20}},
	} {
		t.Run(name, func(t *testing.T) {
			spec.ID, spec.Image, spec.Dir = "c", b.Image, "/data"
			spec.EntryPoint, spec.Command = []string{"/app", "tell"}, []string{"sight"}
			if err := b.driver.Create(t.Context(), spec); err != nil {
				t.Fatal(err)
			}
			defer b.driver.Remove(context.Background(), "c") //nolint:errcheck // the bed looks
			if err := b.driver.Start(t.Context(), "c"); err != nil {
				t.Fatal(err)
			}
			born := ""
			for limit := time.Now().Add(20 * time.Second); !strings.Contains(born, "told") && time.Now().Before(limit); time.Sleep(time.Millisecond) {
				text, _ := os.ReadFile(b.driver.Logs("c"))
				born = string(text)
			}
			var out bytes.Buffer
			for _, verb := range []string{"sight", "leak"} {
				if code, err := b.driver.Exec(t.Context(), "c", runtime.Exec{Args: []string{"/app", verb}, Stdout: &out, Stderr: &out}); code != 0 || err != nil {
					t.Error(code, err)
				}
			}
			if joined := out.String() + "told\n"; joined != born {
				t.Errorf("one that joined:\n%s\nfirst:\n%s", joined, born)
			}
			if err := b.driver.RemoveLog(t.Context(), "c"); err != nil {
				t.Error(err)
			}
		})
	}
}

// A container that may trace others is runc's, as nobody else may join it.
func TestTracerIsRuncs(t *testing.T) {
	b := newBed(t)
	spec := runtime.Spec{ID: "c", Image: b.Image, CapAdd: []string{"SYS_PTRACE"}}
	if err := b.driver.Create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	defer b.driver.Remove(context.Background(), "c") //nolint:errcheck // the bed looks
	if err := b.driver.Start(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "runc", "c", "state.json")); err != nil {
		t.Errorf("runc does not know it: %v", err)
	}
	if code, err := b.driver.Exec(t.Context(), "c", runtime.Exec{Args: []string{"/app", "exit", "4"}}); code != 4 || err != nil {
		t.Error(code, err)
	}
}
