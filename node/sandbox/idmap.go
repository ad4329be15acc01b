package sandbox

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// idTools map ids of the sandbox to the user's own and subordinate ones.
var idTools = []struct {
	tool, file string
	self       func() int
}{
	{"newuidmap", "/etc/subuid", os.Getuid},
	{"newgidmap", "/etc/subgid", os.Getgid},
}

// mapIDs maps 0 to the user and 1..n to the user's subordinate ids.
func mapIDs(pid int) error {
	for _, m := range idTools {
		tool, err := findTool(m.tool)
		if err != nil {
			return err
		}
		start, count, err := subordinate(m.file)
		if err != nil {
			return err
		}
		args := []string{strconv.Itoa(pid), "0", strconv.Itoa(m.self()), "1", "1", strconv.Itoa(start), strconv.Itoa(count)}
		if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", m.tool, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// subordinate reads the user's range from /etc/subuid or /etc/subgid.
func subordinate(file string) (start, count int, err error) {
	id := strconv.Itoa(os.Getuid())
	name := id
	if u, err := user.LookupId(id); err == nil { // a user without a name may have a range by number
		name = u.Username
	}
	f, err := os.Open(file)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	start, count, ok := parseSubordinate(f, name, id)
	if !ok {
		return 0, 0, fmt.Errorf("%s has no range for %s", file, name)
	}
	return start, count, nil
}

// parseSubordinate finds the largest range of a user (subuid(5)).
func parseSubordinate(r io.Reader, name, id string) (start, count int, ok bool) {
	for sc := bufio.NewScanner(r); sc.Scan(); {
		f := strings.Split(strings.TrimSpace(sc.Text()), ":")
		if len(f) != 3 || f[0] != name && f[0] != id {
			continue
		}
		s, err1 := strconv.Atoi(f[1])
		n, err2 := strconv.Atoi(f[2])
		if err1 == nil && err2 == nil && s > 0 && n > count {
			start, count, ok = s, n, true
		}
	}
	return start, count, ok
}

// findTool finds a program in PATH or where distributions put administrators'
// programs, which PATH often lacks for ordinary users.
func findTool(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return filepath.Abs(path)
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed", name)
}
