package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A container lives, ends, and its end is known until it is forgotten.
func TestSandboxRunsContainers(t *testing.T) {
	w := startWorld(t)
	a := get[about](w, "/about")
	for ns, inside := range a.Namespaces {
		outside, err := os.Readlink("/proc/self/ns/" + ns)
		if err != nil {
			t.Fatal(err)
		}
		if (inside != outside) != (ns != "user" || a.Rootless) {
			t.Errorf("namespace %s: %s inside, %s outside", ns, inside, outside)
		}
	}
	if a.Rootless != (os.Geteuid() != 0) {
		t.Errorf("rootless = %v", a.Rootless)
	}
	t.Logf("cgroup %q: %s", a.Cgroup, a.Limits)

	w.run("seven", "exit 7")
	eventually(t, "exit known", func() bool { return !w.container("seven").Running })
	c := w.container("seven")
	if c.ExitCode != 7 || c.Signal != 0 || c.Error != "" || c.ExitedAt.Before(c.StartedAt.Add(-time.Second)) {
		t.Errorf("ended with 7: %+v", c)
	}
	eventually(t, "exit told", func() bool { return slices.Contains(get[about](w, "/about").Exits, "seven") })
	if got := w.log("seven"); got != "exit 7\n" {
		t.Errorf("log %q", got)
	}

	w.run("killed", "term /x")
	eventually(t, "output", func() bool { return w.log("killed") == "ready\n" })
	if a.Cgroup != "" {
		limits, _ := filepath.Glob(filepath.Join(cgroupRoot, "*", a.Cgroup, "killed", "memory.limit_in_bytes"))
		v2, _ := filepath.Glob(filepath.Join(cgroupRoot, a.Cgroup, "killed", "memory.max"))
		for _, path := range append(limits, v2...) {
			if b, err := os.ReadFile(path); err != nil || strings.TrimSpace(string(b)) != fmt.Sprint(64<<20) {
				t.Errorf("%s: %q, %v", path, b, err)
			}
		}
		if len(limits)+len(v2) == 0 {
			t.Error("no memory limit to be found")
		}
	}
	if _, h, err := w.post("/forget", "id", "killed"); err == nil || h.Get("X-Busy") != "true" {
		t.Errorf("forget a running container: %v", err)
	}
	if _, h, err := w.post("/run", "id", "killed", "args", "exit 1", "app", w.app); err == nil || h.Get("X-Exists") != "true" {
		t.Errorf("start it again: %v", err)
	}
	w.must("/kill", "pid", fmt.Sprint(w.container("killed").Pid))
	eventually(t, "end", func() bool { return !w.container("killed").Running })
	if c := w.container("killed"); c.ExitCode != 137 || c.Signal != 9 {
		t.Errorf("killed: %+v", c)
	}
	for _, id := range []string{"killed", "seven", "never was"} {
		w.must("/forget", "id", id)
	}
	if left := get[[]Container](w, "/containers"); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
	if left, _ := os.ReadDir(filepath.Join(w.dir, runDir, "runc")); len(left) > 0 {
		t.Errorf("runc states left: %v", left)
	}
}

// A container that cannot start says why in runc's words, leaves no line in the
// log, and its id can be used again.
// Init starts a container without runc, also as an ordinary user, and others
// join it, with a terminal or not, until it ends or the engine gives up.
func TestSandboxWithoutRunc(t *testing.T) {
	w := startWorld(t)
	w.must("/direct", "id", "c", "args", "deaf", "app", w.app)
	if c := w.container("c"); !c.Running || !c.Direct || c.Pid == 0 {
		t.Errorf("%+v", c)
	}
	if got := w.must("/exec", "id", "c", "args", "exit 7"); got != `7 exit 7\n` {
		t.Errorf("exec: %q", got)
	}
	if got := w.must("/exec", "id", "c", "args", "exit 8", "tty", "yes"); got != `8 exit 8\r\n` {
		t.Errorf("exec with a terminal: %q", got)
	}
	if _, _, err := w.post("/exec", "id", "nobody", "args", "exit 0"); err == nil || !strings.Contains(err.Error(), ErrGone.Error()) {
		t.Errorf("exec in no container: %v", err)
	}
	kill9(t, w.status().EnginePid)
	eventually(t, "a new engine joins it too", func() bool {
		got, _, err := w.post("/exec", "id", "c", "args", "exit 9")
		return err == nil && got == `9 exit 9\n`
	})
	w.must("/kill", "pid", fmt.Sprint(w.container("c").Pid))
	eventually(t, "its end", func() bool { c := w.container("c"); return !c.Running && c.ExitCode == 137 })
	w.must("/forget", "id", "c")
	procs := descendants(w.status().Pid)
	w.stop()
	w.nothingLeft(procs)
}

func TestSandboxRefusesBadContainers(t *testing.T) {
	w := startWorld(t)
	_, _, err := w.post("/run", "id", "x", "args", "exit 0") // without its program
	if err == nil || !strings.Contains(err.Error(), "/app") {
		t.Fatalf("error %v", err)
	}
	if c := w.container("x"); c.Running || c.ExitCode != -1 || !strings.Contains(err.Error(), c.Error) {
		t.Errorf("%+v", c)
	}
	if got := w.log("x"); got != "" {
		t.Errorf("log %q", got)
	}
	w.run("x", "exit 0")
	if _, _, err := w.post("/run", "id", "..", "args", "exit 0", "app", w.app); err == nil {
		t.Error("id .. taken")
	}
}

// The engine dies; a request sent while it is dead is answered by the next one,
// which finds the same containers and the exit code of the one that ended
// meanwhile.
func TestSandboxSurvivesItsEngine(t *testing.T) {
	w := startWorld(t)
	w.run("stays", "term /x")
	w.run("ends", "wait go 42")
	eventually(t, "output", func() bool { return w.log("ends") == "waiting\n" })
	before, stays := w.status(), w.container("stays")

	hold := filepath.Join(w.dir, "hold")
	if err := syscall.Mkfifo(hold, 0o600); err != nil {
		t.Fatal(err)
	}
	kill9(t, before.EnginePid)
	eventually(t, "next engine", func() bool { s := w.status(); return s.Restarts == 1 && s.EnginePid != 0 })
	if w.status().Ready {
		t.Error("ready although it is held up")
	}
	answered := make(chan error, 1)
	go func() {
		r, err := client.Get("http://" + w.addr + "/about")
		if err == nil {
			r.Body.Close()
		}
		answered <- err
	}()
	open(t, filepath.Join(w.dir, runDir, "bundles", "ends", "rootfs", "go"))
	eventually(t, "last words", func() bool { return strings.Contains(w.log("ends"), "last words") })
	open(t, hold)
	if err := <-answered; err != nil {
		t.Errorf("request while the engine was dead: %v", err)
	}
	eventually(t, "exit code", func() bool { return w.container("ends").ExitCode == 42 })
	if c := w.container("stays"); c != stays {
		t.Errorf("was %+v, is %+v", stays, c)
	}
	eventually(t, "ready", func() bool { return w.status().Ready })
}

// open opens a FIFO for writing, which releases its reader.
func open(t *testing.T, fifo string) {
	t.Helper()
	var f *os.File
	eventually(t, "reader of "+fifo, func() (ok bool) {
		var err error
		f, err = os.OpenFile(fifo, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		return err == nil
	})
	os.Remove(fifo)
	f.Close()
}

func TestStartReportsWhyNot(t *testing.T) {
	t.Run("the engine ends by itself", func(t *testing.T) {
		w := newWorld(t, "broken")
		_, err := Start(w.cfg)
		if err == nil || !strings.Contains(err.Error(), "the store is damaged") {
			t.Fatal(err)
		}
		w.nothingLeft(nil)
	})
	t.Run("the engine is never ready", func(t *testing.T) {
		w := newWorld(t, "deaf")
		w.cfg.StartTimeout = 300 * time.Millisecond
		_, err := Start(w.cfg)
		if err == nil || !strings.Contains(err.Error(), "not ready within 300ms") {
			t.Fatal(err)
		}
		w.nothingLeft(nil)
	})
	t.Run("a taken port", func(t *testing.T) {
		w := newWorld(t, "good")
		other := startWorld(t)
		w.cfg.Engine = other.cfg.Engine
		_, err := Start(w.cfg)
		if err == nil || !strings.Contains(err.Error(), "address already in use") {
			t.Fatal(err)
		}
	})
	t.Run("the state directory is a file", func(t *testing.T) {
		w := newWorld(t, "good")
		if err := os.WriteFile(w.dir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Start(w.cfg); !errors.Is(err, syscall.ENOTDIR) {
			t.Fatal(err)
		}
	})
}

func TestSecondEngineNamesTheFirst(t *testing.T) {
	w := startWorld(t)
	s := w.status()
	_, err := Start(w.cfg)
	if !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", s.Pid)) {
		t.Errorf("second start: %v", err)
	}
	if err := Purge(w.dir); !errors.Is(err, ErrRunning) {
		t.Errorf("purge: %v", err)
	}
	if after := w.status(); after != s || s.Version != "test" || !s.Ready {
		t.Errorf("status was %+v, is %+v", s, after)
	}
}

// A state directory is the same one by whatever path.
func TestStartByWayOfALink(t *testing.T) {
	w := newWorld(t, "good")
	link := filepath.Join(filepath.Dir(w.dir), "link")
	if err := errors.Join(os.Mkdir(w.dir, 0o700), os.Symlink(w.dir, link)); err != nil {
		t.Fatal(err)
	}
	byLink := w.cfg
	byLink.Dir = link
	if _, err := Start(byLink); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.stop)
	if _, err := Start(w.cfg); !errors.Is(err, ErrRunning) {
		t.Errorf("second: %v", err)
	}
	procs := populate(w)
	if err := Stop(link, patience); err != nil {
		t.Fatal(err)
	}
	w.nothingLeft(procs)
}

// Restart executes the program by path: an upgraded one is picked up.
func TestRestartPicksUpAnotherProgram(t *testing.T) {
	w := newWorld(t, "good")
	w.cfg.Binary = filepath.Join(filepath.Dir(w.dir), "slipway")
	copyFile(t, self, w.cfg.Binary)
	if _, err := Start(w.cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.stop)
	w.run("stays", "term /x")
	before := w.container("stays")
	if err := os.Remove(w.cfg.Binary); err != nil { // as installers do
		t.Fatal(err)
	}
	script := "#!/bin/sh\nexec " + "/proc/1/exe" + " \"$@\" upgraded\n"
	if err := os.WriteFile(w.cfg.Binary, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Restart(w.dir, patience); err != nil {
		t.Fatal(err)
	}
	if args := fmt.Sprint(get[about](w, "/about").Args); !strings.Contains(args, "upgraded") {
		t.Errorf("args %s", args)
	}
	if err := os.Remove(w.cfg.Binary); err != nil {
		t.Fatal(err)
	}
	if err := Restart(w.dir, patience); err != nil {
		t.Fatalf("without a program at the path: %v", err)
	}
	if c := w.container("stays"); c != before {
		t.Errorf("was %+v, is %+v", before, c)
	}
}
