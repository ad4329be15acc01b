package rig

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor time in /proc (USER_HZ).
const tick = 10 * time.Millisecond

// CPU is the processor time a process has used, in steps of 10 ms.
func CPU(pid int) time.Duration { return cpu(pid, 2) }

// CPUOfAll is CPU with that of the children it has waited for.
func CPUOfAll(pid int) time.Duration { return cpu(pid, 4) }

// cpu adds up the first n of utime, stime, cutime, cstime.
func cpu(pid, n int) (total time.Duration) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	for _, t := range f[11 : 11+n] {
		n, _ := strconv.Atoi(t)
		total += time.Duration(n) * tick
	}
	return total
}

// Memory is what a process has in memory, in bytes: all of it (RSS), and with
// shared pages counted in parts (PSS).
func Memory(pid int) (rss, pss int) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, 0
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		w := strings.Fields(sc.Text())
		if len(w) < 2 {
			continue
		}
		n, _ := strconv.Atoi(w[1])
		switch w[0] {
		case "Rss:":
			rss = n << 10
		case "Pss:":
			pss = n << 10
		}
	}
	return rss, pss
}
