package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-dev/slipway/node/container"
)

// record is a Container with what init needs to join and to end it. pid1.mu guards it.
type record struct {
	Container
	process Process
	direct  *container.Container // nil: runc's
	leaving bool                 // being forgotten
}

var validID = regexp.MustCompile(`^[A-Za-z0-9_+.-]{1,200}$`)

// start runs a container. It is known by its id before it has a pid, so that an
// engine that starts while this goes on sees it.
func (p *pid1) start(c Process) error {
	if !validID.MatchString(c.ID) || strings.Trim(c.ID, ".") == "" {
		return fmt.Errorf("start container: bad id %q", c.ID)
	}
	if p.boot.Runc == "" && !c.Direct {
		return findingRunc().err()
	}
	rec := &record{Container: Container{ID: c.ID, Running: true}, process: c}
	p.mu.Lock()
	old := p.containers[c.ID]
	switch {
	case p.stopping:
		p.mu.Unlock()
		return fmt.Errorf("start %s: %w", c.ID, ErrStopping)
	case old != nil && (old.Error == "" || old.leaving):
		p.mu.Unlock()
		return fmt.Errorf("start %s: %w", c.ID, ErrExists)
	}
	p.containers[c.ID] = rec
	p.mu.Unlock()

	adopt := p.proc.expect()
	pid, direct, err := p.launch(c)
	done := adopt(pid)
	p.mu.Lock()
	defer p.mu.Unlock()
	rec.direct, rec.Direct = direct, direct != nil
	if err != nil {
		rec.Running, rec.ExitCode, rec.Error = false, -1, err.Error()
		return fmt.Errorf("start %s: %w", c.ID, err)
	}
	rec.Pid, rec.StartedAt = pid, time.Now()
	go p.watch(rec, done)
	return nil
}

// watch records the end of a container.
func (p *pid1) watch(c *record, done <-chan syscall.WaitStatus) {
	ws := <-done
	p.mu.Lock()
	c.Running, c.ExitedAt = false, time.Now()
	c.ExitCode, c.Signal = status(ws)
	p.mu.Unlock()
	p.tellExit(c.ID)
}

// launch returns the pid of the container's first process.
func (p *pid1) launch(c Process) (pid int, direct *container.Container, err error) {
	null, err := os.Open("/dev/null")
	if err != nil {
		return 0, nil, err
	}
	defer null.Close()
	// The output goes straight to a file, so that no end of a pipe can be lost.
	out, err := os.OpenFile(c.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, nil, fmt.Errorf("log file: %w", err)
	}
	defer out.Close()
	before, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, nil, fmt.Errorf("log file: %w", err)
	}
	if !c.Direct {
		pid, err = p.runcRun(c, null, out)
	} else if direct, err = container.Open(c.Bundle, c.Cgroups); err == nil {
		pid, err = direct.Start([3]int{int(null.Fd()), int(out.Fd()), int(out.Fd())})
	}
	if err != nil {
		// runc says its reason into the container's log too.
		_ = out.Truncate(before)
	}
	return pid, direct, err
}

func (p *pid1) runcRun(c Process, null, out *os.File) (pid int, err error) {
	pidFile, logFile := filepath.Join(c.Bundle, "runc.pid"), filepath.Join(c.Bundle, "runc.log")
	if err := os.Remove(logFile); err != nil && !os.IsNotExist(err) {
		return 0, err
	}
	code, err := p.runc(c.RuncRoot, []*os.File{null, out, out},
		"--log", logFile, "--log-format", "json", "run", "--detach", "--pid-file", pidFile, "--bundle", c.Bundle, c.ID)
	if err == nil && code != 0 {
		err = fmt.Errorf("runc: %s", runcReason(logFile, code))
	}
	if err == nil {
		var text []byte
		if text, err = os.ReadFile(pidFile); err == nil {
			pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
	}
	if err != nil {
		p.runcDelete(c.RuncRoot, c.ID)
		return 0, err
	}
	return pid, nil
}

// runc executes runc and waits for it.
func (p *pid1) runc(root string, files []*os.File, args ...string) (code int, err error) {
	argv := append([]string{"runc", "--root", root}, args...)
	// Not our environment: runc passes some of it on (NOTIFY_SOCKET, LISTEN_FDS).
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	_, done, err := p.proc.spawn(p.boot.Runc, argv, env, "/", files...)
	if err != nil {
		return 0, fmt.Errorf("execute runc: %w", err)
	}
	code, _ = status(<-done)
	return code, nil
}

// runcReason is the last error of runc's log.
func runcReason(logFile string, code int) string {
	b, err := os.ReadFile(logFile)
	reason := fmt.Sprintf("exit code %d", code)
	if err != nil {
		return reason
	}
	for line := range strings.Lines(string(b)) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Level == "error" && entry.Msg != "" {
			reason = entry.Msg
		}
	}
	return reason
}

// runcDelete removes runc's state and the container's cgroup.
func (p *pid1) runcDelete(root, id string) {
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer null.Close()
	if code, err := p.runc(root, []*os.File{null, null, null}, "delete", "--force", id); err != nil || code != 0 {
		p.log.Debug("runc delete", "id", id, "code", code, "error", err) // most often: never was
	}
}

// forget drops an ended container.
func (p *pid1) forget(id string) error {
	p.mu.Lock()
	c := p.containers[id]
	if c == nil {
		p.mu.Unlock()
		return nil
	}
	if c.Running || c.leaving {
		p.mu.Unlock()
		return fmt.Errorf("forget %s: %w", id, ErrBusy)
	}
	c.leaving = true
	p.mu.Unlock()
	if c.Error == "" && c.direct == nil {
		p.runcDelete(c.process.RuncRoot, id)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.containers, id)
	return nil
}

func (p *pid1) list() []Container {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Container, 0, len(p.containers))
	for _, id := range slices.Sorted(maps.Keys(p.containers)) {
		out = append(out, p.containers[id].Container)
	}
	return out
}

// signalContainers signals every container that runs and reports how many there
// are and how many of them heed SIGTERM; signal 0 only counts.
func (p *pid1) signalContainers(sig unix.Signal) (running, heeding int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.containers {
		if c.Pid == 0 || !c.Running {
			continue
		}
		running++
		if heeds(c.Pid, unix.SIGTERM) {
			heeding++
		}
		_ = unix.Kill(c.Pid, sig) // a zombie at worst
	}
	return running, heeding
}

// heeds reports whether the first process of a container does anything on sig:
// the kernel drops signals that PID 1 neither catches nor blocks.
func heeds(pid int, sig unix.Signal) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		name, hex, _ := strings.Cut(line, ":")
		if name != "SigBlk" && name != "SigCgt" {
			continue
		}
		mask, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
		if err != nil || mask&(1<<(sig-1)) != 0 {
			return true
		}
	}
	return false
}
