package runtimetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/slipway-dev/slipway/node/container"
	"github.com/slipway-dev/slipway/node/runtime/runc"
	"github.com/slipway-dev/slipway/node/sandbox"
)

// Launcher starts containers as the sandbox's init does, but in the test's
// own process, which becomes the reaper of its orphans.
type Launcher struct {
	exits chan string

	mu         sync.Mutex
	containers map[string]*launched
}

type launched struct {
	sandbox.Container
	root   string
	direct *container.Container
	gone   chan struct{}
}

var _ runc.Launcher = (*Launcher)(nil)

// NewLauncher returns a Launcher; at the test's end it must have forgotten
// everything.
func NewLauncher(t testing.TB) *Launcher {
	t.Helper()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	l := &Launcher{exits: make(chan string, 64), containers: map[string]*launched{}}
	t.Cleanup(func() {
		for id := range l.containers {
			t.Errorf("container %s was left behind", id)
		}
	})
	return l
}

// Start runs a container, as init does.
func (l *Launcher) Start(ctx context.Context, p sandbox.Process) error {
	l.mu.Lock()
	if l.containers[p.ID] != nil {
		l.mu.Unlock()
		return fmt.Errorf("container %s exists", p.ID)
	}
	c := &launched{Container: sandbox.Container{ID: p.ID, Running: true}, root: p.RuncRoot, gone: make(chan struct{})}
	l.containers[p.ID] = c
	l.mu.Unlock()
	pid, direct, err := launch(ctx, p)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		delete(l.containers, p.ID)
		return err
	}
	c.direct, c.Direct, c.Pid, c.StartedAt = direct, direct != nil, pid, time.Now()
	go l.reap(c)
	return nil
}

func launch(ctx context.Context, p sandbox.Process) (pid int, direct *container.Container, err error) {
	if !p.Direct {
		pid, err = detach(ctx, p)
		return pid, nil, err
	}
	out, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644)
	if err != nil {
		return 0, nil, err
	}
	defer out.Close()
	if direct, err = container.Open(p.Bundle, p.Cgroups); err != nil {
		return 0, nil, err
	}
	fd := int(out.Fd())
	if pid, err = direct.Start([3]int{fd, fd, fd}); err != nil && pid > 0 {
		_, _ = wait(pid)
	}
	return pid, direct, err
}

// wait reaps a process.
func wait(pid int) (code int, err error) {
	var ws syscall.WaitStatus
	for {
		if _, err = syscall.Wait4(pid, &ws, 0, nil); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if ws.Signaled() {
		return 128 + int(ws.Signal()), err
	}
	return ws.ExitStatus(), err
}

// Exec joins a container.
func (l *Launcher) Exec(ctx context.Context, e sandbox.Exec, stdio [3]*os.File, terminal func(*os.File)) (int, error) {
	l.mu.Lock()
	c := l.containers[e.ID]
	l.mu.Unlock()
	if c == nil || !c.Running {
		return 0, sandbox.ErrGone
	}
	if c.direct == nil {
		return 0, container.ErrUnsupported
	}
	var p specs.Process
	if err := json.Unmarshal(e.Process, &p); err != nil {
		return 0, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(pair[0])
	fds := [3]int{pair[1], pair[1], pair[1]}
	if p.Terminal = e.Terminal; !e.Terminal {
		for i, f := range stdio {
			fds[i] = int(f.Fd())
		}
	}
	pidfd, err := unix.PidfdOpen(c.Pid, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(pidfd)
	pid, err := c.direct.Join(pidfd, &p, fds, pair[1])
	unix.Close(pair[1])
	if pid == 0 {
		return 0, err
	}
	if err == nil && e.Terminal {
		oob := make([]byte, unix.CmsgSpace(4))
		if _, n, _, _, err := unix.Recvmsg(pair[0], make([]byte, 1), oob, 0); err == nil {
			if m, err := unix.ParseSocketControlMessage(oob[:n]); err == nil && len(m) == 1 {
				if fds, err := unix.ParseUnixRights(&m[0]); err == nil {
					terminal(os.NewFile(uintptr(fds[0]), "terminal"))
				}
			}
		}
	}
	defer context.AfterFunc(ctx, func() { _ = unix.Kill(pid, unix.SIGKILL) })()
	code, waitErr := wait(pid)
	return code, errors.Join(err, waitErr)
}

func detach(ctx context.Context, p sandbox.Process) (int, error) {
	out, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	log, pidFile := filepath.Join(p.Bundle, "runc.log"), filepath.Join(p.Bundle, "pid")
	cmd := exec.CommandContext(ctx, "runc", "--root", p.RuncRoot, "--log", log, "run", "--detach", "--pid-file", pidFile, "--bundle", p.Bundle, p.ID)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		why, _ := os.ReadFile(log)
		_ = exec.Command("runc", "--root", p.RuncRoot, "delete", "--force", p.ID).Run()
		return 0, fmt.Errorf("runc run: %w: %s", err, why)
	}
	b, err := os.ReadFile(pidFile)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// reap waits for one container.
func (l *Launcher) reap(c *launched) {
	code, _ := wait(c.Pid)
	l.mu.Lock()
	c.Running, c.ExitedAt, c.ExitCode = false, time.Now(), code
	close(c.gone)
	l.mu.Unlock()
	select {
	case l.exits <- c.ID:
	default:
	}
}

// Containers lists what was started.
func (l *Launcher) Containers(context.Context) ([]sandbox.Container, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []sandbox.Container
	for _, c := range l.containers {
		out = append(out, c.Container)
	}
	return out, nil
}

// Exits sends ids of containers that ended.
func (l *Launcher) Exits() <-chan string { return l.exits }

// Forget drops a container, of runc by "runc delete".
func (l *Launcher) Forget(ctx context.Context, id string) error {
	l.mu.Lock()
	c := l.containers[id]
	l.mu.Unlock()
	if c == nil {
		return nil
	}
	select {
	case <-c.gone:
	default:
		return fmt.Errorf("container %s still runs", id)
	}
	if c.direct == nil {
		out, err := exec.CommandContext(ctx, "runc", "--root", c.root, "delete", "--force", id).CombinedOutput()
		if err != nil {
			return fmt.Errorf("runc delete: %w: %s", err, out)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.containers, id)
	return nil
}
