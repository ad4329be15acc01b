package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// parent is the process on the host's side.
type parent struct {
	cfg  Config
	boot boot
	log  *slog.Logger
	lock *os.File
	init *peer
	cmd  *exec.Cmd

	ready  chan struct{} // closed when the engine was ready for the first time
	failed chan error    // init's reason for not starting

	mu     sync.Mutex
	status Status
}

// Run runs a sandbox in the foreground until ctx ends or the process gets
// SIGTERM or SIGINT, and takes it down in order then; that is no error. A second
// signal takes it down by force. SIGUSR2 restarts the engine. Errors: ErrRunning,
// what the machine lacks (see Check), and the end of the engine's stderr when it
// ends by itself before it was ever ready.
func Run(ctx context.Context, cfg Config) error {
	return run(ctx, cfg, func() {})
}

func run(ctx context.Context, cfg Config, ready func()) error {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 2)
	signal.Notify(stop, unix.SIGTERM, unix.SIGINT)
	defer signal.Stop(stop)
	again := make(chan os.Signal, 1)
	signal.Notify(again, unix.SIGUSR2)
	defer signal.Stop(again)

	p := &parent{cfg: cfg, log: cfg.Log, ready: make(chan struct{}), failed: make(chan error, 1)}
	if err := p.start(ctx); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	defer p.lock.Close()
	exited := make(chan struct{})
	go func() { _ = p.cmd.Wait(); close(exited) }()
	reason := p.supervise(ctx, stop, again, exited, ready)
	p.init.close() // init takes everything down when it sees this
	p.awaitInit(stop, exited)
	if err := p.cleanUp(); err != nil {
		p.log.Error("something of the sandbox is left", "error", err)
	}
	p.log.Info("sandbox is down", "dir", cfg.Dir)
	if cfg.Ephemeral {
		if err := removeState(cfg.Dir); err != nil {
			p.log.Error("the state is left", "error", err)
		}
	}
	if reason != nil {
		return fmt.Errorf("sandbox: %w", reason)
	}
	return nil
}

// start makes init. When it fails nothing is left.
func (p *parent) start(ctx context.Context) (err error) {
	// A killed sandbox may take its grace, and the engine's, to come down.
	p.lock, err = acquire(ctx, p.cfg.Dir, 2*p.cfg.Grace+10*time.Second)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = p.lock.Truncate(0) // the error says more
			err = errors.Join(err, releaseCgroup(p.boot.Cgroup, p.cfg.Dir, p.boot.Rootless))
			p.lock.Close()
		}
	}()
	p.boot = boot{Config: p.cfg, Rootless: os.Geteuid() != 0}
	if p.boot.Runc, err = findTool("runc"); err != nil && !p.cfg.WithoutRunc {
		return findingRunc().err()
	}
	if f := findingEntry(os.ReadFile, p.boot.Rootless); !f.OK && !p.cfg.WithoutRunc {
		return f.err()
	}
	if p.boot.Cgroup, err = prepareCgroup(p.cfg.Dir, p.boot.Rootless); err != nil {
		p.boot.NoLimits = err.Error()
		p.log.Warn("containers run without CPU and memory limits", "reason", err)
	}
	if err := p.recordSelf(); err != nil {
		return err
	}
	out, err := openLog(p.cfg.Dir)
	if err != nil {
		return err
	}
	defer out.Close()
	c, err := spawnStage(roleInit, p.cfg.Dir, out, p.lock)
	if err != nil {
		return explain(err)
	}
	p.cmd = c.cmd
	if err := p.recordInit(); err != nil {
		return c.abort(err)
	}
	if p.init, err = newPeer(c.rpc, p.serve(), p.notice); err != nil {
		return c.abort(err)
	}
	if err := json.NewEncoder(c.gate).Encode(p.boot); err != nil {
		return c.abort(err)
	}
	return c.gate.Close()
}

// supervise returns when the sandbox has to come down, with the reason if that
// is an error.
func (p *parent) supervise(ctx context.Context, stop, again chan os.Signal, exited chan struct{}, ready func()) error {
	late := time.NewTimer(p.cfg.StartTimeout)
	defer late.Stop()
	first := p.ready
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-stop:
			p.log.Info("stopping", "signal", s.String())
			return nil
		case <-first:
			first = nil
			late.Stop()
			ready()
		case <-late.C:
			return fmt.Errorf("the engine was not ready within %s; %s", p.cfg.StartTimeout, logHint(p.cfg.Dir))
		case <-again:
			go p.restart()
		case err := <-p.failed:
			return err
		case <-exited:
			<-p.init.closed // what it said before is read now
			select {
			case err := <-p.failed:
				return err
			default:
				return fmt.Errorf("init ended unexpectedly (%s); %s", p.cmd.ProcessState, logHint(p.cfg.Dir))
			}
		}
	}
}

func (p *parent) restart() {
	if _, err := p.init.call(context.Background(), opRestart, nil, nil); err != nil {
		p.log.Error("restart the engine", "error", err)
	}
}

// awaitInit waits until init has taken everything down, by force in the end.
func (p *parent) awaitInit(stop chan os.Signal, exited chan struct{}) {
	// Twice the grace: the engine's and the containers'.
	timeout := time.NewTimer(2*p.cfg.Grace + 10*time.Second)
	defer timeout.Stop()
	select {
	case <-exited:
		return
	case <-stop:
		p.log.Warn("second signal: by force")
	case <-timeout.C:
		p.log.Error("init does not end: by force")
	}
	_ = p.cmd.Process.Kill() // it may just have ended
	<-exited
}

// cleanUp removes what init could not remove if it was killed.
func (p *parent) cleanUp() error {
	errs := []error{releaseCgroup(p.boot.Cgroup, p.cfg.Dir, p.boot.Rootless)}
	run := filepath.Join(p.cfg.Dir, runDir)
	if err := removeTree(run); err != nil {
		if p.boot.Rootless { // files of subordinate ids
			err = sweep(run)
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, p.lock.Truncate(0))...)
}

func (p *parent) recordSelf() error {
	started, _, err := startTime(os.Getpid())
	if err != nil {
		return err
	}
	p.status = Status{Pid: os.Getpid(), Started: started, Since: time.Now(), Version: p.cfg.Version}
	return writeStatus(p.lock, p.status)
}

func (p *parent) recordInit() error {
	started, _, err := startTime(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.InitPid, p.status.InitStarted = p.cmd.Process.Pid, started
	return writeStatus(p.lock, p.status)
}

// notice takes init's notifications, in order.
func (p *parent) notice(op string, body json.RawMessage) {
	switch op {
	case noteFailed:
		var why failure
		if json.Unmarshal(body, &why) == nil {
			select {
			case p.failed <- &why:
			default:
			}
		}
	case noteEngine:
		var e engineState
		if json.Unmarshal(body, &e) == nil {
			p.recordEngine(e)
		}
	}
}

func (p *parent) recordEngine(e engineState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &p.status
	s.EnginePid = 0
	if e.Pid != 0 {
		s.EnginePid = hostPid(s.InitPid, e.Pid)
	}
	s.EngineSince, s.Ready, s.Restarts, s.LastEnd = e.Since, e.Ready, e.Restarts, e.LastEnd
	if err := writeStatus(p.lock, *s); err != nil {
		p.log.Error("record the engine", "error", err)
	}
	if e.Ready {
		select {
		case <-p.ready:
		default:
			close(p.ready)
		}
	}
}
