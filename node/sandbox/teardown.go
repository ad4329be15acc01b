package sandbox

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// tearDown ends everything in order and leaves no file behind; when it returns
// PID 1 exits, and with it go all mounts and network namespaces.
func (p *pid1) tearDown() {
	begin := time.Now()
	p.mu.Lock()
	p.stopping = true
	p.mu.Unlock()
	// The engine first, lest it replaces what ends now.
	p.endEngine()
	p.endContainers()
	p.killAll()
	if err := errors.Join(unmountBelow(p.dir), removeTree(p.dir)); err != nil {
		p.log.Error("files of the sandbox are left", "error", err)
	}
	if p.boot.Cgroup != "" {
		if err := removeCgroups(cgroupRoot, p.boot.Cgroup); err != nil {
			p.log.Error("cgroups of the sandbox are left", "error", err)
		}
	}
	p.log.Info("torn down", "took", time.Since(begin).Round(time.Millisecond))
}

// endContainers gives containers their grace, if any of them makes use of it.
func (p *pid1) endContainers() {
	running, heeding := p.signalContainers(unix.SIGTERM)
	if heeding == 0 {
		return
	}
	p.log.Info("ending containers", "running", running, "grace", p.boot.Grace)
	// Those that do not heed SIGTERM need not hold up the rest.
	await(p.boot.Grace, func() bool {
		_, heeding := p.signalContainers(0)
		return heeding == 0
	})
}

// killAll kills every other process of the sandbox and waits until they are
// reaped; new ones may be forked meanwhile.
func (p *pid1) killAll() {
	await(10*time.Second, func() bool {
		return errors.Is(unix.Kill(-1, unix.SIGKILL), unix.ESRCH)
	})
}
