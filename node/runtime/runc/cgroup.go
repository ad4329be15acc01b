package runc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/slipway-dev/slipway/node/runtime"
)

// cgroups makes one cgroup for each task, with the task's limits, in which
// runc makes one for each container. It speaks version 1 (a hierarchy for
// each controller, also when version 2 is mounted beside it: hybrid) and
// version 2 (one hierarchy).
type cgroups struct {
	parent string            // below each mount, absolute
	mounts map[string]string // controller -> mount point; version 2: all the same
	all    []string          // mount points in which runc makes cgroups
	v2     bool
	swap   bool // memory+swap can be limited
}

// cpuPeriod is the span over which CPU quotas are counted, in microseconds.
const cpuPeriod = 100_000

// openCgroups makes the parent cgroup, or says why there can be no limits.
func openCgroups(parent string) (*cgroups, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c, err := findCgroups(f)
	if err != nil {
		return nil, err
	}
	c.parent = path.Join("/", parent)
	if c.v2 {
		err = c.enable(path.Dir(c.parent))
	}
	if err == nil {
		err = c.mkdir(c.parent)
	}
	if err != nil {
		return nil, fmt.Errorf("cgroup %s cannot be made: %w", c.parent, err)
	}
	swapFile := "memory.memsw.limit_in_bytes"
	if c.v2 {
		swapFile = "memory.swap.max"
	}
	_, err = os.Stat(c.file("memory", c.parent, swapFile))
	c.swap = err == nil
	return c, nil
}

// findCgroups reads /proc/self/mountinfo (proc_pid_mountinfo(5)).
func findCgroups(mountinfo io.Reader) (*cgroups, error) {
	c := &cgroups{mounts: map[string]string{}}
	unified := ""
	lines := bufio.NewScanner(mountinfo)
	for lines.Scan() {
		head, tail, ok := strings.Cut(lines.Text(), " - ")
		h, t := strings.Fields(head), strings.Fields(tail)
		if !ok || len(h) < 5 || len(t) < 3 {
			continue
		}
		switch t[0] {
		case "cgroup2":
			unified = h[4]
			c.all = append(c.all, h[4])
		case "cgroup":
			c.all = append(c.all, h[4])
			for option := range strings.SplitSeq(t[2], ",") {
				c.mounts[option] = h[4]
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if c.mounts["memory"] != "" && c.mounts["cpu"] != "" {
		return c, nil
	}
	if unified == "" {
		return nil, errors.New("no cgroups are mounted")
	}
	c.v2 = true
	for _, controller := range []string{"memory", "cpu", "cpuacct", "pids", "blkio", "io"} {
		c.mounts[controller] = unified
	}
	return c, nil
}

// file is the path of a control file.
func (c *cgroups) file(controller, cgroup, name string) string {
	return filepath.Join(c.mounts[controller], cgroup, name)
}

func (c *cgroups) set(controller, cgroup, name string, value int64) error {
	return c.write(controller, cgroup, name, strconv.FormatInt(value, 10))
}

func (c *cgroups) write(controller, cgroup, name, value string) error {
	return os.WriteFile(c.file(controller, cgroup, name), []byte(value), 0)
}

// mkdir makes a cgroup below which others can have limits.
func (c *cgroups) mkdir(cgroup string) error {
	if c.v2 {
		if err := os.MkdirAll(c.file("memory", cgroup, ""), 0o755); err != nil {
			return err
		}
		return c.enable(cgroup)
	}
	for _, controller := range []string{"memory", "cpu"} {
		if err := os.MkdirAll(c.file(controller, cgroup, ""), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// enable lets the children of a version 2 cgroup have controllers.
func (c *cgroups) enable(cgroup string) error {
	return c.write("memory", cgroup, "cgroup.subtree_control", "+cpu +memory +pids")
}

// make makes the group's cgroup, if there is a group, and returns the path of
// the container's.
func (c *cgroups) make(spec runtime.Spec) (string, error) {
	if spec.Group.ID == "" {
		own := path.Join(c.parent, spec.ID)
		return own, c.makeOwn(own, spec)
	}
	if err := runtime.CheckID(spec.Group.ID); err != nil {
		return "", err
	}
	group := path.Join(c.parent, spec.Group.ID)
	if err := c.mkdir(group); err != nil {
		return "", err
	}
	if err := c.limit(group, spec.Group); err != nil {
		return "", err
	}
	own := path.Join(group, spec.ID)
	return own, c.makeOwn(own, spec)
}

// controllers are those that limit or count something here.
var controllers = []string{"memory", "cpu", "cpuacct", "pids", "blkio"}

// folders are a container's cgroups, one in each hierarchy that matters.
func (c *cgroups) folders(cgroup string) (dirs []string) {
	for _, controller := range controllers {
		if mount := c.mounts[controller]; mount != "" && !slices.Contains(dirs, filepath.Join(mount, cgroup)) {
			dirs = append(dirs, filepath.Join(mount, cgroup))
		}
	}
	return dirs
}

// makeOwn makes a container's cgroups with its limits, as runc makes them of
// the same resources.
func (c *cgroups) makeOwn(cgroup string, spec runtime.Spec) error {
	for _, dir := range c.folders(cgroup) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	r := c.resources(spec)
	limits := runtime.Group{CPU: spec.Group.CPU}
	var reservation int64
	if r.Memory != nil && r.Memory.Limit != nil {
		limits.Memory = *r.Memory.Limit
	}
	if r.Memory != nil && r.Memory.Reservation != nil {
		reservation = *r.Memory.Reservation
	}
	if err := c.limit(cgroup, limits); err != nil {
		return err
	}
	shares, soft := "cpu.shares", "memory.soft_limit_in_bytes"
	weighed := int64(*r.CPU.Shares)
	if c.v2 {
		shares, soft, weighed = "cpu.weight", "memory.low", weight(weighed)
	}
	if err := c.set("cpu", cgroup, shares, weighed); err != nil || reservation == 0 {
		return err
	}
	return c.set("memory", cgroup, soft, reservation)
}

// limit writes a group's limits.
func (c *cgroups) limit(cgroup string, g runtime.Group) error {
	type setting struct {
		controller, file string
		value            int64
		on               bool
	}
	quota, shares := int64(g.CPU*cpuPeriod), int64(g.CPU*1024)
	settings := []setting{
		{"memory", "memory.limit_in_bytes", g.Memory, g.Memory > 0},
		{"memory", "memory.memsw.limit_in_bytes", g.Memory, g.Memory > 0 && c.swap},
		{"cpu", "cpu.cfs_period_us", cpuPeriod, g.CPU > 0},
		{"cpu", "cpu.cfs_quota_us", quota, g.CPU > 0},
		{"cpu", "cpu.shares", max(shares, 2), g.CPU > 0},
	}
	if c.v2 {
		settings = []setting{
			{"memory", "memory.max", g.Memory, g.Memory > 0},
			{"memory", "memory.swap.max", 0, g.Memory > 0 && c.swap},
			{"cpu", "cpu.weight", weight(max(shares, 2)), g.CPU > 0},
		}
		if g.CPU > 0 {
			if err := c.write("cpu", cgroup, "cpu.max", fmt.Sprintf("%d %d", quota, cpuPeriod)); err != nil {
				return err
			}
		}
	}
	for _, s := range settings {
		if !s.on {
			continue
		}
		if err := c.set(s.controller, cgroup, s.file, s.value); err != nil {
			return err
		}
	}
	return nil
}

// weight turns CPU shares (2-262144) into a version 2 weight (1-10000), by
// the kernel's and runc's formula.
func weight(shares int64) int64 { return 1 + (shares-2)*9999/262142 }

// resources are a container's own limits. A container without a limit gets
// the task's, which changes nothing but is seen by language runtimes that ask
// their own cgroup how much they have.
func (c *cgroups) resources(spec runtime.Spec) *specs.LinuxResources {
	out := &specs.LinuxResources{
		Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}, // runc adds the usual ones
		CPU:     &specs.LinuxCPU{Shares: new(uint64(max(spec.CPUShares, 2)))},
	}
	if spec.Group.CPU > 0 {
		out.CPU.Quota, out.CPU.Period = new(int64(spec.Group.CPU*cpuPeriod)), new(uint64(cpuPeriod))
	}
	limit := spec.MemoryLimit
	if limit == 0 {
		limit = spec.Group.Memory
	}
	if limit > 0 || spec.MemoryReservation > 0 {
		out.Memory = &specs.LinuxMemory{}
		if limit > 0 {
			out.Memory.Limit = &limit
			if c.swap {
				out.Memory.Swap = &limit
			}
		}
		if spec.MemoryReservation > 0 {
			out.Memory.Reservation = new(spec.MemoryReservation)
		}
	}
	return out
}

// oomKills counts how many processes of the cgroup the kernel killed for want
// of memory.
func (c *cgroups) oomKills(cgroup string) int64 {
	name := "memory.oom_control"
	if c.v2 {
		name = "memory.events"
	}
	return readFields(c.file("memory", cgroup, name))["oom_kill"]
}

// remove deletes a container's cgroup, and its group's when that is empty.
func (c *cgroups) remove(cgroup string) {
	for ; cgroup != c.parent && cgroup != "/"; cgroup = path.Dir(cgroup) {
		for _, mount := range c.all {
			_ = unix.Rmdir(filepath.Join(mount, cgroup)) // runc's is gone; a group in use stays
		}
	}
}

// sweep deletes the cgroups that belong to no container.
func (c *cgroups) sweep(records map[string]record) {
	used := map[string]bool{}
	for _, r := range records {
		used[r.Cgroup] = true
	}
	for _, mount := range c.all {
		for _, pattern := range []string{"*/*", "*"} {
			dirs, _ := filepath.Glob(filepath.Join(mount, c.parent, pattern))
			for _, d := range dirs {
				if rel, err := filepath.Rel(mount, d); err == nil && !used["/"+rel] {
					_ = unix.Rmdir(d) // files cannot be removed, nor cgroups in use
				}
			}
		}
	}
}

// readFields reads a file of lines "name number".
func readFields(path string) map[string]int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	out := map[string]int64{}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 2 {
			if n, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				out[f[0]] = n
			}
		}
	}
	return out
}

// readNumber reads a file with one number; "max" and what is missing are 0.
func readNumber(path string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
