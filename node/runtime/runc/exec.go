package runc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/slipway-dev/slipway/node/runtime"
	"github.com/slipway-dev/slipway/node/sandbox"
)

// waitForOutput is how long output is still read after the process has
// ended, when something it left behind holds it open.
const waitForOutput = 500 * time.Millisecond

// Exec joins the container, or has runc do it where that cannot be. When ctx
// ends the process in the container is killed.
func (d *Driver) Exec(ctx context.Context, id string, e runtime.Exec) (int, error) {
	if len(e.Args) == 0 {
		return 0, fmt.Errorf("exec in %s: %w", id, runtime.ErrNoCommand)
	}
	h, err := d.host(ctx, id)
	if err != nil {
		return 0, fmt.Errorf("exec in %s: %w", id, err)
	}
	p, err := d.execProcess(id, h, e)
	if err != nil {
		return 0, fmt.Errorf("exec in %s: %w", id, err)
	}
	run := d.execRunc
	if h.direct {
		run = d.execDirect
	}
	code, err := run(ctx, id, p, e)
	switch {
	case ctx.Err() != nil:
		return 0, fmt.Errorf("exec in %s: %w", id, context.Cause(ctx))
	case errors.Is(err, sandbox.ErrGone):
		return 0, fmt.Errorf("exec in %s: %w", id, runtime.ErrNotRunning)
	}
	return code, err
}

// execProcess is what runs: the container's own process but for what e says.
// A user of its own brings its own groups and home.
func (d *Driver) execProcess(id string, h host, e runtime.Exec) (p *specs.Process, err error) {
	p = new(h.process)
	if e.User != "" {
		var home string
		if p.User, home, err = lookUpUser(d.rootfs(id), e.User); err != nil {
			return nil, err
		}
		if r, ok := d.record(id); ok && !r.OwnHome {
			p.Env = runtime.MergeEnv(p.Env, []string{"HOME=" + home})
		}
	}
	p.Args, p.Terminal = e.Args, e.TTY
	p.Env = runtime.MergeEnv(p.Env, e.Env)
	if e.Dir != "" {
		p.Cwd = e.Dir
	}
	return p, nil
}

// host is a running container in which something is executed.
type host struct {
	process specs.Process // its first
	direct  bool          // not runc's
}

// host looks a container up, once.
func (d *Driver) host(ctx context.Context, id string) (h host, err error) {
	d.mu.Lock()
	h, ok := d.hosts[id]
	d.mu.Unlock()
	if ok {
		return h, nil
	}
	c, known, err := d.container(ctx, id)
	if err != nil {
		return h, err
	}
	if !known || !c.Running || c.Pid == 0 {
		return h, runtime.ErrNotRunning
	}
	b, err := os.ReadFile(filepath.Join(d.bundle(id), "config.json"))
	if err != nil {
		return h, err
	}
	var oci struct{ Process specs.Process }
	if err := json.Unmarshal(b, &oci); err != nil {
		return h, fmt.Errorf("config.json: %w", err)
	}
	h = host{oci.Process, c.Direct}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.records[id]; ok {
		d.hosts[id] = h
	}
	return h, nil
}

// execRunc runs "runc exec".
func (d *Driver) execRunc(ctx context.Context, id string, p *specs.Process, e runtime.Exec) (int, error) {
	fd, err := d.open(ctx, id)
	if err != nil {
		return 0, fmt.Errorf("exec in %s: %w", id, err)
	}
	unix.Close(fd)
	dir, err := os.MkdirTemp(d.bundle(id), "exec-")
	if err != nil {
		return 0, fmt.Errorf("exec in %s: %w", id, err)
	}
	defer os.RemoveAll(dir)
	args, err := d.execArgs(id, dir, p, e)
	if err != nil {
		return 0, fmt.Errorf("exec in %s: %w", id, err)
	}
	cmd := exec.CommandContext(ctx, d.command, args...)
	cmd.WaitDelay = waitForOutput
	cmd.Cancel = func() error { // runc then ends by itself, or WaitDelay ends it
		go killPidFile(filepath.Join(dir, "pid"))
		return nil
	}
	if e.TTY {
		err = runTerminal(ctx, cmd, e)
	} else {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = e.Stdin, e.Stdout, e.Stderr
		err = runPiped(cmd)
	}
	return exitCode(err, filepath.Join(dir, "log"))
}

// execArgs is runc's command line. A process under another user is described
// in a file: with options alone runc would leave it the groups of the container's.
func (d *Driver) execArgs(id, dir string, p *specs.Process, e runtime.Exec) ([]string, error) {
	args := []string{"--root", d.runcRoot(), "--log", filepath.Join(dir, "log"), "exec", "--pid-file", filepath.Join(dir, "pid")}
	if e.TTY {
		args = append(args, "--tty")
	}
	if e.User != "" {
		file := filepath.Join(dir, "process.json")
		return append(args, "--process", file, id), writeJSON(file, p)
	}
	for _, v := range e.Env {
		args = append(args, "--env", v)
	}
	if e.Dir != "" {
		args = append(args, "--cwd", e.Dir)
	}
	return append(append(args, id), e.Args...), nil
}

// runPiped runs a command whose input does not hold it up: os/exec would wait
// for a reader that never ends.
func runPiped(cmd *exec.Cmd) error {
	if in := cmd.Stdin; in != nil {
		if _, ok := in.(*os.File); !ok {
			cmd.Stdin = nil
			pipe, err := cmd.StdinPipe()
			if err != nil {
				return err
			}
			go func() {
				_, _ = io.Copy(pipe, in) // ends with the process
				_ = pipe.Close()
			}()
		}
	}
	return cmd.Run()
}

// exitCode tells the process's own end from runc's failure to run it.
func exitCode(err error, logFile string) (int, error) {
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return 0, nil
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return 0, fmt.Errorf("run runc: %w", err)
	}
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	if text, _ := os.ReadFile(logFile); len(text) > 0 {
		if i := bytes.Index(text, []byte("exec failed")); i >= 0 {
			return 0, errors.New("OCI runtime " + strings.TrimRight(strings.TrimSpace(string(text[i:])), `"`))
		}
	}
	return exit.ExitCode(), nil
}

// killPidFile kills the process that runc wrote down, or does so soon.
func killPidFile(path string) {
	for end := time.Now().Add(waitForOutput); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && pid > 1 {
			_ = unix.Kill(pid, unix.SIGKILL)
			return
		}
	}
}
