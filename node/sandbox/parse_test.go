package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParseStat(t *testing.T) {
	tail := " S 1 2 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 " + "98765 1 2 3"
	for _, name := range []string{"(x)", "(a b)", "(a) b)", "((()))", "(\n)"} {
		ticks, state, err := parseStat("42 " + name + tail)
		if err != nil || ticks != 98765 || state != 'S' {
			t.Errorf("%q: %d %c %v", name, ticks, state, err)
		}
	}
	for _, bad := range []string{"", "42", "42 (x) S", ")"} {
		if _, _, err := parseStat(bad); err == nil {
			t.Errorf("%q parsed", bad)
		}
	}
}

func TestParseSubordinate(t *testing.T) {
	for _, c := range []struct {
		file         string
		start, count int
		ok           bool
	}{
		{"me:100000:65536\n", 100000, 65536, true},
		{"you:1:2\n1000:300000:65536", 300000, 65536, true},
		{"me:100000:1000\nme:200000:65536\n", 200000, 65536, true},
		{"# me:1:2\nmeme:1:2\nme:x:2\nme:1\nme:0:65536\n\n", 0, 0, false},
		{"", 0, 0, false},
	} {
		start, count, ok := parseSubordinate(strings.NewReader(c.file), "me", "1000")
		if start != c.start || count != c.count || ok != c.ok {
			t.Errorf("%q: %d %d %v", c.file, start, count, ok)
		}
	}
}

func TestMountsBelow(t *testing.T) {
	info := `22 27 0:21 / /proc rw,relatime - proc proc rw
30 27 0:1 / /s/state\040dir/run/pin rw - nsfs nsfs rw
31 27 0:1 / /s/state\040dir/runner rw - nsfs nsfs rw
32 27 0:1 / /s/state\040dir/run rw - tmpfs tmpfs rw
33 27 0:1 / /s/state\040dir/run/a\134b rw - tmpfs tmpfs rw
bad line
`
	want := []string{"/s/state dir/run/pin", "/s/state dir/run", `/s/state dir/run/a\b`}
	if got := mountsBelow(info, "/s/state dir/run"); !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
}

// What the kernel says becomes what to do.
func TestDiagnose(t *testing.T) {
	denied := errors.New("new namespaces: fork/exec /proc/self/exe: operation not permitted")
	for _, c := range []struct {
		name  string
		cause error
		files map[string]string
		root  bool
		want  string
	}{
		{"debian", denied, map[string]string{"/proc/sys/kernel/unprivileged_userns_clone": "0\n"}, false, "unprivileged_userns_clone=1"},
		{"none", errors.New("new namespaces: no space left on device"), map[string]string{"/proc/sys/user/max_user_namespaces": "0\n"}, false, "max_user_namespaces=15000"},
		{"unit", errors.New("newuidmap: exit status 1: write to uid_map failed"), map[string]string{"/proc/self/status": "Name:\tx\nNoNewPrivs:\t1\n"}, false, "NoNewPrivileges"},
		{"ubuntu", errors.New("make mounts slaves: permission denied"), map[string]string{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"}, false, "apparmor_restrict_unprivileged_userns=0"},
		{"docker", fmt.Errorf("%w: operation not permitted", errProc), map[string]string{"/proc/self/mountinfo": "1 1 0:1 / /proc rw - proc proc rw\n2 1 0:1 / /proc/keys rw - tmpfs tmpfs rw\n"}, false, "systempaths=unconfined"},
		{"root without rights", denied, map[string]string{"/proc/sys/kernel/unprivileged_userns_clone": "0\n"}, true, "--privileged"},
		{"old kernel", errors.New("new namespaces: invalid argument"), nil, false, "Linux 5.11"},
	} {
		f := diagnose(c.cause, func(path string) ([]byte, error) {
			if s, ok := c.files[path]; ok {
				return []byte(s), nil
			}
			return nil, os.ErrNotExist
		}, !c.root)
		if f.OK || !f.Required || !strings.Contains(f.Fix, c.want) || strings.Contains(f.Detail, "\n") {
			t.Errorf("%s: %+v", c.name, f)
		}
	}
}

// In a container of Docker's root has few capabilities.
func TestEntryNeedsTracing(t *testing.T) {
	for _, c := range []struct {
		status   string
		rootless bool
		ok       bool
	}{
		{"Name:\tslipway\nCapEff:\t000001ffffffffff\n", false, true},
		{"Name:\tslipway\nCapEff:\t00000000a82435fb\n", false, false}, // SYS_ADMIN and NET_ADMIN added to the usual ones
		{"Name:\tslipway\nCapEff:\t00000000a82c35fb\n", false, true},  // and SYS_PTRACE
		{"Name:\tslipway\nCapEff:\t0000000000000000\n", true, true},
		{"", false, true},
	} {
		f := findingEntry(func(string) ([]byte, error) { return []byte(c.status), nil }, c.rootless)
		if f.OK != c.ok || !f.OK && (!f.Required || !strings.Contains(f.Fix, "--cap-add SYS_PTRACE")) {
			t.Errorf("%q: %+v", c.status, f)
		}
	}
}

func TestStatusOfDamagedAndAbsent(t *testing.T) {
	dir := t.TempDir()
	if s, err := StatusOf(dir); err != nil || s != (Status{}) {
		t.Errorf("absent: %+v %v", s, err)
	}
	if err := os.WriteFile(filepath.Join(dir, lockFile), []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := StatusOf(dir); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("damaged: %v", err)
	}
	if err := Stop(t.TempDir(), patience); !errors.Is(err, ErrNotRunning) {
		t.Errorf("stop: %v", err)
	}
	if err := Restart(t.TempDir(), patience); !errors.Is(err, ErrNotRunning) {
		t.Errorf("restart: %v", err)
	}
	if _, err := Connect(); !errors.Is(err, ErrOutside) {
		t.Errorf("connect: %v", err)
	}
}

// A mount below a tree keeps it from being removed.
func TestRemoveTreeSparesMounts(t *testing.T) {
	if err := removeTree("/proc/self/.."); err == nil { // whatever happens, this is mounted
		t.Fatal("removed /proc")
	}
	if err := removeTree(filepath.Join(t.TempDir(), "nothing")); err != nil {
		t.Error(err)
	}
}

func TestResolver(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resolv.conf")
	for text, ok := range map[string]bool{
		"# c\nsearch x\nnameserver 127.0.0.53\n":    true,
		"nameserver not.an.address.invalid\n":       false,
		"nameserver\nnameserver  ::1 \noptions x\n": true,
		"": false,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		fd, err := dialResolver(t.Context(), "udp", file)
		if (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
		closeFDs(fd)
	}
	if _, err := dialResolver(t.Context(), "unix", file); err == nil {
		t.Error("unix")
	}
}
