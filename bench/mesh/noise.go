package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

// watch tells afterwards what other processes used of the processors. What the
// kernel does for nobody in particular is not counted.
func watch() func() string {
	began, all, ours := time.Now(), busy(), family()
	return func() string {
		span := time.Since(began).Seconds() * float64(runtime.NumCPU())
		others := busy() - all - (family() - ours)
		return fmt.Sprintf("meanwhile other programs used %.0f %% of %d processors", 100*max(0, others.Seconds())/span, runtime.NumCPU())
	}
}

// busy is the time that all processors spent in programs and for them (Linux,
// /proc/stat: user, nice, system).
func busy() (total time.Duration) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	for _, f := range bytes.Fields(line)[1:4] {
		total += ticks(f)
	}
	return total
}

// family is the processor time of this process and all that descend from it.
func family() (total time.Duration) {
	all := processes()
	for pid, p := range all {
		for at := pid; at > 1; at = all[at].parent {
			if at == os.Getpid() {
				total += p.used + p.waited
				break
			}
		}
	}
	return total
}

// cpuTime is the processor time that processes and their children have used.
func cpuTime(of ...*process) (total time.Duration) {
	ours := map[int]bool{}
	for _, p := range of {
		ours[p.Process.Pid] = true
	}
	for pid, p := range processes() {
		if ours[pid] || ours[p.parent] {
			total += p.used
		}
	}
	return total
}

// usage is what a process used, and what the children that it waited for did.
type usage struct {
	parent       int
	used, waited time.Duration
}

// processes reads those of the machine (Linux, /proc/<pid>/stat).
func processes() map[int]usage {
	all := map[int]usage{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		b, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it has ended
		}
		f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
		if len(f) < 15 {
			continue
		}
		parent, _ := strconv.Atoi(string(f[1]))
		all[pid] = usage{parent, ticks(f[11]) + ticks(f[12]), ticks(f[13]) + ticks(f[14])}
	}
	return all
}

// ticks reads a time in USER_HZ.
func ticks(text []byte) time.Duration {
	n, _ := strconv.Atoi(string(text))
	return time.Duration(n) * 10 * time.Millisecond
}
