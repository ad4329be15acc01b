// Package runtimetest is the conformance suite of runtime.Driver, and what it
// takes to run it with real containers: a program, images, a registry and a
// launcher.
package runtimetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/node/runtime"
)

// Subject is a driver under test.
type Subject struct {
	Driver runtime.Driver
	Image  runtime.Image // of the suite's program
	// Again makes a new driver over the containers of this one, as after a
	// crash of the engine; nil when the driver cannot.
	Again func() runtime.Driver
}

// patience is how long anything may take.
const patience = 20 * time.Second

// Run runs the suite; subject makes a driver without containers.
func Run(t *testing.T, subject func(t *testing.T) Subject) {
	for name, test := range map[string]func(*testing.T, Subject){
		"an exit is announced with its code":     testExit,
		"a signal ends a container":              testSignal,
		"a container may ignore SIGTERM":         testIgnore,
		"verbs can be repeated":                  testRepeat,
		"what is not there is said so":           testAbsent,
		"a container without a command":          testNoCommand,
		"a program that is not there":            testStartError,
		"exec returns output and exit code":      testExec,
		"exec ends with its context":             testExecTimeout,
		"stats of a running container":           testStats,
		"a new driver finds the containers":      testAgain,
		"a running container is removed":         testRemoveRunning,
		"many containers at once":                testMany,
		"the log has both streams":               testLog,
		"stop signal and digest come with State": testImageFacts,
	} {
		t.Run(name, func(t *testing.T) { test(t, subject(t)) })
	}
}

func (s Subject) spec(id string, env ...string) runtime.Spec {
	return runtime.Spec{ID: id, Image: s.Image, Env: env, Group: runtime.Group{ID: "task-" + id}}
}

// start makes and starts a container that the test's end removes.
func (s Subject) start(t *testing.T, spec runtime.Spec) {
	t.Helper()
	s.create(t, spec)
	if err := s.Driver.Start(t.Context(), spec.ID); err != nil {
		t.Fatal(err)
	}
}

func (s Subject) create(t *testing.T, spec runtime.Spec) {
	t.Helper()
	if err := s.Driver.Create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Driver.Remove(context.Background(), spec.ID); err != nil {
			t.Error(err)
		}
	})
}

func find(t *testing.T, d runtime.Driver, id string) (runtime.State, bool) {
	t.Helper()
	states, err := d.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if s.ID == id {
			if some, err := d.List(t.Context(), id); err != nil || len(some) != 1 || some[0].ID != id {
				t.Errorf("%s is listed, but not when asked for: %+v (%v)", id, some, err)
			}
			return s, true
		}
	}
	if some, err := d.List(t.Context(), id); err != nil || len(some) > 0 {
		t.Errorf("%s is not listed, but when asked for: %+v (%v)", id, some, err)
	}
	return runtime.State{}, false
}

// awaitExit waits by Changed alone.
func awaitExit(t *testing.T, d runtime.Driver, id string) runtime.State {
	t.Helper()
	limit := time.After(patience)
	for {
		if st, ok := find(t, d, id); ok && st.Exited() {
			return st
		}
		select {
		case <-d.Changed():
		case <-limit:
			t.Fatalf("%s has not exited", id)
		}
	}
}

func testExit(t *testing.T, s Subject) {
	before := time.Now()
	s.start(t, s.spec("c", runtime.SimExit+"=50ms:7"))
	st := awaitExit(t, s.Driver, "c")
	if st.ExitCode != 7 || st.OOMKilled || st.Pid != 0 {
		t.Errorf("state %+v: want code 7", st)
	}
	limit := time.After(patience)
	for !slices.Contains(s.Driver.Exited(), "c") {
		select {
		case <-s.Driver.Changed():
		case <-limit:
			t.Fatal("the exit was not named")
		}
	}
	if st.StartedAt.Before(before) || st.ExitedAt.Before(st.StartedAt) || time.Since(st.ExitedAt) > patience {
		t.Errorf("started %v, exited %v, test began %v", st.StartedAt, st.ExitedAt, before)
	}
}

func testSignal(t *testing.T, s Subject) {
	for id, c := range map[string]struct {
		sig  syscall.Signal
		code int
	}{"term": {syscall.SIGTERM, 143}, "kill": {syscall.SIGKILL, 137}} {
		s.start(t, s.spec(id))
		awaitReady(t, s, id)
		if err := s.Driver.Signal(t.Context(), id, c.sig); err != nil {
			t.Fatal(err)
		}
		if st := awaitExit(t, s.Driver, id); st.ExitCode != c.code {
			t.Errorf("after %v: code %d, want %d", c.sig, st.ExitCode, c.code)
		}
		if err := s.Driver.Signal(t.Context(), id, c.sig); !errors.Is(err, runtime.ErrNotRunning) {
			t.Errorf("signal to an exited container: %v", err)
		}
	}
}

// awaitReady waits until the program has installed its signal handler, which
// it does before it says "running".
func awaitReady(t *testing.T, s Subject, id string) {
	t.Helper()
	path := s.Driver.Logs(id)
	for limit := time.Now().Add(patience); path != "" && time.Now().Before(limit); time.Sleep(time.Millisecond) {
		if b, _ := os.ReadFile(path); bytes.Contains(b, []byte("running")) {
			return
		}
	}
}

func testIgnore(t *testing.T, s Subject) {
	s.start(t, s.spec("c", runtime.SimStop+"=ignore"))
	awaitReady(t, s, "c")
	for range 3 {
		if err := s.Driver.Signal(t.Context(), "c", syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	if st, _ := find(t, s.Driver, "c"); !st.Running {
		t.Errorf("state %+v: want it running", st)
	}
}

func testRepeat(t *testing.T, s Subject) {
	for range 2 {
		s.create(t, s.spec("c"))
	}
	if st, ok := find(t, s.Driver, "c"); !ok || st.Started || st.Running || st.Group != "task-c" {
		t.Errorf("created: %+v", st)
	}
	for range 2 {
		if err := s.Driver.Start(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Driver.Signal(t.Context(), "c", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitExit(t, s.Driver, "c")
	if err := s.Driver.Start(t.Context(), "c"); err != nil {
		t.Errorf("start of an exited container: %v", err)
	}
	if st, _ := find(t, s.Driver, "c"); !st.Exited() {
		t.Errorf("it was started again: %+v", st)
	}
	for range 2 {
		if err := s.Driver.Remove(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
	}
	if st, ok := find(t, s.Driver, "c"); ok {
		t.Errorf("removed, but there: %+v", st)
	}
}

func testAbsent(t *testing.T, s Subject) {
	d := s.Driver
	if err := d.Start(t.Context(), "x"); !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("start: %v", err)
	}
	if err := d.Signal(t.Context(), "x", syscall.SIGTERM); !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("signal: %v", err)
	}
	if err := d.Remove(t.Context(), "x"); err != nil {
		t.Errorf("remove: %v", err)
	}
	if err := d.RemoveLog(t.Context(), "x"); err != nil {
		t.Errorf("remove log: %v", err)
	}
	if _, err := d.Stats(t.Context(), "x"); !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("stats: %v", err)
	}
	if _, err := d.Exec(t.Context(), "x", runtime.Exec{Args: []string{"/app"}}); err == nil {
		t.Error("exec: no error")
	}
	if err := d.Create(t.Context(), s.spec("../x")); err == nil {
		t.Error("create with a path for an id: no error")
	}
	if states, err := d.List(t.Context()); err != nil || len(states) != 0 {
		t.Errorf("list: %v %v", states, err)
	}
}

func testNoCommand(t *testing.T, s Subject) {
	spec := s.spec("c")
	spec.Image.Config.Entrypoint, spec.Image.Config.Cmd = nil, nil
	if err := s.Driver.Create(t.Context(), spec); !errors.Is(err, runtime.ErrNoCommand) {
		t.Errorf("create: %v", err)
	}
	if _, ok := find(t, s.Driver, "c"); ok {
		t.Error("it is there")
	}
}

func testStartError(t *testing.T, s Subject) {
	spec := s.spec("c", runtime.SimStartError+"=exec: no such file")
	spec.EntryPoint = []string{"/nowhere"}
	s.create(t, spec)
	if err := s.Driver.Start(t.Context(), "c"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("start: %v", err)
	}
	if st, _ := find(t, s.Driver, "c"); st.Running || st.Started {
		t.Errorf("state %+v", st)
	}
}

func testExec(t *testing.T, s Subject) {
	s.start(t, s.spec("c", runtime.SimExec+"=0s:0"))
	s.start(t, s.spec("failing", runtime.SimExec+"=0s:5"))
	var out bytes.Buffer
	code, err := s.Driver.Exec(t.Context(), "c", runtime.Exec{Args: []string{"/app", "echo", "simulated"}, Stdout: &out})
	if code != 0 || err != nil || out.String() != "simulated\n" {
		t.Errorf("exec: %d %v %q", code, err, &out)
	}
	code, err = s.Driver.Exec(t.Context(), "failing", runtime.Exec{Args: []string{"/app", "exit", "5"}})
	if code != 5 || err != nil {
		t.Errorf("exec: %d %v", code, err)
	}
	if _, err = s.Driver.Exec(t.Context(), "c", runtime.Exec{}); !errors.Is(err, runtime.ErrNoCommand) {
		t.Errorf("exec of nothing: %v", err)
	}
}

func testExecTimeout(t *testing.T, s Subject) {
	s.start(t, s.spec("c", runtime.SimExec+"=0s:hang"))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := s.Driver.Exec(ctx, "c", runtime.Exec{Args: []string{"/app", "sleep", "1h"}, Stdout: &bytes.Buffer{}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("exec: %v", err)
	}
	if d := time.Since(begun); d > patience/4 {
		t.Errorf("it took %v", d)
	}
}

func testStats(t *testing.T, s Subject) {
	s.start(t, s.spec("c", runtime.SimMemory+"=1000000", runtime.SimCPU+"=1"))
	for limit := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		st, err := s.Driver.Stats(t.Context(), "c")
		if err != nil {
			t.Fatal(err)
		}
		if st.CPU > 0 && st.Memory > 0 && !st.Read.IsZero() {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("stats stay at %+v", st)
		}
	}
}

func testAgain(t *testing.T, s Subject) {
	if s.Again == nil {
		if s.Driver.Name() == "runc" {
			t.Fatal("this driver has to survive")
		}
		return // its containers end with it, as its documentation says
	}
	s.start(t, s.spec("running"))
	s.start(t, s.spec("exiting", runtime.SimExit+"=1ms:9"))
	s.create(t, s.spec("created"))
	before, _ := find(t, s.Driver, "running")
	awaitExit(t, s.Driver, "exiting")
	d := s.Again()
	after, _ := find(t, d, "running")
	if after != before || !after.Running {
		t.Errorf("running: %+v became %+v", before, after)
	}
	if st, _ := find(t, d, "exiting"); st.ExitCode != 9 || !st.Exited() {
		t.Errorf("exiting: %+v", st)
	}
	if st, ok := find(t, d, "created"); !ok || st.Started {
		t.Errorf("created: %+v", st)
	}
	if err := d.Start(t.Context(), "created"); err != nil {
		t.Error(err)
	}
	for _, id := range []string{"running", "exiting", "created"} {
		if err := d.Remove(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if left, err := d.List(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

func testRemoveRunning(t *testing.T, s Subject) {
	s.start(t, s.spec("c", runtime.SimStop+"=ignore"))
	st, _ := find(t, s.Driver, "c")
	if err := s.Driver.Remove(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if _, ok := find(t, s.Driver, "c"); ok {
		t.Error("it is still there")
	}
	if st.Pid != 0 && syscall.Kill(st.Pid, 0) == nil {
		t.Errorf("process %d still runs", st.Pid)
	}
}

func testMany(t *testing.T, s Subject) {
	const n = 8
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			id := fmt.Sprintf("c%d", i)
			spec := s.spec(id, runtime.SimExit+fmt.Sprintf("=1ms:%d", i+1))
			spec.Group.ID = "shared"
			if err := s.Driver.Create(t.Context(), spec); err != nil {
				t.Error(err)
				return
			}
			if err := s.Driver.Start(t.Context(), id); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range n {
		id := fmt.Sprintf("c%d", i)
		if !t.Failed() {
			if st := awaitExit(t, s.Driver, id); st.ExitCode != i+1 || st.Group != "shared" {
				t.Errorf("%+v", st)
			}
		}
		wg.Go(func() {
			if err := s.Driver.Remove(context.Background(), id); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func testLog(t *testing.T, s Subject) {
	s.start(t, s.spec("c", runtime.SimExit+"=1ms:0"))
	awaitExit(t, s.Driver, "c")
	path := s.Driver.Logs("c")
	if path == "" {
		return // it keeps no log, and says so
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "running\nto stderr\nlast words\n" {
		t.Errorf("log: %q %v", b, err)
	}
	if err := s.Driver.Remove(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the log has to outlive its container: %v", err)
	}
	if err := s.Driver.RemoveLog(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the log is still there: %v", err)
	}
}

func testImageFacts(t *testing.T, s Subject) {
	spec := s.spec("c")
	spec.Image.Config.StopSignal = "SIGQUIT"
	s.create(t, spec)
	if st, _ := find(t, s.Driver, "c"); st.StopSignal != "SIGQUIT" || st.Digest != s.Image.Digest {
		t.Errorf("%+v", st)
	}
}
