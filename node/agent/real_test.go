package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/node/runtime"
	"github.com/slipway-dev/slipway/node/runtime/image"
	"github.com/slipway-dev/slipway/node/runtime/runc"
	"github.com/slipway-dev/slipway/node/runtime/runtimetest"
	"github.com/slipway-dev/slipway/node/vpc"
)

// real is a world with real containers, a store on the disk and real time.
type real struct {
	*world
	dir      string
	ref      string
	images   *image.Store
	launcher *runtimetest.Launcher
	runc     *runc.Driver
	log      *recorder
}

func newReal(t *testing.T) *real {
	t.Helper()
	if _, err := exec.LookPath("runc"); err != nil || os.Getuid() != 0 {
		t.Fatal("these tests run real containers and need root and runc: apt-get install -y runc; sudo go test ./node/agent")
	}
	r := &real{dir: t.TempDir(), log: &recorder{streams: map[string][]string{}}}
	var err error
	if r.images, err = image.Open(image.Config{Dir: filepath.Join(r.dir, "images")}); err != nil {
		t.Fatal(err)
	}
	r.ref = runtimetest.Registry(t) + "/app:1"
	runtimetest.Push(t, r.ref, runtimetest.ProgramImage(t))
	r.launcher = runtimetest.NewLauncher(t)
	s, err := store.Open(store.Config{Path: filepath.Join(r.dir, "store.db")}, agent.Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	r.world = &world{t: t, store: s, dir: filepath.Join(r.dir, "agent"), network: newFakeNetwork(), logs: r.log}
	r.start()
	t.Cleanup(func() {
		r.kill()
		if err := errors.Join(s.Close(), r.images.Close()); err != nil {
			t.Error(err)
		}
		for _, pattern := range []string{"/sys/fs/cgroup/*", "/sys/fs/cgroup"} {
			dirs, _ := filepath.Glob(pattern + r.cgroup())
			for _, d := range dirs {
				if err := os.Remove(d); err != nil {
					t.Errorf("cgroup left: %v", err)
				}
			}
		}
	})
	return r
}

func (r *real) cgroup() string { return "/slipway-agent-" + strings.ReplaceAll(r.dir[1:], "/", "-") }

// Pull is agent.Puller.
func (r *real) Pull(ctx context.Context, _ agent.Task, ref string) (runtime.Image, error) {
	return r.images.Pull(ctx, ref, nil)
}

// Listen gives the VPC's sockets to loopback, where the test asks from.
func (r *real) Listen(ctx context.Context, _, network, _ string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, network, "127.0.0.1:18099")
}

func (r *real) Attach(ctx context.Context, vpc, eni string) (string, error) {
	return r.network.Attach(ctx, vpc, eni)
}

func (r *real) Intercept(ctx context.Context, vpc, eni string, i vpc.Interception) error {
	return r.network.Intercept(ctx, vpc, eni, i)
}

func (r *real) Detach(ctx context.Context, vpc, eni string) error {
	return r.network.Detach(ctx, vpc, eni)
}

// start starts an engine's worth of agent and driver; kill ends them and
// leaves the containers.
func (r *real) start() {
	log := slog.New(slog.NewTextHandler(r.t.Output(), nil))
	var err error
	r.runc, err = runc.New(runc.Config{Dir: filepath.Join(r.dir, "runc"), Launcher: r.launcher, Images: r.images, Cgroup: r.cgroup(), Log: log})
	if err != nil {
		r.t.Fatal(err)
	}
	r.driver = r.runc
	ctx, cancel := context.WithCancel(context.Background())
	a := agent.New(agent.Config{Store: r.store, Log: log, Driver: r.runc, Network: r, Images: r, Logs: r.log, Dir: r.world.dir})
	var wg sync.WaitGroup
	wg.Go(func() { _ = a.Run(ctx) })
	for _, l := range a.Loops() {
		wg.Go(func() { _ = l.Run(ctx, r.store, log) })
	}
	r.agent = a
	r.stop = func() {
		cancel()
		wg.Wait()
	}
}

func (r *real) kill() {
	r.stop()
	r.runc.Close()
}

// until waits for a status by the store's changes.
func (r *real) until(arn, what string, ok func(agent.Status) bool) agent.Status {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		snap := r.store.Snapshot()
		st, err := agent.Statuses.Get(snap, arn)
		if err == nil && ok(st) {
			return st
		}
		if _, _, err := r.store.Changes(ctx, snap.Revision()); err != nil {
			r.t.Fatalf("not %s: %+v", what, st)
		}
	}
}

func (r *real) untilStatus(arn, status string) agent.Status {
	r.t.Helper()
	return r.until(arn, status, func(s agent.Status) bool { return s.LastStatus == status })
}

func (r *real) task(n int, containers ...agent.Container) agent.Task {
	for i := range containers {
		containers[i].Image = r.ref
		containers[i].Log = &agent.Log{Group: "/test", Stream: "p/" + containers[i].Name, Region: scope.Region}
	}
	t := newTask(n, containers...)
	t.IP, t.CPU, t.MemoryMiB = "127.0.0.1", 256, 128
	return t
}

func (r *real) remove(task agent.Task) {
	r.t.Helper()
	r.change(task.ARN, func(t *agent.Task) { t.Stopped, t.Remove = true, true })
	for limit := time.Now().Add(20 * time.Second); time.Now().Before(limit); time.Sleep(time.Millisecond) {
		if r.status(task.ARN).ARN == "" {
			return
		}
	}
	r.t.Errorf("%s is not removed: %+v", task.ARN, r.status(task.ARN))
}

type recorder struct {
	mu      sync.Mutex
	streams map[string][]string
	err     error
}

func (r *recorder) Write(_ context.Context, s agent.LogStream, events []agent.LogEvent) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	for _, e := range events {
		r.streams[s.Group+":"+s.Stream] = append(r.streams[s.Group+":"+s.Stream], e.Message)
	}
	return nil
}

func (r *recorder) lines(name string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.streams[name])
}

func TestRealTask(t *testing.T) {
	r := newReal(t)
	app := essential("app", runtime.SimStop+"=0s:0")
	app.Health = &agent.HealthCheck{Command: []string{"CMD", "/app", "exit", "0"}}
	app.Mounts = []agent.Mount{{Volume: "v", Path: "/data"}}
	task := r.task(0, after(app, "START", "side"), essential("side", runtime.SimStop+"=0s:0"))
	task.Volumes = []agent.Volume{{Name: "v"}}
	begun := time.Now()
	r.put(task)
	st := r.untilStatus(task.ARN, agent.Running)
	t.Logf("two containers, one after the other, RUNNING after %v", time.Since(begun).Round(time.Millisecond))
	r.until(task.ARN, "healthy", func(s agent.Status) bool { return s.Health == agent.Healthy })
	t.Logf("HEALTHY after %v", time.Since(begun).Round(time.Millisecond))

	t.Run("exec", func(t *testing.T) {
		var out bytes.Buffer
		code, err := r.agent.Exec(t.Context(), task.ARN, "app", runtime.Exec{Args: []string{"/app", "cat", "/etc/hosts", "/data/seed"}, Stdout: &out})
		if code != 0 || err != nil || !strings.Contains(out.String(), "127.0.0.1 ip-127-0-0-1.ec2.internal\n") || !strings.Contains(out.String(), "seed") {
			t.Errorf("%d %v %q", code, err, &out)
		}
		if _, err := r.agent.Exec(t.Context(), task.ARN, "nobody", runtime.Exec{}); !errors.Is(err, runtime.ErrNotFound) {
			t.Errorf("a container that is not there: %v", err)
		}
	})
	t.Run("metadata", func(t *testing.T) { r.askMetadata(t, task, st) })
	t.Run("logs", func(t *testing.T) {
		for limit := time.Now().Add(5 * time.Second); len(r.log.lines("/test:p/app")) < 2 && time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		}
		if got := r.log.lines("/test:p/app"); !slices.Equal(got, []string{"running", "to stderr"}) {
			t.Errorf("lines %q", got)
		}
		if got := r.agent.Tail(task.ARN, "app", 1); !slices.Equal(got, []string{"to stderr"}) {
			t.Errorf("tail %q", got)
		}
	})
	t.Run("restart", func(t *testing.T) {
		before := r.status(task.ARN)
		r.kill()
		r.start()
		time.Sleep(100 * time.Millisecond)
		after := r.status(task.ARN)
		if !slices.Equal(pids(after), pids(before)) || after.LastStatus != agent.Running || after.Health != agent.Healthy {
			t.Errorf("%+v became %+v", before, after)
		}
	})
	t.Run("a killed process", func(t *testing.T) {
		pid := r.container(task.ARN, "side").Pid
		killed := time.Now()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		r.until(task.ARN, "noticed", func(s agent.Status) bool { return s.LastStatus != agent.Running })
		noticed := time.Since(killed)
		st := r.untilStatus(task.ARN, agent.Stopped)
		t.Logf("noticed after %v, STOPPED with its other container after %v", noticed.Round(100*time.Microsecond), time.Since(killed).Round(100*time.Microsecond))
		if st.StopCode != "EssentialContainerExited" || *st.Containers[1].ExitCode != 137 || *st.Containers[0].ExitCode != 0 {
			t.Errorf("%+v", st)
		}
	})
	r.remove(task)
	if left, err := r.runc.List(t.Context()); err != nil || len(left) > 0 || len(r.network.attached) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
	for _, dir := range []string{"runc/bundles", "runc/logs", "agent/volumes", "agent/offsets"} {
		if entries, _ := os.ReadDir(filepath.Join(r.dir, dir)); len(entries) > 0 {
			t.Errorf("left in %s: %v", dir, entries)
		}
	}
}

func pids(s agent.Status) (out []int) {
	for _, c := range s.Containers {
		out = append(out, c.Pid)
	}
	return out
}

func (r *real) askMetadata(t *testing.T, task agent.Task, st agent.Status) {
	get := func(path string, into any) {
		t.Helper()
		res, err := http.Get("http://127.0.0.1:18099/v4/" + st.Containers[0].RuntimeID + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if err := json.NewDecoder(res.Body).Decode(into); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %v", path, res.StatusCode, err)
		}
	}
	var c, whole, stats map[string]any
	get("", &c)
	if c["Name"] != "app" || c["DockerId"] != st.Containers[0].RuntimeID || c["KnownStatus"] != "RUNNING" || c["LogDriver"] != "awslogs" {
		t.Errorf("container: %v", c)
	}
	get("/task", &whole)
	if whole["TaskARN"] != task.ARN || len(whole["Containers"].([]any)) != 2 || whole["Limits"].(map[string]any)["CPU"] != 0.25 {
		t.Errorf("task: %v", whole)
	}
	get("/task/stats", &stats)
	if s, _ := stats[st.Containers[0].RuntimeID].(map[string]any); s["memory_stats"].(map[string]any)["usage"].(float64) == 0 {
		t.Errorf("stats: %v", stats)
	}
	res, err := http.Get("http://127.0.0.1:18099/v4/nobody/task")
	if err != nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("a foreign id: %v %v", res, err)
	}
	res.Body.Close()
}

// One container, killed: how long until its task is STOPPED.
func TestRealKillIsNoticedAtOnce(t *testing.T) {
	r := newReal(t)
	var times []time.Duration
	for n := range 5 {
		task := r.task(n, essential("app"))
		r.put(task)
		st := r.untilStatus(task.ARN, agent.Running)
		killed := time.Now()
		if err := syscall.Kill(st.Containers[0].Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		r.untilStatus(task.ARN, agent.Stopped)
		times = append(times, time.Since(killed))
		r.remove(task)
	}
	slices.Sort(times)
	t.Logf("kill to STOPPED: %v", times)
	if times[2] > 500*time.Millisecond {
		t.Errorf("it takes %v", times[2])
	}
}

// Every line arrives once and in order, whatever is restarted meanwhile, and
// what has been written takes no room.
func TestRealLogsSurviveRestarts(t *testing.T) {
	r := newReal(t)
	app := essential("app")
	const lines = 60000
	app.Command = []string{"count", fmt.Sprint(lines)}
	task := r.task(0, app)
	r.put(task)
	r.untilStatus(task.ARN, agent.Running)
	for range 4 {
		time.Sleep(30 * time.Millisecond)
		r.kill()
		r.start()
	}
	r.untilStatus(task.ARN, agent.Stopped)
	r.remove(task)
	got := r.log.lines("/test:p/app")
	if len(got) != lines+1 {
		t.Errorf("%d lines, want %d", len(got), lines+1)
	}
	for i, l := range got[:min(len(got), lines)] {
		if want := fmt.Sprintf("line %d ", i); !strings.HasPrefix(l, want) {
			t.Fatalf("line %d is %.40q", i, l)
		}
	}
	if last := got[len(got)-1]; last != "without end" {
		t.Errorf("last line %q", last)
	}
}

func TestRealMissingLogGroup(t *testing.T) {
	r := newReal(t)
	r.log.err = errors.New("ResourceNotFoundException: The specified log group does not exist.")
	task := r.task(0, essential("app"))
	r.put(task)
	st := r.untilStatus(task.ARN, agent.Stopped)
	if want := "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: " +
		"ResourceNotFoundException: The specified log group does not exist : exit status 1"; st.StoppedReason != want {
		t.Errorf("%q", st.StoppedReason)
	}
	r.remove(task)
}
