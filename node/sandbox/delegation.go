package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// delegation is the use of a cgroup v2 that belongs to an ordinary user.
type delegation struct {
	root, self, name string // hierarchy, /proc/self/cgroup, name below the own cgroup
	controllers      []string
}

func delegationOf(dir string) delegation {
	return delegation{cgroupRoot, "/proc/self/cgroup", cgroupName(dir), []string{"cpu", "memory", "pids"}}
}

// prepare uses the cgroup that this process is in, if it belongs to the user
// (systemd-run --user --scope -p Delegate=yes): the sandbox's own processes move
// to one child, because a cgroup with controllers may hold none itself, and the
// containers get another, which it returns.
func (d delegation) prepare() (string, error) {
	own, err := ownCgroup(d.root, d.self, d.name+"-host")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(d.root, own)
	if err := removeCgroups(d.root, filepath.Join(own, d.name)); err != nil {
		return "", err
	}
	host := filepath.Join(dir, d.name+"-host")
	if err := os.Mkdir(host, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	if err := enter(host); err != nil {
		return "", err
	}
	if err := d.control(dir, "+"); err != nil {
		return "", errors.Join(fmt.Errorf("%w: %w", errNotDelegated, err), enter(dir), os.Remove(host))
	}
	if err := os.Mkdir(filepath.Join(dir, d.name), 0o755); err != nil {
		return "", err
	}
	return filepath.Join(own, d.name), nil
}

// release undoes prepare; the containers' cgroups have been removed.
func (d delegation) release(parent string) error {
	own := filepath.Join(d.root, filepath.Dir(parent))
	return errors.Join(d.control(own, "-"), enter(own), os.Remove(filepath.Join(own, d.name+"-host")))
}

// control switches the controllers for the children of a cgroup on or off.
func (d delegation) control(dir, sign string) error {
	var b strings.Builder
	for _, c := range d.controllers {
		b.WriteString(sign + c + " ")
	}
	return write(filepath.Join(dir, "cgroup.subtree_control"), strings.TrimSpace(b.String()))
}

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
