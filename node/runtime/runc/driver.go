// Package runc is the driver that runs containers with the runc command:
// root file systems from package image, bundles and cgroups made here, the
// processes started by a Launcher that outlives the engine.
//
// Everything it knows is on the disk or with the launcher, so a driver made
// anew after a crash finds every container again, and clears away what was
// half made.
package runc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipway-dev/slipway/node/container"
	"github.com/slipway-dev/slipway/node/runtime"
	"github.com/slipway-dev/slipway/node/runtime/image"
	"github.com/slipway-dev/slipway/node/sandbox"
)

// Config of a Driver.
type Config struct {
	// Dir holds bundles, logs and runc's state.
	Dir      string
	Launcher Launcher
	Images   *image.Store
	Log      *slog.Logger
	// Cgroup is the parent of all cgroups, a path below the hierarchies'
	// mounts such as "/slipway"; it is made if it can be. "" or one that
	// cannot be made: containers run without limits, and that is logged once.
	Cgroup string
	// Init is a static program that is put into containers that ask for an
	// init process and run there as "<Init> -- args...", and InitArgs what
	// comes before the "--".
	Init     string
	InitArgs []string
	// Command is the runc to use; "" = runc from PATH.
	Command string
	// AlwaysRunc has runc start every container. Otherwise it does where the launcher
	// cannot by itself (node/container): on old kernels, for what few
	// containers ask for.
	AlwaysRunc bool
}

// Driver runs containers with runc.
type Driver struct {
	cfg     Config
	command string
	direct  bool
	cgroups *cgroups // nil: no limits
	changed chan struct{}

	closed    chan struct{}
	closeOnce sync.Once

	mu      sync.Mutex
	records map[string]record
	exited  []string        // since Exited
	hosts   map[string]host // of those in which something was executed
}

var _ runtime.Driver = (*Driver)(nil)

// ErrNoRunc says what to do when there is no runc.
var ErrNoRunc = errors.New("runc is not installed: apt-get install runc (or dnf install runc)")

// New returns a driver that knows the containers of the one before it.
func New(cfg Config) (*Driver, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Command == "" {
		cfg.Command = "runc"
	}
	path, err := exec.LookPath(cfg.Command)
	if err != nil {
		return nil, ErrNoRunc
	}
	d := &Driver{cfg: cfg, command: path, direct: !cfg.AlwaysRunc && container.Supported(), changed: make(chan struct{}, 1), closed: make(chan struct{}), records: map[string]record{}, hosts: map[string]host{}}
	for _, sub := range []string{"bundles", "logs", "runc"} {
		if err := os.MkdirAll(filepath.Join(cfg.Dir, sub), 0o711); err != nil {
			return nil, fmt.Errorf("make container directory: %w", err)
		}
	}
	if cfg.Cgroup != "" {
		if d.cgroups, err = openCgroups(cfg.Cgroup); err != nil {
			cfg.Log.Warn("containers run without CPU and memory limits", "why", err)
		}
	}
	if err := d.restore(context.Background()); err != nil {
		return nil, fmt.Errorf("find containers again: %w", err)
	}
	go d.follow()
	return d, nil
}

// follow turns exits into one wake.
func (d *Driver) follow() {
	for {
		select {
		case id, ok := <-d.cfg.Launcher.Exits():
			if !ok {
				return
			}
			d.mu.Lock()
			d.exited = append(d.exited, id)
			d.mu.Unlock()
		case <-d.closed:
			return
		}
		select {
		case d.changed <- struct{}{}:
		default:
		}
	}
}

// Exited names those that have exited since it was asked last.
func (d *Driver) Exited() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	ids := d.exited
	d.exited = nil
	return ids
}

// Close ends the driver; the containers stay.
func (d *Driver) Close() error {
	d.closeOnce.Do(func() { close(d.closed) })
	return nil
}

// Name is "runc".
func (d *Driver) Name() string { return "runc" }

// Limited reports whether CPU and memory limits are enforced.
func (d *Driver) Limited() bool { return d.cgroups != nil }

// Changed receives after exits.
func (d *Driver) Changed() <-chan struct{} { return d.changed }

// Logs is the file with the container's output.
func (d *Driver) Logs(id string) string { return filepath.Join(d.cfg.Dir, "logs", id) }

// RemoveLog deletes it.
func (d *Driver) RemoveLog(_ context.Context, id string) error {
	if err := os.Remove(d.Logs(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove log of %s: %w", id, err)
	}
	return nil
}

func (d *Driver) runcRoot() string { return filepath.Join(d.cfg.Dir, "runc") }

// Start has the launcher run the bundle.
func (d *Driver) Start(ctx context.Context, id string) error {
	r, ok := d.record(id)
	if !ok {
		return fmt.Errorf("start %s: %w", id, runtime.ErrNotFound)
	}
	p := sandbox.Process{ID: id, Bundle: d.bundle(id), RuncRoot: d.runcRoot(), Log: d.Logs(id), Direct: d.direct}
	if d.cgroups != nil && r.Cgroup != "" {
		p.Cgroups = d.cgroups.folders(r.Cgroup)
	}
	err := d.cfg.Launcher.Start(ctx, p)
	if p.Direct && errors.Is(err, container.ErrUnsupported) {
		d.cfg.Log.Info("container started with runc", "container", id, "why", err)
		p.Direct = false
		err = d.cfg.Launcher.Start(ctx, p)
	}
	if err == nil {
		return nil
	}
	if c, known, listErr := d.container(ctx, id); listErr == nil && known && c.Error == "" {
		return nil
	}
	return startError(err)
}

// startError drops the words that runc says before the cause.
func startError(err error) error {
	text := err.Error()
	for _, noise := range []string{"runc create failed: ", "runc run failed: ", notStarted} {
		if i := strings.LastIndex(text, noise); i >= 0 {
			return errors.New(strings.TrimRight(text[i:], "\n\" }"))
		}
	}
	return err
}

// container asks the launcher for one container.
func (d *Driver) container(ctx context.Context, id string) (sandbox.Container, bool, error) {
	all, err := d.cfg.Launcher.Containers(ctx)
	if err != nil {
		return sandbox.Container{}, false, fmt.Errorf("list containers: %w", err)
	}
	i := slices.IndexFunc(all, func(c sandbox.Container) bool { return c.ID == id })
	if i < 0 {
		return sandbox.Container{}, false, nil
	}
	return all[i], true, nil
}

// open returns a pidfd of the container's first process, or ErrNotRunning.
func (d *Driver) open(ctx context.Context, id string) (int, error) {
	c, known, err := d.container(ctx, id)
	if err != nil {
		return -1, err
	}
	if !known || !c.Running || c.Pid == 0 {
		if _, ok := d.record(id); !ok && !known {
			return -1, runtime.ErrNotFound
		}
		return -1, runtime.ErrNotRunning
	}
	fd, err := unix.PidfdOpen(c.Pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return -1, runtime.ErrNotRunning
	}
	if err != nil {
		return -1, fmt.Errorf("open process %d: %w", c.Pid, err)
	}
	// The pid could have been given to another process before it was opened,
	// but not if its container still runs now.
	if again, known, err := d.container(ctx, id); err != nil || !known || !again.Running {
		unix.Close(fd)
		return -1, errors.Join(runtime.ErrNotRunning, err)
	}
	return fd, nil
}

// Signal sends sig to the first process.
func (d *Driver) Signal(ctx context.Context, id string, sig syscall.Signal) error {
	fd, err := d.open(ctx, id)
	if err != nil {
		return fmt.Errorf("signal %s: %w", id, err)
	}
	defer unix.Close(fd)
	err = unix.PidfdSendSignal(fd, sig, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		err = runtime.ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("signal %s: %w", id, err)
	}
	return nil
}

// List joins what is on the disk with what the launcher knows.
func (d *Driver) List(ctx context.Context, ids ...string) ([]runtime.State, error) {
	asked := make(map[string]bool, len(ids))
	for _, id := range ids {
		asked[id] = true
	}
	launched, err := d.cfg.Launcher.Containers(ctx)
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	byID := make(map[string]sandbox.Container, len(launched))
	for _, c := range launched {
		if len(ids) == 0 || asked[c.ID] {
			byID[c.ID] = c
		}
	}
	var out []runtime.State
	for _, r := range d.allRecords() {
		if len(ids) == 0 || asked[r.ID] {
			out = append(out, d.state(r, byID[r.ID]))
			delete(byID, r.ID)
		}
	}
	for _, c := range byID { // without a bundle: to be removed
		out = append(out, runtime.State{ID: c.ID, Started: true, Running: c.Running, Pid: c.Pid, ExitCode: c.ExitCode, StartedAt: c.StartedAt, ExitedAt: c.ExitedAt})
	}
	slices.SortFunc(out, func(a, b runtime.State) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// state puts together what was recorded of a container and what init knows of
// it, which is nothing before its start.
func (d *Driver) state(r record, c sandbox.Container) runtime.State {
	st := runtime.State{ID: r.ID, Group: r.Group, Digest: r.Digest, StopSignal: r.StopSignal}
	switch {
	case c.ID == "" || c.Error != "":
	case c.Running:
		st.Started, st.Running, st.StartedAt, st.Pid = true, true, c.StartedAt, c.Pid
	default:
		st.Started, st.StartedAt, st.ExitCode, st.ExitedAt = true, c.StartedAt, c.ExitCode, c.ExitedAt
		st.OOMKilled = c.ExitCode != 0 && d.oomKilled(r)
	}
	return st
}

// oomKilled reads the container's cgroup, which is there until Forget.
func (d *Driver) oomKilled(r record) bool {
	return d.cgroups != nil && r.Cgroup != "" && d.cgroups.oomKills(r.Cgroup) > 0
}
