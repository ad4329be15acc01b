package runc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// maxAccounts bounds how much of an image's passwd and group is read.
const maxAccounts = 4 << 20

// lookUpUser resolves user[:group] in the image's own /etc/passwd and
// /etc/group, as Docker does: numbers need no entry; a user known by name
// brings its group and the groups that list it; "" is root. home is "/" for
// who has no entry.
func lookUpUser(root, spec string) (u specs.User, home string, err error) {
	if spec == "" {
		spec = "0"
	}
	userName, groupName, hasGroup := strings.Cut(spec, ":")
	passwd, err := accounts(root, "etc/passwd", 4)
	if err != nil {
		return u, "", err
	}
	groups, err := accounts(root, "etc/group", 3)
	if err != nil {
		return u, "", err
	}
	home = "/"
	name := userName
	entry := find(passwd, userName, 2)
	switch {
	case entry != nil:
		name = entry[0]
		if len(entry) > 5 && entry[5] != "" {
			home = entry[5]
		}
		if u.UID, err = id(entry[2]); err != nil {
			return u, "", fmt.Errorf("user %s in /etc/passwd: %w", name, err)
		}
		if u.GID, err = id(entry[3]); err != nil {
			return u, "", fmt.Errorf("user %s in /etc/passwd: %w", name, err)
		}
	default:
		if u.UID, err = id(userName); err != nil {
			return u, "", fmt.Errorf("unable to find user %s: no matching entries in passwd file", userName)
		}
	}
	if hasGroup {
		if g := find(groups, groupName, 2); g != nil {
			groupName = g[2]
		}
		if u.GID, err = id(groupName); err != nil {
			return u, "", fmt.Errorf("unable to find group %s: no matching entries in group file", groupName)
		}
		return u, home, nil
	}
	for _, g := range groups {
		if len(g) > 3 && slices.Contains(strings.Split(g[3], ","), name) {
			if gid, err := id(g[2]); err == nil && gid != u.GID {
				u.AdditionalGids = append(u.AdditionalGids, gid)
			}
		}
	}
	return u, home, nil
}

// find returns the entry with this name, or else with this number.
func find(entries [][]string, key string, number int) []string {
	for _, e := range entries {
		if e[0] == key {
			return e
		}
	}
	if _, err := id(key); err != nil {
		return nil
	}
	for _, e := range entries {
		if e[number] == key {
			return e
		}
	}
	return nil
}

func id(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%q is not an id", s)
	}
	return uint32(n), nil
}

// accounts reads a colon-separated file of the image; lines with fewer fields
// are left out, and an image without the file has none. Symbolic links lead
// nowhere but into the image.
func accounts(root, path string, fields int) ([][]string, error) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open root file system: %w", err)
	}
	defer unix.Close(dir)
	fd, err := unix.Openat2(dir, path, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open /%s of the image: %w", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, err
	}
	return parseAccounts(io.LimitReader(f, maxAccounts), fields)
}

func parseAccounts(r io.Reader, fields int) ([][]string, error) {
	var out [][]string
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxAccounts)
	for lines.Scan() {
		if f := strings.Split(strings.TrimSpace(lines.Text()), ":"); len(f) >= fields && f[0] != "" {
			out = append(out, f)
		}
	}
	return out, lines.Err()
}
