package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is one that the benchmark started.
type process struct {
	*exec.Cmd
	began time.Time
}

// start starts a program; it ends with this one at the latest.
func (w *world) start(env []string, argv ...string) (*process, error) {
	return w.prepared(func(p *process) error { p.Env = append(p.Env, env...); return nil }, argv...)
}

// prepared starts a program that something is done to first.
func (w *world) prepared(prepare func(*process) error, argv ...string) (*process, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Stderr = os.Environ(), os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p := &process{cmd, time.Now()}
	if err := prepare(p); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	w.running = append(w.running, p)
	return p, nil
}

// end ends a process, once.
func (p *process) end() {
	if p.ProcessState != nil {
		return
	}
	_ = p.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(10*time.Second, func() { _ = p.Process.Kill() })
	defer kill.Stop()
	_ = p.Wait()
}

// patience bounds every wait for something to start.
const patience = 20 * time.Second

// listening waits until something listens at an address.
func listening(addr string) error {
	return until(addr+" listens", func() bool {
		c, err := net.Dial("tcp4", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// ready waits until a sidecar serves all that it was told.
func ready(admin string) error {
	return until("the sidecar at "+admin+" is LIVE", func() bool {
		r, err := http.Get("http://" + admin + "/ready")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
}

func until(what string, is func() bool) error {
	for end := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("not after %s: %s", patience, what)
		}
	}
	return nil
}
