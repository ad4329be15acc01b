package sandbox

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// engine is what init knows about the engine; pid1.mu guards it.
type engine struct {
	pid       int
	peer      *peer
	since     time.Time
	ready     bool
	everReady bool
	restarts  int
	lastEnd   string
	kick      chan struct{} // start the next one now
	unsent    []string      // exits the engine has not been told of
	sending   sync.Mutex    // keeps their order
}

const (
	firstBackoff = 50 * time.Millisecond
	lastBackoff  = 5 * time.Second
	stable       = 10 * time.Second // an engine that lived so long was no crash loop
	logMax       = 16 << 20         // engine.log is set aside beyond this, when an engine starts
)

// keepEngine starts the engine again whenever it ends. It returns nil when the
// sandbox stops, and an error when the engine ends by itself before any was ever
// ready: then the start has failed.
func (p *pid1) keepEngine() error {
	backoff := firstBackoff
	for {
		offset := p.rotateLog()
		l := p.engineLife(offset)
		switch {
		case l.stopping:
			return nil
		case !l.everReady && !l.killed:
			return fmt.Errorf("the engine ended at its start: %s", l.end)
		case l.ready && l.killed, l.lived >= stable:
			backoff = firstBackoff // someone else's doing, or no crash loop
		}
		p.log.Warn("engine ended", "end", l.end, "lived", l.lived.Round(time.Millisecond), "next_in", backoff)
		select {
		case <-p.engine.kick:
			backoff = firstBackoff
		case <-time.After(backoff):
			backoff = min(2*backoff, lastBackoff)
		}
	}
}

// life is what there is to say of an engine that has ended.
type life struct {
	end              string
	lived            time.Duration
	killed           bool // from outside, as far as the signal tells
	ready, everReady bool // this one, or this or an earlier one
	stopping         bool // the sandbox
}

// engineLife starts an engine and waits for its end. Not being able to start it
// (a lack of processes, perhaps) counts as an end: containers go on.
func (p *pid1) engineLife(offset int64) life {
	done, err := p.startEngine()
	if err != nil {
		return p.engineEnded(fmt.Sprintf("it cannot be started: %v", err), false)
	}
	code, sig := status(<-done)
	if sig == 0 && code == 0 {
		return p.engineEnded("exit code 0: it was asked to", false) // its log has nothing to explain
	}
	if sig == 0 {
		return p.engineEnded(fmt.Sprintf("exit code %d: %s", code, tail(p.boot.Dir, offset)), false)
	}
	s := syscall.Signal(sig)
	return p.engineEnded(fmt.Sprintf("killed by signal %d (%s)", sig, s), s == unix.SIGKILL || s == unix.SIGTERM)
}

func (p *pid1) startEngine() (<-chan syscall.WaitStatus, error) {
	p.mu.Lock()
	e := &p.engine
	e.since = time.Now() // also of an engine that cannot be started
	generation := e.restarts
	p.mu.Unlock()
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	out, err := openLog(p.boot.Dir)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	path := p.boot.Binary
	if unix.Access(path, unix.X_OK) != nil {
		p.log.Warn("engine's program is not there, taking the one that runs", "path", path)
		path = self
	}
	argv := append([]string{p.boot.Binary}, p.boot.Engine...)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping {
		ours.Close()
		return nil, ErrStopping
	}
	peer, err := newPeer(ours, p.serveEngine(generation), nil)
	if err != nil {
		return nil, err
	}
	files := []*os.File{null, out, out, theirs}
	pid, done, err := p.proc.spawn(path, argv, env(roleEngine), "", files...)
	if err != nil && path != self { // half written, perhaps
		p.log.Warn("engine's program does not start, taking the one that runs", "path", path, "error", err)
		pid, done, err = p.proc.spawn(self, argv, env(roleEngine), "", files...)
	}
	if err != nil {
		peer.close()
		return nil, err
	}
	e.pid, e.peer, e.ready = pid, peer, false
	p.reportEngine()
	return done, nil
}

func (p *pid1) engineEnded(end string, killed bool) life {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := &p.engine
	l := life{end, time.Since(e.since), killed, e.ready, e.everReady, p.stopping}
	if e.peer != nil {
		e.peer.close()
	}
	e.pid, e.ready, e.unsent = 0, false, nil // the next one lists
	e.restarts++
	// It has to fit the status record: how it ended, and the last it wrote.
	e.lastEnd = end
	if how, wrote, ok := strings.Cut(end, ": "); ok {
		e.lastEnd = how + ": " + wrote[max(0, len(wrote)-350):]
	}
	p.reportEngine()
	return l
}

// engineReady ignores what an engine said that has ended since.
func (p *pid1) engineReady(generation int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.engine.pid == 0 || p.engine.restarts != generation {
		return
	}
	p.engine.ready, p.engine.everReady = true, true
	p.reportEngine()
}

// reportEngine tells the parent; p.mu is held, which keeps the order.
func (p *pid1) reportEngine() {
	e := &p.engine
	s := engineState{Pid: e.pid, Since: e.since, Ready: e.ready, Restarts: e.restarts, LastEnd: e.lastEnd}
	if err := p.host.notify(noteEngine, s); err != nil && !p.stopping {
		p.log.Warn("tell the parent of the engine", "error", err)
	}
}

// restartEngine ends the engine in order; the next one starts at once.
func (p *pid1) restartEngine() {
	select {
	case p.engine.kick <- struct{}{}:
	default:
	}
	p.endEngine()
}

// endEngine sends SIGTERM and, after the grace, SIGKILL.
func (p *pid1) endEngine() {
	p.mu.Lock()
	pid, peer := p.engine.pid, p.engine.peer
	p.mu.Unlock()
	if pid == 0 {
		return
	}
	gone := func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.engine.pid != pid
	}
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		p.mu.Lock()
		if p.engine.pid == pid {
			_ = unix.Kill(pid, sig) // a zombie at worst
		}
		p.mu.Unlock()
		if await(p.boot.Grace, gone) {
			break
		}
	}
	peer.close()
}

// tellExit tells the engine that a container has ended, without ever making init
// wait for an engine that does not read.
func (p *pid1) tellExit(id string) {
	p.mu.Lock()
	e := &p.engine
	if !slices.Contains(e.unsent, id) {
		e.unsent = append(e.unsent, id)
	}
	p.mu.Unlock()
	go func() {
		e.sending.Lock()
		defer e.sending.Unlock()
		p.mu.Lock()
		ids, to := e.unsent, e.peer
		e.unsent = nil
		p.mu.Unlock()
		for _, id := range ids {
			if to == nil || to.notify(noteExit, id) != nil {
				return
			}
		}
	}()
}

// rotateLog keeps engine.log within bounds and returns where it ends.
func (p *pid1) rotateLog() int64 {
	f, err := openLog(p.boot.Dir)
	if err != nil {
		return 0
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || end < logMax {
		return end
	}
	// The other processes hold the file open: copy, then cut. What is written in
	// between is lost, and better lost than the disk filled.
	old, err := os.Create(f.Name() + ".1")
	if err != nil {
		return end
	}
	defer old.Close()
	if _, err := io.Copy(old, io.NewSectionReader(f, 0, end)); err != nil {
		return end
	}
	if err := f.Truncate(0); err != nil {
		return end
	}
	return 0
}
