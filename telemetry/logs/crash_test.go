package logs_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/telemetry/logs"
)

// A torn tail of any length costs the torn record alone.
func TestATornTailIsCutOff(t *testing.T) {
	dir := t.TempDir()
	s := open(t, logs.Config{Dir: dir})
	for i := range 5 {
		if err := s.Append("g", "s", []logs.Event{line(int64(i+1), fmt.Sprint("line ", i))}); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*.seg"))
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	last := 6
	for cut := len(whole); cut >= 0; cut-- {
		if err := os.WriteFile(files[0], whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, logs.Config{Dir: dir})
		got := scan(t, s, logs.Query{Group: "g"})
		if len(got) > last || len(got) < last-1 && last < 6 {
			t.Fatalf("cut at %d: %d events after %d", cut, len(got), last)
		}
		last = len(got)
		for i, e := range got {
			if e.Message != fmt.Sprint("line ", i) {
				t.Fatalf("cut at %d: %v", cut, e)
			}
		}
		if err := s.Append("g", "s", []logs.Event{line(99, "new")}); err != nil {
			t.Fatal(err)
		}
		if after := scan(t, s, logs.Query{Group: "g"}); len(after) != len(got)+1 {
			t.Fatalf("cut at %d: %d events after an append", cut, len(after))
		}
		s.Close()
	}
	garbage := slices.Clone(whole)
	garbage[len(garbage)-2] ^= 1
	os.WriteFile(files[0], append(garbage, make([]byte, 100)...), 0o600)
	s = open(t, logs.Config{Dir: dir})
	defer s.Close()
	if got := scan(t, s, logs.Query{Group: "g"}); len(got) != 4 {
		t.Errorf("a flipped bit: %d events", len(got))
	}
}

// A child process appends and is killed; every acknowledged line is there.
func TestAKilledProcessLosesNothing(t *testing.T) {
	if dir := os.Getenv("LOGS_CHILD"); dir != "" {
		s := open(t, logs.Config{Dir: dir, SegmentBytes: 4 << 10})
		for i := 0; ; i++ {
			if err := s.Append("g", fmt.Sprint(i%3), []logs.Event{line(int64(i+1), fmt.Sprint(i))}); err != nil {
				panic(err)
			}
			fmt.Println(i)
		}
	}
	for range 8 {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run=^TestAKilledProcessLosesNothing$")
		cmd.Env = append(os.Environ(), "LOGS_CHILD="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acked := -1
		var killer *time.Timer
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				acked = n
			}
			if killer == nil {
				killer = time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, func() { cmd.Process.Kill() })
			}
		}
		cmd.Wait()
		s := open(t, logs.Config{Dir: dir, SegmentBytes: 4 << 10})
		got := messages(scan(t, s, logs.Query{Group: "g"}))
		s.Close()
		if acked < 0 || len(got) <= acked {
			t.Fatalf("%d events, %d acknowledged", len(got), acked+1)
		}
		for i, m := range got {
			if m != strconv.Itoa(i) {
				t.Fatalf("event %d is %q", i, m)
			}
		}
	}
}

// A full disk, here by a limit on the size of files, fails an append and
// nothing else: what was there stays, and with room again appends go on.
func TestAFullDiskLosesNothing(t *testing.T) {
	// The limit is on a process: it is a child's, whose own files are none.
	if os.Getenv("LOGS_FULL") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestAFullDiskLosesNothing$")
		cmd.Env = append(os.Environ(), "LOGS_FULL=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	dir := t.TempDir()
	s := open(t, logs.Config{Dir: dir})
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	small := was
	small.Cur = 64 << 10
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		t.Fatal(err)
	}
	acked, failed := 0, 0
	for i := range 100 {
		if err := s.Append("g", "s", []logs.Event{line(int64(i+1), strings.Repeat("x", 1000))}); err == nil {
			acked++
		} else {
			failed++
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if failed == 0 || acked == 0 {
		t.Errorf("%d acknowledged, %d failed", acked, failed)
	}
	if err := s.Append("g", "s", []logs.Event{line(1000, "after")}); err != nil {
		t.Error(err)
	}
	for range 2 {
		if got := scan(t, s, logs.Query{Group: "g"}); len(got) != acked+1 || got[acked].Message != "after" {
			t.Errorf("%d events, %d acknowledged", len(got), acked+1)
		}
		s.Close()
		s = open(t, logs.Config{Dir: dir})
	}
	s.Close()
}
