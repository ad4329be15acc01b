package sandbox

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const (
	nobody   = 65534
	subRange = "nobody:100000:65536\n"
)

// TestRootless runs the stories once more as an ordinary user. Nothing of the
// machine is changed: the user nobody gets subordinate ids in a mount namespace.
func TestRootless(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("already an ordinary user: the other tests have shown it")
		return
	}
	extra := []string{}
	if testing.Short() {
		extra = append(extra, "-test.short")
	}
	out, err := asNobodyRun(nobodysDir(t), stories, extra...)
	t.Logf("as nobody:\n%s", out)
	if err != nil {
		t.Error(err)
	}
}

// nobodysDir is a folder that nobody owns, with the tests and their container
// program in it.
func nobodysDir(t *testing.T) string {
	t.Helper()
	for _, tool := range idTools {
		if _, err := findTool(tool.tool); err != nil {
			t.Fatalf("%v: apt-get install uidmap", err)
		}
	}
	dir, err := os.MkdirTemp("", "slipway-rootless-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := removeTree(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	for from, name := range map[string]string{self: "sandbox.test", buildApp(t): "app"} {
		copyFile(t, from, filepath.Join(dir, name))
	}
	for _, name := range []string{"subuid", "subgid"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(subRange), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// asNobodyRun runs tests as nobody; arguments with = are environment.
func asNobodyRun(dir, pattern string, extra ...string) ([]byte, error) {
	cmd := exec.Command(filepath.Join(dir, "sandbox.test"), "-test.v", "-test.run="+pattern)
	cmd.Env = append(os.Environ(), asNobody+"=mount", appEnv+"="+filepath.Join(dir, "app"),
		"TMPDIR="+dir, "HOME="+dir, "SLIPWAY_TEST_DIR="+dir)
	for _, e := range extra {
		if strings.Contains(e, "=") {
			cmd.Env = append(cmd.Env, e)
		} else {
			cmd.Args = append(cmd.Args, e)
		}
	}
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	return cmd.CombinedOutput()
}

// stories are the tests that run as both users.
const stories = "^Test(Sandbox|RunIn|Start|Second|Restart|Kill|TearDown|Check|Egress|Listener|Purge|Crash)"

// becomeNobody runs in a mount namespace of its own and executes the tests.
func becomeNobody() error {
	dir := os.Getenv("SLIPWAY_TEST_DIR")
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("slave: %w", err)
	}
	for _, name := range []string{"subuid", "subgid"} {
		if err := syscall.Mount(filepath.Join(dir, name), "/etc/"+name, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind /etc/%s: %w", name, err)
		}
	}
	if err := spoil(); err != nil {
		return fmt.Errorf("spoil: %w", err)
	}
	if err := syscall.Setgroups(nil); err != nil {
		return err
	}
	if err := syscall.Setgid(nobody); err != nil {
		return err
	}
	if err := syscall.Setuid(nobody); err != nil {
		return err
	}
	if err := os.Setenv(asNobody, "yes"); err != nil {
		return err
	}
	return syscall.Exec(filepath.Join(dir, "sandbox.test"), os.Args, os.Environ())
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
}
