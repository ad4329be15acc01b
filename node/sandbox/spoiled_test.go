package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// spoilEnv names what is wrong with the machine of a test that runs as nobody.
const spoilEnv = "SLIPWAY_TEST_SPOIL"

// spoils are machines without something, and what Start must say on them.
var spoils = map[string]struct {
	spoil func() error
	want  string
}{
	"masked proc": {func() error {
		return unix.Mount("/dev/null", "/proc/keys", "", unix.MS_BIND, "")
	}, "parts of /proc are masked"},
	"no new privileges": {func() error {
		return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}, "no_new_privs"},
	"no range": {func() error {
		return unix.Mount("/dev/null", "/etc/subuid", "", unix.MS_BIND, "")
	}, "/etc/subuid has no range of subordinate ids for uid 65534: sudo usermod --add-subuids"},
	"no uidmap": {hide("newuidmap"), "newuidmap, which maps user ids, is not installed: apt-get install uidmap"},
	"no runc":   {hide("runc"), "runc, which runs containers, is not installed: apt-get install runc"},
}

// hide makes a program not executable in this mount namespace.
func hide(tool string) func() error {
	return func() error {
		path, err := findTool(tool)
		if err != nil {
			return err
		}
		return unix.Mount("/dev/null", path, "", unix.MS_BIND, "")
	}
}

// TestSpoiledMachines starts sandboxes as an ordinary user where something that
// they need is missing.
func TestSpoiledMachines(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("NOT TESTED: only root can spoil a machine for another user")
		return
	}
	dir := nobodysDir(t)
	for name := range spoils {
		t.Run(name, func(t *testing.T) {
			out, err := asNobodyRun(dir, "^TestMissing$", spoilEnv+"="+name)
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}

// TestMissing is what TestSpoiledMachines runs.
func TestMissing(t *testing.T) {
	name := os.Getenv(spoilEnv)
	if name == "" {
		return // part of TestSpoiledMachines
	}
	dir := filepath.Join(t.TempDir(), "state")
	_, err := Start(Config{Dir: dir, Engine: []string{"127.0.0.1:0", "good"}})
	if err == nil || !strings.Contains(err.Error(), spoils[name].want) {
		t.Errorf("start: %v", err)
	}
	bad := ""
	for _, f := range Check() {
		if f.Required && !f.OK {
			bad += f.err().Error() + "\n"
		}
	}
	if !strings.Contains(bad, spoils[name].want) {
		t.Errorf("check: %s", bad)
	}
	fmt.Println(err)
	if name == "no runc" { // which engines that simulate containers can do without
		w := newWorldWithoutRunc(t)
		if _, err := Start(w.cfg); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.post("/run", "id", "x", "args", "exit 0"); err == nil || !strings.Contains(err.Error(), spoils[name].want) {
			t.Errorf("start a container: %v", err)
		}
		w.stop()
	}
	if s, err := StatusOf(dir); err != nil || s.Running {
		t.Errorf("status %+v, %v", s, err)
	}
	w := &world{t: t, dir: dir}
	w.nothingLeft(nil)
}

func newWorldWithoutRunc(t *testing.T) *world {
	w := &world{t: t, dir: filepath.Join(t.TempDir(), "without"), addr: freeAddr(t)}
	w.cfg = Config{Dir: w.dir, Engine: []string{w.addr, "good"}, WithoutRunc: true}
	return w
}

// A machine that can is told so.
func TestCheckFindsNothingWrong(t *testing.T) {
	for _, f := range Check() {
		if f.Required && !f.OK {
			t.Errorf("%+v", f)
		}
		if f.OK == (f.Fix != "") {
			t.Errorf("a fix for what is all right, or none for what is not: %+v", f)
		}
		t.Logf("%-14s %-5v %s", f.Name, f.OK, f.Detail)
	}
}

// A user to whom a cgroup v2 belongs gets limits.
func TestDelegatedCgroup(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("NOT TESTED: only root can delegate")
		return
	}
	root := cgroupRoot
	if !exists(filepath.Join(root, "cgroup.controllers")) {
		root = filepath.Join(root, "unified")
	}
	b, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil || strings.TrimSpace(string(b)) == "" {
		t.Logf("NOT TESTED: no cgroup v2 with a controller here (%v)", err)
		return
	}
	controller := strings.Fields(string(b))[0]
	enabled, err := os.ReadFile(filepath.Join(root, "cgroup.subtree_control"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(enabled), controller) {
		if err := write(filepath.Join(root, "cgroup.subtree_control"), "+"+controller); err != nil {
			t.Logf("NOT TESTED: %v", err)
			return
		}
		t.Cleanup(func() { write(filepath.Join(root, "cgroup.subtree_control"), "-"+controller) })
	}
	own := filepath.Join(root, fmt.Sprintf("slipway-test-%d", os.Getpid()))
	if err := os.Mkdir(own, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := removeCgroup(own); err != nil {
			t.Error(err)
		}
	})
	for _, f := range []string{"", "cgroup.procs", "cgroup.subtree_control"} {
		if err := os.Chown(filepath.Join(own, f), nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	out, err := asNobodyRun(nobodysDir(t), "^TestDelegation$", delegationEnv+"="+own+":"+root+":"+controller)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if left, _ := filepath.Glob(filepath.Join(own, "*slipway*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

const delegationEnv = "SLIPWAY_TEST_DELEGATION"

// TestDelegation is what TestDelegatedCgroup runs, in the delegated cgroup.
func TestDelegation(t *testing.T) {
	if os.Getenv(delegationEnv) == "" {
		return // part of TestDelegatedCgroup
	}
	p := strings.Split(os.Getenv(delegationEnv), ":")
	own, root, controller := p[0], p[1], p[2]
	d := delegation{root, "/proc/self/cgroup", "slipway-d", []string{controller}}
	parent, err := d.prepare()
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimPrefix(own, root) + "/slipway-d"; parent != want {
		t.Errorf("%s, want %s", parent, want)
	}
	child := filepath.Join(root, parent, "container")
	if err := os.Mkdir(child, 0o755); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(filepath.Join(root, parent, "cgroup.controllers")); err != nil || !strings.Contains(string(b), controller) {
		t.Errorf("controllers %q, %v", b, err)
	}
	again, err := d.prepare() // as the next one does after kill -9
	if err != nil || again != parent || exists(child) {
		t.Errorf("again: %q, %v", again, err)
	}
	if err := removeCgroups(root, parent); err != nil {
		t.Error(err)
	}
	if err := d.release(parent); err != nil {
		t.Error(err)
	}
	d.controllers = []string{"none-such"}
	if _, err := d.prepare(); err == nil || exists(filepath.Join(own, "slipway-d-host")) {
		t.Errorf("a controller that is not there: %v", err)
	}
}

// spoil runs as root, in the mount namespace of the test that is to run.
func spoil() error {
	if own, _, ok := strings.Cut(os.Getenv(delegationEnv), ":"); ok {
		return enter(own)
	}
	if name := os.Getenv(spoilEnv); name != "" {
		return spoils[name].spoil()
	}
	return nil
}
