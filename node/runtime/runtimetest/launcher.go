package runtimetest

import (
	"context"
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

	"golang.org/x/sys/unix"

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
	root string
	gone chan struct{}
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

// Start runs "runc run --detach".
func (l *Launcher) Start(ctx context.Context, p sandbox.Process) error {
	l.mu.Lock()
	if l.containers[p.ID] != nil {
		l.mu.Unlock()
		return fmt.Errorf("container %s exists", p.ID)
	}
	c := &launched{Container: sandbox.Container{ID: p.ID, Running: true}, root: p.RuncRoot, gone: make(chan struct{})}
	l.containers[p.ID] = c
	l.mu.Unlock()
	pid, err := detach(ctx, p)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		delete(l.containers, p.ID)
		return err
	}
	c.Pid, c.StartedAt = pid, time.Now()
	go l.reap(c)
	return nil
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
	var ws syscall.WaitStatus
	for {
		if _, err := syscall.Wait4(c.Pid, &ws, 0, nil); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	l.mu.Lock()
	c.Running, c.ExitedAt, c.ExitCode = false, time.Now(), ws.ExitStatus()
	if ws.Signaled() {
		c.ExitCode = 128 + int(ws.Signal())
	}
	l.mu.Unlock()
	close(c.gone)
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

// Forget runs "runc delete".
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
	out, err := exec.CommandContext(ctx, "runc", "--root", c.root, "delete", "--force", id).CombinedOutput()
	if err != nil {
		return fmt.Errorf("runc delete: %w: %s", err, out)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.containers, id)
	return nil
}
