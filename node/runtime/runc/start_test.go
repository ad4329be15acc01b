package runc_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/node/runtime"
	"github.com/slipway-dev/slipway/node/runtime/runtimetest"
)

// BenchmarkWarmStart measures a container of an image that is there: the tag
// resolved again, root file system, bundle, runc, until the program's first
// line is in its log.
func BenchmarkWarmStart(b *testing.B) {
	bed := newBed(b)
	ref := runtimetest.Registry(b) + "/app:latest"
	runtimetest.Push(b, ref, runtimetest.ProgramImage(b))
	var pull, create, start, said time.Duration
	n := 0
	for b.Loop() {
		id := fmt.Sprintf("c%d", n)
		n++
		t0 := time.Now()
		img, err := bed.images.Pull(b.Context(), ref, nil)
		if err != nil {
			b.Fatal(err)
		}
		t1 := time.Now()
		if err := bed.driver.Create(b.Context(), runtime.Spec{ID: id, Image: img, Group: runtime.Group{ID: "t", CPU: 0.5, Memory: 256 << 20}}); err != nil {
			b.Fatal(err)
		}
		t2 := time.Now()
		if err := bed.driver.Start(b.Context(), id); err != nil {
			b.Fatal(err)
		}
		t3 := time.Now()
		for {
			if text, _ := os.ReadFile(bed.driver.Logs(id)); bytes.Contains(text, []byte("running")) {
				break
			}
			time.Sleep(100 * time.Microsecond)
		}
		t4 := time.Now()
		pull, create, start, said = pull+t1.Sub(t0), create+t2.Sub(t1), start+t3.Sub(t2), said+t4.Sub(t3)
		b.StopTimer()
		if err := bed.driver.Remove(b.Context(), id); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	for name, d := range map[string]time.Duration{"pull": pull, "create": create, "start": start, "said": said} {
		b.ReportMetric(float64(d.Microseconds())/1000/float64(n), name+"-ms/op")
	}
}

// BenchmarkExec measures what a health check costs.
func BenchmarkExec(b *testing.B) {
	bed := newBed(b)
	if err := bed.driver.Create(b.Context(), runtime.Spec{ID: "c", Image: bed.Image}); err != nil {
		b.Fatal(err)
	}
	if err := bed.driver.Start(b.Context(), "c"); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if code, err := bed.driver.Exec(b.Context(), "c", runtime.Exec{Args: []string{"/app", "exit", "0"}}); code != 0 || err != nil {
			b.Fatal(code, err)
		}
	}
	if err := bed.driver.Remove(b.Context(), "c"); err != nil {
		b.Fatal(err)
	}
}
