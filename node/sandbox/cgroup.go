package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const cgroupRoot = "/sys/fs/cgroup"

// cgroupName is unique to a state directory and the same at every start, so that
// the next start removes what a killed sandbox left.
func cgroupName(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return "slipway-" + hex.EncodeToString(sum[:5])
}

// prepareCgroup returns the cgroup of the containers, from the root of every
// hierarchy, or why there can be no limits.
func prepareCgroup(dir string, rootless bool) (string, error) {
	name := cgroupName(dir)
	unified := exists(filepath.Join(cgroupRoot, "cgroup.controllers"))
	if rootless {
		if !unified {
			return "", errNoV1
		}
		return delegationOf(dir).prepare()
	}
	if err := removeCgroups(cgroupRoot, "/"+name); err != nil {
		return "", err
	}
	trees := []string{filepath.Join(cgroupRoot, "memory"), filepath.Join(cgroupRoot, "cpu")}
	if unified {
		trees = []string{cgroupRoot}
	}
	for _, t := range trees {
		if err := os.Mkdir(filepath.Join(t, name), 0o755); err != nil {
			return "", fmt.Errorf("cgroups cannot be made: %w", err)
		}
	}
	return "/" + name, nil
}

// limitsPossible says why there can be no limits; it changes nothing.
func limitsPossible(rootless bool) error {
	unified := exists(filepath.Join(cgroupRoot, "cgroup.controllers"))
	switch {
	case rootless && !unified:
		return errNoV1
	case rootless:
		_, err := ownCgroup(cgroupRoot, "/proc/self/cgroup", "")
		return err
	case unified:
		return unix.Access(cgroupRoot, unix.W_OK)
	default:
		return errors.Join(
			unix.Access(filepath.Join(cgroupRoot, "memory"), unix.W_OK),
			unix.Access(filepath.Join(cgroupRoot, "cpu"), unix.W_OK))
	}
}

var (
	errNoV1         = errors.New("cgroup v1 gives ordinary users no limits")
	errNotDelegated = errors.New("no cgroup is delegated to this user (systemd-run --user --scope -p Delegate=yes slipway engine start gives one)")
)

// releaseCgroup removes the cgroups of a sandbox whose processes have gone.
func releaseCgroup(parent, dir string, rootless bool) error {
	if parent == "" {
		return nil
	}
	err := removeCgroups(cgroupRoot, parent)
	if rootless {
		err = errors.Join(err, delegationOf(dir).release(parent))
	}
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// removeCgroups removes a cgroup and those below it from every hierarchy under
// root. Dying processes may hold one for a moment.
func removeCgroups(root, path string) error {
	tops, err := filepath.Glob(filepath.Join(root, "*", path))
	if err != nil {
		return err
	}
	tops = append(tops, filepath.Join(root, path))
	var left error
	await(2*time.Second, func() bool {
		left = nil
		for _, top := range tops {
			left = errors.Join(left, removeCgroup(top))
		}
		return left == nil
	})
	return left
}

// removeCgroup removes folders only, innermost first: cgroup files cannot be
// removed, which is why os.RemoveAll fails here.
func removeCgroup(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeCgroup(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
