package rig

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Process is one process of the machine, unmistakable by its start time.
type Process struct {
	Pid     int
	Parent  int
	Started uint64 // clock ticks after boot
	Net     string // its network namespace
	Command string // its arguments, joined by blanks
	env     []string
	cgroups []string // folders of those that engines make
}

// Env is a variable of the process's environment.
func (p Process) Env(name string) string {
	for _, v := range p.env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// Alive tells whether it still is there, zombies not counted.
func (p Process) Alive() bool {
	q, state, err := readProcess(p.Pid)
	return err == nil && q.Started == p.Started && state != "Z" && state != "X"
}

func readProcess(pid int) (p Process, state string, err error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	b, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return p, "", err
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	p.Pid = pid
	p.Parent, _ = strconv.Atoi(f[1])
	p.Started, _ = strconv.ParseUint(f[19], 10, 64)
	if b, err := os.ReadFile(filepath.Join(dir, "cmdline")); err == nil {
		p.Command = strings.TrimSpace(strings.ReplaceAll(string(b), "\x00", " "))
	}
	if b, err := os.ReadFile(filepath.Join(dir, "environ")); err == nil {
		p.env = strings.Split(string(b), "\x00")
	}
	if b, err := os.ReadFile(filepath.Join(dir, "cgroup")); err == nil {
		p.cgroups = engineCgroups(string(b))
	}
	p.Net, _ = os.Readlink(filepath.Join(dir, "ns/net"))
	return p, f[0], nil
}

// engineCgroups are the folders that /proc/<pid>/cgroup names and that an
// engine has made: lines are "4:memory:/slipway-0123456789/task".
func engineCgroups(text string) (dirs []string) {
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) == 3 && strings.Contains(f[2], "slipway-") {
			controller, _, _ := strings.Cut(f[1], ",")
			dirs = append(dirs, filepath.Join("/sys/fs/cgroup", controller, f[2]), filepath.Dir(filepath.Join("/sys/fs/cgroup", controller, f[2])))
		}
	}
	return dirs
}

// Descendants are a process and all below it.
func Descendants(pid int) []Process {
	children := map[int][]Process{}
	var out []Process
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		n, _ := strconv.Atoi(filepath.Base(dir))
		p, _, err := readProcess(n)
		if err != nil {
			continue
		}
		if n == pid {
			out = append(out, p)
		}
		children[p.Parent] = append(children[p.Parent], p)
	}
	for i := 0; i < len(out); i++ {
		out = append(out, children[out[i].Pid]...)
	}
	return out
}

// Tasks are the first processes of the containers of a service (any service
// when its name is empty), by pid.
func (e *Engine) Tasks(service string) ([]Process, error) {
	st, err := e.Status()
	if err != nil {
		return nil, err
	}
	var out []Process
	for _, p := range Descendants(st.InitPid) {
		name := p.Env("SERVICE_NAME")
		if p.Parent == st.InitPid && name != "" && (service == "" || name == service) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b Process) int { return a.Pid - b.Pid })
	return out, nil
}

// Leftovers says what remains of an engine that should be gone: processes
// (those seen while it ran), mounts, files, network interfaces and cgroups
// that were not there before.
func (e *Engine) Leftovers(before Host, seen []Process) []string {
	var left []string
	for _, p := range seen {
		if p.Alive() {
			left = append(left, fmt.Sprintf("process %d %s", p.Pid, p.Command))
		}
	}
	if b, err := os.ReadFile("/proc/self/mountinfo"); err != nil {
		left = append(left, err.Error())
	} else {
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, e.Home) {
				left = append(left, "mount "+strings.TrimSpace(line))
			}
		}
	}
	if _, err := os.Lstat(e.Home); err == nil {
		left = append(left, "files "+e.Home)
	}
	now := HostNow()
	for i := range now.Interfaces {
		if !before.Interfaces[i] {
			left = append(left, "network interface "+i)
		}
	}
	namespaces := map[string]bool{}
	for _, p := range seen {
		namespaces[p.Net] = true
	}
	for ns := range now.Namespaces {
		if namespaces[ns] && !before.Namespaces[ns] {
			left = append(left, "network namespace "+ns)
		}
	}
	for _, p := range seen {
		for _, dir := range p.cgroups {
			if _, err := os.Stat(dir); err == nil {
				left = append(left, "cgroup "+dir)
			}
		}
	}
	slices.Sort(left)
	return slices.Compact(left)
}

// Host is what a machine has of things that engines make.
type Host struct {
	Interfaces map[string]bool
	Namespaces map[string]bool // network namespaces that processes are in
}

// HostNow looks at the machine.
func HostNow() Host {
	h := Host{Interfaces: map[string]bool{}, Namespaces: map[string]bool{}}
	links, _ := filepath.Glob("/sys/class/net/*")
	for _, l := range links {
		h.Interfaces[filepath.Base(l)] = true
	}
	spaces, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	for _, s := range spaces {
		if ns, err := os.Readlink(s); err == nil {
			h.Namespaces[ns] = true
		}
	}
	return h
}
