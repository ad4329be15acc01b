package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Main()
	if role() == roleEngine {
		if err := fakeEngine(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "engine:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv(asNobody) == "mount" {
		fmt.Fprintln(os.Stderr, becomeNobody())
		os.Exit(1)
	}
	// The race detector lets every process sleep a second at its end, otherwise.
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	code := m.Run()
	if builtIn != "" {
		os.RemoveAll(builtIn)
	}
	os.Exit(code)
}

const (
	asNobody = "SLIPWAY_TEST_AS_NOBODY"
	appEnv   = "SLIPWAY_TEST_APP" // the container's program, if it is built already
	patience = 20 * time.Second
)

// world is a running sandbox with a fake engine, seen from the host.
type world struct {
	t    testing.TB
	dir  string
	addr string
	cfg  Config
	app  string
}

func newWorld(t testing.TB, mode string) *world {
	t.Helper()
	if f := findingRunc(); !f.OK {
		t.Fatal(f.err())
	}
	w := &world{t: t, dir: filepath.Join(t.TempDir(), "state dir"), addr: freeAddr(t), app: buildApp(t)}
	w.cfg = Config{Dir: w.dir, Engine: []string{w.addr, mode}, Version: "test", Grace: time.Second}
	return w
}

func startWorld(t testing.TB) *world {
	t.Helper()
	w := newWorld(t, "good")
	if _, err := Start(w.cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.stop)
	return w
}

// stop is for cleaning up; it must not fail if a test has stopped it already.
func (w *world) stop() {
	if err := Stop(w.dir, patience); err != nil && !strings.Contains(err.Error(), ErrNotRunning.Error()) {
		w.t.Error(err)
	}
	defer func() {
		if err := Purge(w.dir); err != nil { // the test's folder could not be removed otherwise
			w.t.Error(err)
		}
	}()
	b, _ := os.ReadFile(filepath.Join(w.dir, logFile))
	if bytes.Contains(b, []byte("DATA RACE")) {
		w.t.Error("a process of the sandbox has a data race")
	}
	if w.t.Failed() {
		w.t.Logf("engine.log:\n%s", b)
	}
}

var client = http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

// post calls the engine; the error carries the engine's words.
func (w *world) post(path string, form ...string) (string, http.Header, error) {
	v := url.Values{}
	for i := 0; i < len(form); i += 2 {
		v.Set(form[i], form[i+1])
	}
	r, err := client.PostForm("http://"+w.addr+path, v)
	if err != nil {
		return "", nil, err
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	text := strings.TrimSpace(string(b))
	if r.StatusCode != http.StatusOK {
		return "", r.Header, fmt.Errorf("%s", text)
	}
	return strings.Trim(text, `"`), r.Header, nil
}

func (w *world) must(path string, form ...string) string {
	w.t.Helper()
	out, _, err := w.post(path, form...)
	if err != nil {
		w.t.Fatalf("%s %q: %v", path, form, err)
	}
	return out
}

func get[T any](w *world, path string) (v T) {
	w.t.Helper()
	r, err := client.Get("http://" + w.addr + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
		w.t.Fatal(err)
	}
	return v
}

func (w *world) run(id, args string) {
	w.t.Helper()
	w.must("/run", "id", id, "args", args, "app", w.app)
}

func (w *world) container(id string) Container {
	w.t.Helper()
	for _, c := range get[[]Container](w, "/containers") {
		if c.ID == id {
			return c
		}
	}
	w.t.Fatalf("no container %s", id)
	return Container{}
}

func (w *world) status() Status {
	w.t.Helper()
	s, err := StatusOf(w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) log(id string) string {
	b, _ := os.ReadFile(filepath.Join(w.dir, runDir, "logs", id))
	return string(b)
}

// eventually waits for a condition with a deadline.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	if !await(patience, done) {
		t.Fatalf("not within %s: %s", patience, what)
	}
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// buildApp builds the containers' program, static whatever the tests are.
func buildApp(t testing.TB) string {
	t.Helper()
	if app := os.Getenv(appEnv); app != "" {
		return app
	}
	app, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// built is removed by TestMain.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "slipway-test-app-")
	if err != nil {
		return "", err
	}
	builtIn = dir
	app := filepath.Join(dir, "app")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", app, "./testdata/app")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the containers' program: %w\n%s", err, out)
	}
	return app, nil
})

var builtIn string

// descendants lists the processes below pid with their start times.
func descendants(pid int) map[int]uint64 {
	parents := map[int][]int{}
	dirs, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range dirs {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		parent, _ := strconv.Atoi(f[1])
		parents[parent] = append(parents[parent], child)
	}
	out := map[int]uint64{}
	todo := []int{pid}
	for len(todo) > 0 {
		p := todo[0]
		todo = append(todo[1:], parents[p]...)
		out[p], _, _ = startTime(p)
	}
	return out
}

// nothingLeft asserts that a sandbox has left no process, mount, file or cgroup.
func (w *world) nothingLeft(procs map[int]uint64) {
	w.t.Helper()
	eventually(w.t, "lock free", func() bool { return !held(w.dir) })
	for pid, started := range procs {
		eventually(w.t, fmt.Sprintf("process %d gone", pid), func() bool { return !alive(pid, started) })
	}
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		w.t.Fatal(err)
	}
	if m := mountsBelow(string(info), w.dir); len(m) > 0 {
		w.t.Errorf("mounts left: %q", m)
	}
	if exists(filepath.Join(w.dir, runDir)) {
		w.t.Errorf("files left in %s", filepath.Join(w.dir, runDir))
	}
	if left, _ := filepath.Glob(filepath.Join(cgroupRoot, "*", cgroupName(w.dir))); len(left) > 0 {
		w.t.Errorf("cgroups left: %q", left)
	}
}

func kill9(t testing.TB, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill -9 %d: %v", pid, err)
	}
}
