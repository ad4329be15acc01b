package sandbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// populate makes everything a sandbox can leave.
func populate(w *world) map[int]uint64 {
	w.t.Helper()
	w.run("a", "term /bye")
	w.run("b", "exit 3")
	w.must("/pin")
	w.must("/foreign")
	eventually(w.t, "output", func() bool { return w.log("a") == "ready\n" })
	s := w.status()
	procs := descendants(s.Pid)
	if len(procs) < 4 { // parent, init, engine, container
		w.t.Fatalf("processes %v of %+v", procs, s)
	}
	return procs
}

func TestKillLeavesNothing(t *testing.T) {
	for name, victim := range map[string]func(Status) []int{
		"parent":          func(s Status) []int { return []int{s.Pid} },
		"init":            func(s Status) []int { return []int{s.InitPid} },
		"engine and init": func(s Status) []int { return []int{s.EnginePid, s.InitPid} },
	} {
		t.Run(name, func(t *testing.T) {
			w := startWorld(t)
			procs := populate(w)
			for _, pid := range victim(w.status()) {
				kill9(t, pid)
			}
			w.nothingLeft(procs)
		})
	}
	t.Run("parent and init, then start again", func(t *testing.T) {
		w := startWorld(t)
		procs := populate(w)
		s := w.status()
		kill9(t, s.Pid)
		kill9(t, s.InitPid)
		if _, err := Start(w.cfg); err != nil {
			t.Fatal(err)
		}
		for pid, started := range procs {
			if alive(pid, started) {
				t.Errorf("process %d lives", pid)
			}
		}
		if exists(filepath.Join(w.dir, runDir, "bundles")) {
			t.Error("bundles of the first are there")
		}
		procs = populate(w)
		if err := Stop(w.dir, patience); err != nil {
			t.Fatal(err)
		}
		w.nothingLeft(procs)
	})
}

func TestTearDownIsOrderly(t *testing.T) {
	t.Run("a container may say goodbye", func(t *testing.T) {
		w := startWorld(t)
		procs := populate(w)
		begin := time.Now()
		if err := Stop(w.dir, patience); err != nil {
			t.Fatal(err)
		}
		t.Logf("teardown %s", time.Since(begin))
		w.nothingLeft(procs)
		if err := Stop(w.dir, patience); !errors.Is(err, ErrNotRunning) {
			t.Errorf("second stop: %v", err)
		}
		if s := w.status(); s != (Status{}) {
			t.Errorf("status %+v", s)
		}
	})
	for program, bound := range map[string]time.Duration{"deaf": time.Second, "stubborn": 5 * time.Second} {
		t.Run("a "+program+" container does not hold it up", func(t *testing.T) {
			w := startWorld(t)
			w.run(program, program)
			eventually(t, "output", func() bool { return w.log(program) == "ready\n" })
			procs := descendants(w.status().Pid)
			begin := time.Now()
			if err := Stop(w.dir, patience); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took > bound {
				t.Errorf("took %s", took)
			}
			w.nothingLeft(procs)
		})
	}
	t.Run("a hung init is ended by force", func(t *testing.T) {
		w := startWorld(t)
		procs := populate(w)
		if err := syscall.Kill(w.status().InitPid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if err := Stop(w.dir, 300*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		w.nothingLeft(procs)
	})
}

func TestPurge(t *testing.T) {
	w := startWorld(t)
	populate(w)
	if err := Stop(w.dir, patience); err != nil {
		t.Fatal(err)
	}
	if !exists(filepath.Join(w.dir, "layers", "closed")) {
		t.Error("what is stored in the state directory went with the sandbox")
	}
	if err := Purge(w.dir); err != nil {
		t.Fatal(err)
	}
	if exists(w.dir) {
		t.Error("still there")
	}
}

// An engine that crashes again and again is started ever later, and the state
// directory says how often and why; one that is killed comes back at once.
func TestCrashLoopBacksOff(t *testing.T) {
	w := startWorld(t)
	begin := time.Now()
	for n := range 4 {
		eventually(t, "engine", func() bool { s := w.status(); return s.Restarts == n && s.Ready })
		_, _, _ = w.post("/crash")
	}
	eventually(t, "last engine", func() bool { s := w.status(); return s.Restarts == 4 && s.Ready })
	if end := w.status().LastEnd; !strings.HasPrefix(end, "exit code 3: ") || !strings.HasSuffix(end, "the fake engine crashes") {
		t.Errorf("last end %q", end)
	}
	if took := time.Since(begin); took < 750*time.Millisecond { // 50+100+200+400
		t.Errorf("four restarts in %s", took)
	}
}

// The engine is killed at random moments while containers are started and
// forgotten. Afterwards what init knows is what runs, and nothing else does.
func TestKillEngineAtRandomMoments(t *testing.T) {
	w := startWorld(t)
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	for n := range rounds {
		before := w.status()
		var wg sync.WaitGroup
		for k := range 3 {
			wg.Go(func() {
				id := fmt.Sprintf("c%d-%d", n, k)
				_, _, _ = w.post("/run", "id", id, "args", "deaf", "app", w.app) // may be cut
				if k == 0 {
					_, _, _ = w.post("/run", "id", id+"-ends", "args", "exit 5", "app", w.app)
					_, _, _ = w.post("/forget", "id", id+"-ends")
				}
			})
		}
		time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, func() { _ = syscall.Kill(before.EnginePid, syscall.SIGKILL) })
		eventually(t, "next engine", func() bool { s := w.status(); return s.Restarts > before.Restarts && s.Ready })
		wg.Wait()
	}
	// What ends by itself may still be about to: the count is taken anew.
	var known []Container
	running := 0
	eventually(t, "no orphan", func() bool {
		known, running = get[[]Container](w, "/containers"), 0
		for _, c := range known {
			if c.Running && c.Pid == 0 {
				return false // a start in flight
			}
			if c.Running {
				running++
			}
		}
		return len(descendants(w.status().InitPid)) == running+2 // init, engine
	})
	for _, c := range known {
		if !c.Running && (c.ExitCode != 5 || c.Error != "") {
			t.Errorf("%+v", c)
		}
	}
	states, _ := os.ReadDir(filepath.Join(w.dir, runDir, "runc"))
	if len(states) != len(known) {
		t.Errorf("%d containers, %d runc states", len(known), len(states))
	}
	s := w.status()
	t.Logf("%d engines killed, %d containers run", s.Restarts, running)
	procs := descendants(s.Pid)
	begin := time.Now()
	if err := Stop(w.dir, patience); err != nil {
		t.Fatal(err)
	}
	t.Logf("teardown of %d containers: %s", running, time.Since(begin).Round(time.Millisecond))
	w.nothingLeft(procs)
}

// The parent is killed at random moments of its start; the next start works.
func TestKillParentWhileItStarts(t *testing.T) {
	for range 6 {
		w := newWorld(t, "good")
		started := make(chan error, 1)
		go func() { _, err := Start(w.cfg); started <- err }()
		delay := time.NewTimer(time.Duration(rand.IntN(40)) * time.Millisecond)
		eventually(t, "parent", func() bool { s, _ := StatusOf(w.dir); return s.Running })
		<-delay.C
		s := w.status()
		procs := descendants(s.Pid)
		if s.Running {
			kill9(t, s.Pid)
		}
		<-started
		if _, err := Start(w.cfg); err != nil {
			t.Fatal(err)
		}
		for pid, at := range procs {
			if alive(pid, at) {
				t.Errorf("process %d lives", pid)
			}
		}
		w.stop()
	}
}

// Run is the foreground: it ends in order with its context.
func TestRunInTheForeground(t *testing.T) {
	w := newWorld(t, "good")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, w.cfg) }()
	eventually(t, "ready", func() bool { s, _ := StatusOf(w.dir); return s.Ready })
	s := w.status()
	if s.Pid != os.Getpid() {
		t.Errorf("pid %d", s.Pid)
	}
	procs := populate(w)
	delete(procs, s.Pid)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	w.nothingLeft(procs)
	w.stop()
}

// Listeners, connections, containers and engines come and go; descriptors of init
// and the parent do not grow.
func TestSandboxDescriptorsDoNotGrow(t *testing.T) {
	w := newWorld(t, "good")
	w.cfg.AllowHost = true
	if _, err := Start(w.cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.stop)
	addr, taken := freeAddr(t), echo(t)
	round := func() {
		restarts := w.status().Restarts
		for range 5 {
			w.must("/listen", "addr", addr)
			w.must("/unlisten", "addr", addr)
			_, _, _ = w.post("/listen", "addr", taken)
			w.must("/dial", "network", "tcp", "addr", taken)
			_, _, _ = w.post("/dial", "network", "tcp", "addr", "[::]:1")
		}
		w.run("x", "exit 0")
		eventually(t, "end", func() bool { return !w.container("x").Running })
		w.must("/forget", "id", "x")
		kill9(t, w.status().EnginePid)
		eventually(t, "next engine", func() bool { s := w.status(); return s.Restarts == restarts+1 && s.Ready })
	}
	count := func() (n [2]int) {
		s := w.status()
		for i, pid := range []int{s.Pid, s.InitPid} {
			e, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
			if err != nil {
				t.Fatal(err)
			}
			n[i] = len(e)
		}
		return n
	}
	round()
	before := count()
	for range 3 {
		round()
	}
	if !await(patience, func() bool { return count() == before }) {
		t.Errorf("descriptors of parent and init: %v before, %v after", before, count())
	}
}
