package runc

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/slipway-dev/slipway/node/runtime"
)

const mountsV1 = `30 23 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`

const mountsV2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"

func TestFindCgroups(t *testing.T) {
	hybrid, err := findCgroups(strings.NewReader(mountsV1))
	if err != nil || hybrid.v2 || hybrid.file("cpuacct", "/a", "f") != "/sys/fs/cgroup/cpu,cpuacct/a/f" || len(hybrid.all) != 3 {
		t.Errorf("hybrid: %+v %v", hybrid, err)
	}
	unified, err := findCgroups(strings.NewReader(mountsV2))
	if err != nil || !unified.v2 || unified.file("cpu", "/a", "f") != "/sys/fs/cgroup/a/f" {
		t.Errorf("unified: %+v %v", unified, err)
	}
	if _, err := findCgroups(strings.NewReader("")); err == nil {
		t.Error("none: no error")
	}
}

// Version 2 on plain files: what would be written, and what is read.
func TestVersion2(t *testing.T) {
	root := t.TempDir()
	c, err := findCgroups(strings.NewReader(strings.ReplaceAll(mountsV2, "/sys/fs/cgroup", root)))
	if err != nil {
		t.Fatal(err)
	}
	c.parent, c.swap = "/slipway", true
	spec := runtime.Spec{ID: "c", CPUShares: 256, MemoryLimit: 5 << 20, Group: runtime.Group{ID: "task", CPU: 0.5, Memory: 10 << 20}}
	cgroup, err := c.make(spec)
	if err != nil || cgroup != "/slipway/task/c" {
		t.Fatal(cgroup, err)
	}
	for file, want := range map[string]string{
		"memory.max": "10485760", "memory.swap.max": "0", "cpu.max": "50000 100000", "cpu.weight": "20", "cgroup.subtree_control": "+cpu +memory +pids",
	} {
		if b, _ := os.ReadFile(filepath.Join(root, "slipway/task", file)); string(b) != want {
			t.Errorf("%s: %q, want %q", file, b, want)
		}
	}
	limit := int64(5 << 20)
	want := &specs.LinuxResources{
		Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}},
		CPU:     &specs.LinuxCPU{Shares: new(uint64(256)), Quota: new(int64(50000)), Period: new(uint64(100000))},
		Memory:  &specs.LinuxMemory{Limit: &limit, Swap: &limit},
	}
	if got := c.resources(spec); !reflect.DeepEqual(got, want) {
		t.Errorf("resources %+v", got)
	}
	dir := filepath.Join(root, cgroup)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		"memory.events": "low 0\noom 1\noom_kill 2\n", "cpu.stat": "usage_usec 1500000\nthrottled_usec 20\n", "memory.current": "4096\n", "memory.peak": "8192\n",
		"memory.max": "max\n", "memory.stat": "anon 1\ninactive_file 7\n", "pids.current": "3\n", "io.stat": "8:0 rbytes=1 wbytes=2 rios=9\n8:16 rbytes=10 wbytes=20\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.oomKills(cgroup); n != 2 {
		t.Errorf("%d OOM kills", n)
	}
	var s runtime.Stats
	c.stats(cgroup, &s)
	if !reflect.DeepEqual(s, runtime.Stats{CPU: 1500e6, Throttled: 20e3, Memory: 4096, MemoryCache: 7, MemoryPeak: 8192, Processes: 3, BlockRead: 11, BlockWrite: 22}) {
		t.Errorf("%+v", s)
	}
}

func TestProcessStats(t *testing.T) {
	var s runtime.Stats
	processStats(os.Getpid(), &s)
	if s.Memory == 0 || s.Processes == 0 {
		t.Errorf("%+v", s)
	}
	if n := networkStats(os.Getpid()); n["lo"] != (runtime.NetworkStats{}) {
		t.Errorf("lo is counted: %+v", n)
	}
}

// An image's links lead nowhere but into the image.
func TestAccountsStayInTheImage(t *testing.T) {
	outside, root := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "passwd"), []byte("evil:x:0:0::/:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{filepath.Join(outside, "passwd"), "../../../../../../../.." + outside + "/passwd"} {
		link := filepath.Join(root, "etc/passwd")
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		if _, _, err := lookUpUser(root, "evil"); err == nil {
			t.Errorf("a link to %s was followed out of the image", target)
		}
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
	}
	if u, _, err := lookUpUser(root, ""); err != nil || u.UID != 0 {
		t.Errorf("root without a passwd: %+v %v", u, err)
	}
}

func FuzzAccounts(f *testing.F) {
	f.Add("root:x:0:0::/:\n", "root")
	f.Add("a:b\n::::\n1:2:3:99999999999\n", "1:2")
	f.Fuzz(func(t *testing.T, passwd, user string) {
		root := t.TempDir()
		if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"etc/passwd", "etc/group"} {
			if err := os.WriteFile(filepath.Join(root, name), []byte(passwd), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		u, _, err := lookUpUser(root, user)
		if err == nil && (int32(u.UID) < 0 || int32(u.GID) < 0) {
			t.Errorf("%q in %q is %+v", user, passwd, u)
		}
	})
}
