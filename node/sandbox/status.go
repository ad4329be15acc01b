package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Status describes the engine of a state directory. Pids are the host's.
type Status struct {
	Running bool // the parent lives
	Pid     int  // of the parent
	Since   time.Time
	Version string // Config.Version of the parent

	InitPid     int
	EnginePid   int       // 0 between two engines
	EngineSince time.Time // start of the present engine
	Ready       bool      // it answers its clients
	Restarts    int       // engines ended so far
	LastEnd     string    // how the last of them ended, with the end of its stderr if it ended by itself

	// The kernel's start times (clock ticks after boot) make the pids unmistakable.
	Started     uint64
	InitStarted uint64
}

// StatusOf reads the status of a state directory; a directory without an engine
// gives the zero Status.
func StatusOf(dir string) (Status, error) {
	s, err := readStatus(dir)
	if err != nil {
		return Status{}, fmt.Errorf("sandbox: %w", err)
	}
	if !alive(s.Pid, s.Started) {
		return Status{}, nil
	}
	s.Running = true
	return s, nil
}

// statusSize is what a record is padded to, so that one write replaces it.
const statusSize = 4096

// readStatus reads the record, which may be one of processes that are gone.
func readStatus(dir string) (s Status, err error) {
	for range 100 { // a reader may meet the writer
		b, err := os.ReadFile(filepath.Join(dir, lockFile))
		if errors.Is(err, fs.ErrNotExist) {
			return Status{}, nil
		}
		if err != nil {
			return s, err
		}
		if text := strings.TrimSpace(string(b)); text == "" {
			return Status{}, nil
		} else if json.Unmarshal([]byte(text), &s) == nil {
			return s, nil
		}
	}
	return s, fmt.Errorf("%s is damaged: remove it when no engine runs", filepath.Join(dir, lockFile))
}

func writeStatus(lock *os.File, s Status) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if pad := statusSize - len(b); pad > 0 {
		b = append(b, strings.Repeat(" ", pad)...)
	}
	_, err = lock.WriteAt(b, 0)
	return err
}

// alive reports whether pid is still the process that started then, and not a
// zombie.
func alive(pid int, started uint64) bool {
	at, state, err := startTime(pid)
	return err == nil && at == started && state != 'Z' && state != 'X'
}

// startTime reads fields 3 and 22 of /proc/pid/stat (proc_pid_stat(5)).
func startTime(pid int) (ticks uint64, state byte, err error) {
	if pid <= 0 {
		return 0, 0, os.ErrProcessDone
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	return parseStat(string(b))
}

func parseStat(stat string) (ticks uint64, state byte, err error) {
	// The name, in parentheses, may itself contain spaces and parentheses.
	f := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(f) < 20 {
		return 0, 0, fmt.Errorf("bad /proc stat line %q", stat)
	}
	ticks, err = strconv.ParseUint(f[19], 10, 64)
	return ticks, f[0][0], err
}

// hostPid finds the host's pid of a child of init by its pid in the sandbox.
func hostPid(initPid, inner int) int {
	dirs, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, path := range dirs {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		var parent, outer, last string
		for line := range strings.Lines(string(b)) {
			switch f := strings.Fields(line); {
			case len(f) < 2:
			case f[0] == "PPid:":
				parent = f[1]
			case f[0] == "NSpid:":
				outer, last = f[1], f[len(f)-1]
			}
		}
		if parent == strconv.Itoa(initPid) && last == strconv.Itoa(inner) {
			pid, _ := strconv.Atoi(outer)
			return pid
		}
	}
	return 0
}
