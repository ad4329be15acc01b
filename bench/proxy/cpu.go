package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// cpuTime is the processor time a process and its children have used (Linux,
// /proc/<pid>/stat: utime and stime in ticks of 10 ms).
func cpuTime(pid int) (total time.Duration) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		self, rest, ok := bytes.Cut(b, []byte(" ("))
		_, rest, ok2 := bytes.Cut(rest, []byte(") "))
		f := bytes.Fields(rest)
		if !ok || !ok2 || len(f) < 13 {
			continue
		}
		me, _ := strconv.Atoi(string(self))
		parent, _ := strconv.Atoi(string(f[1]))
		if me != pid && parent != pid {
			continue
		}
		for _, t := range f[11:13] {
			n, _ := strconv.Atoi(string(t))
			total += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return total
}
