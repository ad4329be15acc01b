package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Free space below which doctor warns and below which it fails: images and
// logs need some, and a full disk stops the engine from answering.
const (
	enoughDisk = 2 << 30
	leastDisk  = 256 << 20
)

func (a *app) checkDisk() finding {
	dir := a.home
	for { // the state directory may still be to come
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return bad("disk", false, "", "free space of %s is unknown: %v", dir, err)
	}
	free := st.Bavail * uint64(st.Bsize)
	return diskFinding(dir, free)
}

func diskFinding(dir string, free uint64) finding {
	fix := "free some space, or keep the state elsewhere: export SLIPWAY_HOME=/somewhere/else"
	switch {
	case free < leastDisk:
		return bad("disk", true, fix, "only %d MB are free at %s", free>>20, dir)
	case free < enoughDisk:
		return bad("disk", false, fix, "only %d MB are free at %s", free>>20, dir)
	}
	return good("disk", "%.1f GB free at %s", float64(free)/1e9, dir)
}

// bornAfter is before any clock that is right.
var bornAfter = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// checkClock: signatures, certificates and logs carry the time.
func checkClock() finding {
	fix := "sudo timedatectl set-ntp true"
	if now := time.Now(); now.Before(bornAfter) {
		return bad("clock", true, fix, "the clock says %s", now.Format(time.RFC1123))
	}
	var t unix.Timex
	if state, err := unix.Adjtimex(&t); err == nil && state == unix.TIME_ERROR {
		return finding{Name: "clock", State: "note", Detail: "the kernel says that the clock is not synchronised; signatures of clients on other machines may be refused", Fix: fix}
	}
	return good("clock", "%s", time.Now().UTC().Format(time.RFC3339))
}

// checkState looks at what is private in the state directory.
func (a *app) checkState() []finding {
	var out []finding
	for _, c := range []struct {
		path string
		mode fs.FileMode
		name string
	}{{a.home, 0o700, "state"}, {filepath.Join(a.home, "credentials.json"), 0o600, "credentials"}} {
		info, err := os.Stat(c.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // made at the first start
		}
		switch {
		case err != nil:
			out = append(out, bad(c.name, true, fmt.Sprintf("sudo chown -R %d %s", os.Getuid(), a.home), "%v", err))
		case info.Mode().Perm()&^c.mode != 0:
			out = append(out, bad(c.name, true, fmt.Sprintf("chmod %o %s", c.mode, c.path), "%s has mode %o: others can read the engine's keys", c.path, info.Mode().Perm()))
		default:
			out = append(out, good(c.name, "%s has mode %o", c.path, info.Mode().Perm()))
		}
	}
	return out
}
