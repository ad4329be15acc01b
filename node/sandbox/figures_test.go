package sandbox

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// benchWorld is a world for a benchmark.
func benchWorld(b *testing.B) *world {
	b.Helper()
	w := newWorld(b, "good")
	if _, err := Start(w.cfg); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.stop)
	return w
}

// From kill -9 of the engine to the answer of a request sent at once.
func BenchmarkEngineRestart(b *testing.B) {
	w := benchWorld(b)
	n := 0
	for b.Loop() {
		b.StopTimer()
		var s Status
		await(patience, func() bool { s = w.status(); return s.Ready && s.EnginePid != 0 && s.Restarts == n })
		n++
		b.StartTimer()
		if err := syscall.Kill(s.EnginePid, syscall.SIGKILL); err != nil {
			b.Fatal(err)
		}
		get[[]Container](w, "/containers")
	}
}

// A whole life of a container: bundle, start, end, forget.
func BenchmarkContainer(b *testing.B) {
	w := benchWorld(b)
	for b.Loop() {
		w.run("x", "exit 0")
		await(patience, func() bool { return !w.container("x").Running })
		w.must("/forget", "id", "x")
	}
}

// One call from the engine to init and back, seen by HTTP.
func BenchmarkCall(b *testing.B) {
	w := benchWorld(b)
	for b.Loop() {
		get[[]Container](w, "/containers")
	}
}

// Start to ready, then stop, with the memory of the processes.
func BenchmarkStartStop(b *testing.B) {
	w := newWorld(b, "good")
	var rss, pss int
	for b.Loop() {
		if _, err := Start(w.cfg); err != nil {
			b.Fatal(err)
		}
		s := w.status()
		rss, pss = 0, 0
		for _, pid := range []int{s.Pid, s.InitPid} {
			r, p := memory(pid)
			rss, pss = rss+r, pss+p
		}
		if err := Stop(w.dir, patience); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rss), "KiB-RSS-parent+init")
	b.ReportMetric(float64(pss), "KiB-PSS-parent+init")
}

func memory(pid int) (rss, pss int) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, 0
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		w := strings.Fields(sc.Text())
		switch {
		case len(w) < 2:
		case w[0] == "Rss:":
			rss, _ = strconv.Atoi(w[1])
		case w[0] == "Pss:":
			pss, _ = strconv.Atoi(w[1])
		}
	}
	return rss, pss
}
