package vpc

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const victimEnv = "VPC_TEST_VICTIM"

// TestVictim is not a test of its own: it is the process that
// TestKilledAtAnyMoment kills, busy with everything a Network does.
func TestVictim(t *testing.T) {
	dir := os.Getenv(victimEnv)
	if dir == "" {
		return
	}
	ctx := context.Background()
	n, err := New(Options{Dir: dir, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	whole, part := shop("vpc-1"), shop("vpc-1")
	part.Interfaces = part.Interfaces[:2]
	for {
		for _, c := range []Config{whole, part, whole} {
			if err := n.Apply(ctx, c); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for _, i := range c.Interfaces[1:] {
				wg.Go(func() { n.Attach(ctx, "vpc-1", i.ID) })
			}
			wg.Wait()
		}
		n.Detach(ctx, "vpc-1", "web")
		n.Remove(ctx, "vpc-1")
	}
}

// An engine may end at any moment: the next one makes the VPC whole, and
// removes it without a trace.
func TestKilledAtAnyMoment(t *testing.T) {
	for range 20 {
		dir := filepath.Join(t.TempDir(), "netns")
		victim := exec.Command("/proc/self/exe", "-test.run=^TestVictim$")
		victim.Env = append(os.Environ(), victimEnv+"="+dir)
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		moment := 20*time.Millisecond + rand.N(100*time.Millisecond)
		timer := time.AfterFunc(moment, func() { victim.Process.Kill() })
		victim.Wait()
		timer.Stop()
		if victim.ProcessState.Exited() {
			t.Fatalf("the victim ended by itself: %s", victim.ProcessState)
		}

		n := newNetwork(t, Options{Dir: dir})
		apply(t, n, shop("vpc-1"))
		serve(t, n, "vpc-1", "db", ":5432", "db")
		want(t, "after a kill at "+moment.String(), ask(t, n, "vpc-1", "web", "10.0.3.6:5432"), "db 10.0.3.5")
		want(t, "stranger, after a kill at "+moment.String(), ask(t, n, "vpc-1", "other", "10.0.3.6:5432"), "denied")
		if err := n.Remove(t.Context(), "vpc-1"); err != nil {
			t.Fatal(err)
		}
		mounts, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil {
			t.Fatal(err)
		}
		if left := n.Known(); len(left) != 0 || strings.Contains(string(mounts), dir) {
			t.Errorf("left after a kill at %s: %v", moment, left)
		}
	}
}

// Nothing grows with the number of tasks that came and went.
func TestNothingLeaks(t *testing.T) {
	n := newNetwork(t, Options{})
	apply(t, n, crowd(1))
	count := func(dir string) int {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	cycle := func(times int) (fds, threads int) {
		for range times {
			if _, err := n.Attach(t.Context(), "vpc-1", "eni-0"); err != nil {
				t.Fatal(err)
			}
			if err := n.Detach(t.Context(), "vpc-1", "eni-0"); err != nil {
				t.Fatal(err)
			}
		}
		return count("/proc/self/fd"), count("/proc/self/task")
	}
	fds, threads := cycle(20)
	fdsAfter, threadsAfter := cycle(100)
	if fdsAfter > fds || threadsAfter > threads+4 { // the Go runtime keeps a few threads to spare
		t.Errorf("descriptors %d, then %d; threads %d, then %d", fds, fdsAfter, threads, threadsAfter)
	}
}
