package runc

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/node/runtime"
)

// Stats reads the container's cgroup, or its processes when it has none, and
// the interfaces of its network namespace.
func (d *Driver) Stats(ctx context.Context, id string) (runtime.Stats, error) {
	r, ok := d.record(id)
	if !ok {
		return runtime.Stats{}, fmt.Errorf("stats of %s: %w", id, runtime.ErrNotFound)
	}
	c, known, err := d.container(ctx, id)
	if err != nil {
		return runtime.Stats{}, err
	}
	if !known || !c.Running {
		return runtime.Stats{}, fmt.Errorf("stats of %s: %w", id, runtime.ErrNotRunning)
	}
	s := runtime.Stats{Read: time.Now()}
	if d.cgroups != nil && r.Cgroup != "" {
		d.cgroups.stats(r.Cgroup, &s)
	} else {
		processStats(c.Pid, &s)
	}
	s.Networks = networkStats(c.Pid)
	return s, nil
}

// stats reads a cgroup's counters.
func (c *cgroups) stats(cgroup string, s *runtime.Stats) {
	memory := func(name string) int64 { return readNumber(c.file("memory", cgroup, name)) }
	memoryStat := readFields(c.file("memory", cgroup, "memory.stat"))
	s.Processes = int(readNumber(c.file("pids", cgroup, "pids.current")))
	if c.v2 {
		cpu := readFields(c.file("cpu", cgroup, "cpu.stat"))
		s.CPU = time.Duration(cpu["usage_usec"]) * time.Microsecond
		s.Throttled = time.Duration(cpu["throttled_usec"]) * time.Microsecond
		s.Memory, s.MemoryPeak, s.MemoryLimit = memory("memory.current"), memory("memory.peak"), memory("memory.max")
		s.MemoryCache = memoryStat["inactive_file"]
		s.BlockRead, s.BlockWrite = blockStats(c.file("io", cgroup, "io.stat"), true)
		return
	}
	accounting := "cpuacct"
	if c.mounts[accounting] == "" {
		accounting = "cpu"
	}
	s.CPU = time.Duration(readNumber(c.file(accounting, cgroup, "cpuacct.usage")))
	s.Throttled = time.Duration(readFields(c.file("cpu", cgroup, "cpu.stat"))["throttled_time"])
	s.Memory, s.MemoryPeak = memory("memory.usage_in_bytes"), memory("memory.max_usage_in_bytes")
	if limit := memory("memory.limit_in_bytes"); limit < math.MaxInt64/2 {
		s.MemoryLimit = limit
	}
	s.MemoryCache = memoryStat["total_inactive_file"]
	s.BlockRead, s.BlockWrite = blockStats(c.file("blkio", cgroup, "blkio.throttle.io_service_bytes"), false)
}

// blockStats sums io.stat ("8:0 rbytes=1 wbytes=2 ...") or
// blkio.throttle.io_service_bytes ("8:0 Read 1").
func blockStats(path string, v2 bool) (read, write int64) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if !v2 && len(f) == 3 {
			f = []string{f[0], f[1] + "=" + f[2]}
		}
		for _, field := range f {
			name, value, _ := strings.Cut(field, "=")
			n, _ := strconv.ParseInt(value, 10, 64)
			switch name {
			case "rbytes", "Read":
				read += n
			case "wbytes", "Write":
				write += n
			}
		}
	}
	return read, write
}

// userHertz is the unit of times in /proc/<pid>/stat, the same on all
// architectures Linux runs Go on.
const userHertz = 100

// processStats adds up the processes in the PID namespace of pid. Time that
// children used is counted when their parents have waited for them.
func processStats(pid int, s *runtime.Stats) {
	namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		return
	}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if ns, err := os.Readlink(filepath.Join(dir, "ns/pid")); err != nil || ns != namespace {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(b), ") ") // the name may hold anything
		f := strings.Fields(rest)
		if len(f) < 22 {
			continue
		}
		s.Processes++
		for _, ticks := range f[11:15] { // utime, stime, cutime, cstime
			n, _ := strconv.ParseInt(ticks, 10, 64)
			s.CPU += time.Duration(n) * time.Second / userHertz
		}
		pages, _ := strconv.ParseInt(f[21], 10, 64)
		s.Memory += pages * int64(os.Getpagesize())
	}
	s.MemoryPeak = s.Memory
}

// networkStats reads /proc/<pid>/net/dev.
func networkStats(pid int) map[string]runtime.NetworkStats {
	f, err := os.Open(fmt.Sprintf("/proc/%d/net/dev", pid))
	if err != nil {
		return nil
	}
	defer f.Close()
	out := map[string]runtime.NetworkStats{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, counters, ok := strings.Cut(lines.Text(), ":")
		c := strings.Fields(counters)
		name = strings.TrimSpace(name)
		if !ok || len(c) < 12 || name == "lo" {
			continue
		}
		n := make([]int64, 12)
		for i := range n {
			n[i], _ = strconv.ParseInt(c[i], 10, 64)
		}
		out[name] = runtime.NetworkStats{
			RxBytes: n[0], RxPackets: n[1], RxErrors: n[2], RxDropped: n[3],
			TxBytes: n[8], TxPackets: n[9], TxErrors: n[10], TxDropped: n[11],
		}
	}
	return out
}
