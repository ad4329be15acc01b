package tests

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/tests/rig"
)

// The engine is killed at random moments of up, deploy and down, again and
// again. Each command ends well by itself or when it is given once more, and
// the platform is then what the manifest says: as many tasks, no orphan, three
// answers; after down nothing.
//
// -chaos sets how often, -seed repeats a run.
func TestKilledAtRandom(t *testing.T) {
	w := newWorld(t)
	w.must(w.StartArgs()...)
	random := rand.New(rand.NewPCG(*seed, 0))
	t.Logf("-seed %d", *seed)
	var alone, killed int
	var release string
	var slowest time.Duration
	typical := map[string]time.Duration{"up": time.Second, "deploy": time.Second, "down": time.Second}
	for round := range *repetitions {
		var phase string
		switch round % 3 {
		case 0:
			phase = "up"
		case 1:
			phase = "deploy"
			release = fmt.Sprintf("r%d", round)
			w.release(release)
		case 2:
			phase = "down"
		}
		// Somewhere in the time the command took when it ran last, mostly.
		moments := []time.Duration{time.Duration(random.Float64() * float64(typical[phase]))}
		if random.IntN(2) == 0 {
			moments = append(moments, time.Duration(random.IntN(1000))*time.Millisecond)
		}
		ran := time.Now()
		n, err := w.killDuring(phase, moments)
		typical[phase] = max(300*time.Millisecond, min(time.Since(ran), 2*time.Second)*8/10)
		killed += n
		if err == nil {
			alone++
		} else {
			t.Logf("round %d: %s, killed after %s, has to be repeated: %s", round, phase, moments, firstLine(err))
			w.must(phase)
		}
		if phase == "down" {
			w.eventually(30*time.Second, fmt.Sprintf("round %d: no task is left", round), func() (bool, error) { return len(w.tasks("")) == 0, nil })
			continue
		}
		began := time.Now()
		w.whole(round, phase, release)
		slowest = max(slowest, time.Since(began))
	}
	t.Logf("%d rounds, %d kills: all recovered, %d commands without being repeated; whole at most %s after the command", *repetitions, killed, alone, slowest.Round(time.Millisecond))
	w.must("down", "--all")
}

// killDuring runs a command and kills the engine at moments after its start,
// as long as it runs. It returns the number of kills and the command's error.
func (w world) killDuring(command string, moments []time.Duration) (kills int, err error) {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := w.Run(ctx, command)
		done <- err
	}()
	for _, m := range moments {
		select {
		case err := <-done:
			return kills, err
		case <-time.After(m):
		}
		st, err := w.Status()
		if err == nil && st.EnginePid != 0 && syscall.Kill(st.EnginePid, syscall.SIGKILL) == nil {
			kills++
		}
	}
	return kills, <-done
}

// release changes what every service has to bring: one variable.
func (w world) release(name string) {
	w.Helper()
	b, err := os.ReadFile(filepath.Join(w.Project, "slipway.yaml"))
	if err != nil {
		w.Fatal(err)
	}
	text, line := string(b), "  env: {RELEASE: "+name+"}\n"
	if i := strings.Index(text, "  env: {RELEASE: "); i >= 0 {
		text = text[:i] + line + text[i+strings.IndexByte(text[i:], '\n')+1:]
	} else {
		text = strings.Replace(text, "defaults: ", "defaults:\n"+line+"#", 1)
	}
	w.write("slipway.yaml", text)
}

// whole asserts that the platform is all there, and nothing else.
func (w world) whole(round int, phase, release string) {
	w.Helper()
	w.eventually(40*time.Second, fmt.Sprintf("round %d: six tasks after %s", round, phase), func() (bool, error) {
		tasks := w.tasks("")
		n := map[string]int{}
		for _, p := range tasks {
			n[p.Env("SERVICE_NAME")]++
			if p.Env("RELEASE") != release {
				return false, fmt.Errorf("process %d is of release %q, want %q", p.Pid, p.Env("RELEASE"), release)
			}
		}
		return len(tasks) == 6 && n["payment"] == 2 && n["order"] == 2 && n["notification"] == 2, fmt.Errorf("%v", n)
	})
	for _, s := range services {
		d := w.describe(s)
		if d.RunningCount == nil || *d.RunningCount != 2 {
			w.Errorf("round %d: %s has %d running tasks by the API, want 2", round, s, val(d.RunningCount))
		}
		if a := w.once(s); a.Status != http.StatusOK {
			w.Errorf("round %d: %s after %s: %s", round, s, phase, a)
		}
	}
}

func firstLine(err error) string {
	text := err.Error()
	if len(text) > 600 {
		text = text[:300] + " ... " + text[len(text)-300:]
	}
	return text
}
