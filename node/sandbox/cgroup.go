package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
		return delegated(cgroupRoot, "/proc/self/cgroup", name, []string{"cpu", "memory", "pids"})
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

// ownCgroup finds the cgroup v2 that this process is in, if the user may manage
// it. Being in its child of a killed parent counts as being in it.
func ownCgroup(root, self, child string) (string, error) {
	b, err := os.ReadFile(self)
	if err != nil {
		return "", err
	}
	own := ""
	for line := range strings.Lines(string(b)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			own = path
		}
	}
	if child != "" {
		own = strings.TrimSuffix(own, "/"+child)
	}
	for _, f := range []string{"", "cgroup.procs", "cgroup.subtree_control"} {
		if own == "" || own == "/" || unix.Access(filepath.Join(root, own, f), unix.W_OK) != nil {
			return "", errNotDelegated
		}
	}
	return own, nil
}

// delegated uses the cgroup that this process is in, if it belongs to the user
// (systemd-run --user --scope -p Delegate=yes): the sandbox's own processes move
// to one child, because a cgroup with controllers may hold none itself, and the
// containers get another.
func delegated(root, self, name string, controllers []string) (string, error) {
	own, err := ownCgroup(root, self, name+"-host")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, own)
	if err := removeCgroups(root, filepath.Join(own, name)); err != nil {
		return "", err
	}
	host := filepath.Join(dir, name+"-host")
	if err := os.Mkdir(host, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	if err := enter(host); err != nil {
		return "", err
	}
	enable := "+" + strings.Join(controllers, " +")
	if err := write(filepath.Join(dir, "cgroup.subtree_control"), enable); err != nil {
		back := enter(dir)
		return "", errors.Join(fmt.Errorf("%w: %w", errNotDelegated, err), back, os.Remove(host))
	}
	if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
		return "", err
	}
	return filepath.Join(own, name), nil
}

// releaseCgroup removes the cgroups of a sandbox whose processes have gone.
func releaseCgroup(parent, dir string, rootless bool) error {
	if parent == "" {
		return nil
	}
	err := removeCgroups(cgroupRoot, parent)
	if !rootless {
		return err
	}
	own := filepath.Join(cgroupRoot, filepath.Dir(parent))
	return errors.Join(err,
		write(filepath.Join(own, "cgroup.subtree_control"), "-cpu -memory -pids"),
		enter(own),
		os.Remove(filepath.Join(own, cgroupName(dir)+"-host")))
}

func enter(cgroup string) error {
	return write(filepath.Join(cgroup, "cgroup.procs"), "0") // 0: this process
}

// write does not create, as os.WriteFile would.
func write(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
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
