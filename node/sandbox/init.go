package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// pid1 is the sandbox's init.
type pid1 struct {
	boot boot
	dir  string // boot.Dir/run
	log  *slog.Logger
	host *peer // the parent
	proc *reaper

	mu         sync.Mutex
	stopping   bool
	containers map[string]*record
	listeners  listeners
	engine     engine
}

func initMain() error {
	unix.CloseOnExec(4)
	unix.CloseOnExec(5) // the lock: held by being open, here and in the parent only
	var b boot
	if err := json.NewDecoder(os.NewFile(4, "gate")).Decode(&b); err != nil {
		return fmt.Errorf("configuration from the parent: %w", err)
	}
	if os.Getpid() != 1 {
		return errors.New("init has to be PID 1 of the sandbox")
	}
	_ = unix.Prctl(unix.PR_SET_NAME, namePtr("slipway-init"), 0, 0, 0) // for ps only
	// PID 1 ends when the parent's socket does; signals of the host ask for the same.
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)

	p := &pid1{
		boot: b, dir: filepath.Join(b.Dir, runDir),
		log:        slog.New(slog.NewTextHandler(os.Stderr, nil)).With("process", "init"),
		proc:       newReaper(),
		containers: map[string]*record{},
		listeners:  listeners{fds: map[string]int{}},
	}
	p.engine.kick = make(chan struct{}, 1)
	var err error
	if p.host, err = newPeer(os.NewFile(3, "rpc"), p.serveParent(), nil); err != nil {
		return err
	}
	if err := p.prepare(); err != nil {
		_ = p.host.notify(noteFailed, failureOf(explain(err)))
		return err
	}
	go p.proc.run()
	failed := make(chan error, 1)
	go func() { failed <- p.keepEngine() }()
	select {
	case <-p.host.closed:
	case s := <-stop:
		p.log.Info("stopping", "signal", s.String())
	case err := <-failed:
		_ = p.host.notify(noteFailed, failureOf(err))
	}
	p.tearDown()
	return nil
}

// prepare makes the namespaces usable and removes what a killed sandbox left.
func (p *pid1) prepare() error {
	if err := settle(); err != nil {
		return err
	}
	// A killed sandbox took its mounts along, but not its files.
	if err := removeTree(p.dir); err != nil {
		return err
	}
	return os.Mkdir(p.dir, 0o711) // containers' users pass through it
}

// serveParent answers the parent.
func (p *pid1) serveParent() handler {
	return serveOps(map[string]handler{
		opRestart: op(func(context.Context, any) (any, int, error) {
			p.restartEngine()
			return nil, noFD, nil
		}),
	})
}

// serveEngine answers the engine that was started after so many others.
func (p *pid1) serveEngine(generation int) handler {
	return serveOps(map[string]handler{
		opHello: op(func(context.Context, any) (any, int, error) { return p.hello(), noFD, nil }),
		opReady: op(func(context.Context, any) (any, int, error) { p.engineReady(generation); return nil, noFD, nil }),
		opListen: op(func(ctx context.Context, addr string) (any, int, error) {
			fd, err := p.listeners.get(ctx, addr, func(ctx context.Context, addr string) (int, error) {
				return p.host.call(ctx, opListen, addr, nil)
			})
			return nil, fd, err
		}),
		opUnlisten:  op(func(_ context.Context, addr string) (any, int, error) { p.listeners.drop(addr); return nil, noFD, nil }),
		opListeners: op(func(context.Context, any) (any, int, error) { return p.listeners.list(), noFD, nil }),
		opDial: op(func(ctx context.Context, t target) (any, int, error) {
			fd, err := p.host.call(ctx, opDial, t, nil)
			return nil, fd, err
		}),
		opResolver: op(func(ctx context.Context, t target) (any, int, error) {
			fd, err := p.host.call(ctx, opResolver, t, nil)
			return nil, fd, err
		}),
		opStart:      op(func(_ context.Context, c Process) (any, int, error) { return nil, noFD, p.start(c) }),
		opContainers: op(func(context.Context, any) (any, int, error) { return p.list(), noFD, nil }),
		opExec:       opWith(p.exec),
		opForget:     op(func(_ context.Context, id string) (any, int, error) { return nil, noFD, p.forget(id) }),
	})
}

func (p *pid1) hello() hello {
	h := hello{Protocol: protocol, StateDir: p.boot.Dir, Dir: p.dir, Rootless: p.boot.Rootless, CgroupParent: p.boot.Cgroup, Runc: p.boot.Runc}
	if h.Limits = "limited by cgroup " + h.CgroupParent; h.CgroupParent == "" {
		h.Limits = p.boot.NoLimits
	}
	return h
}
