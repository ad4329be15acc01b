package sandbox

import (
	"errors"
	"os"
	"path/filepath"
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
	if err := Purge(w.dir); err != nil {
		t.Fatal(err)
	}
	if exists(w.dir) {
		t.Error("still there")
	}
	if err := os.MkdirAll(w.dir, 0o700); err != nil { // for the cleanup
		t.Fatal(err)
	}
}

// An engine that crashes again and again is started ever later, and the state
// directory says how often.
func TestCrashLoopBacksOff(t *testing.T) {
	w := startWorld(t)
	begin := time.Now()
	for n := range 4 {
		eventually(t, "engine", func() bool { s := w.status(); return s.Restarts == n && s.Ready })
		kill9(t, w.status().EnginePid)
	}
	eventually(t, "last engine", func() bool { s := w.status(); return s.Restarts == 4 && s.Ready })
	if took := time.Since(begin); took < 750*time.Millisecond { // 50+100+200+400
		t.Errorf("four restarts in %s", took)
	}
}
