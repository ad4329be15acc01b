package container

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// device is a node that every container has (config-linux.md, "Default
// Devices", in the runtime specification).
type device struct {
	name         string
	major, minor uint32
}

var defaultDevices = []device{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}}

// deviceLinks are links that every container has.
var deviceLinks = [][2]string{
	{"/proc/self/fd", "/dev/fd"},
	{"/proc/self/fd/0", "/dev/stdin"},
	{"/proc/self/fd/1", "/dev/stdout"},
	{"/proc/self/fd/2", "/dev/stderr"},
	{"pts/ptmx", "/dev/ptmx"},
}

// hostDevices clones the machine's devices when the caller is root in a user
// namespace only, where none can be made. They take the descriptors after the
// mounts' sources.
func (b *birth) hostDevices() {
	if privileged() {
		return
	}
	for _, d := range defaultDevices {
		b.copyTree("bind device "+d.name, "/dev/"+d.name, options{})
	}
}

// privileged reports whether this process is root of the machine's first user
// namespace: its map covers all ids (user_namespaces(7)).
func privileged() bool {
	b, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && wholeMap(string(b))
}

// makeDevices fills /dev. Each device is a mount of its own, so that /dev, in
// which a container with CAP_MKNOD makes what it likes, can forbid their use.
func (b *birth) makeDevices(free uintptr) {
	root := privileged()
	for i, d := range defaultDevices {
		name := "/dev/" + d.name
		what := "make device " + name
		fd := free
		if root {
			b.do(what, unix.SYS_MKNODAT, here, b.text(name), unix.S_IFCHR|0o666, uintptr(unix.Mkdev(d.major, d.minor)))
			b.do(what, unix.SYS_FCHMODAT, here, b.text(name), 0o666) // whatever the umask is
			b.copyTree(what, name, options{})
		} else {
			fd += uintptr(i)
			b.file(name)
		}
		b.do(what, unix.SYS_MOVE_MOUNT, fd, b.text(""), here, b.text(name), unix.MOVE_MOUNT_F_EMPTY_PATH)
		if root {
			b.do(what, unix.SYS_CLOSE, fd)
		}
	}
	for _, l := range deviceLinks {
		b.try(unix.SYS_SYMLINKAT, b.text(l[0]), here, b.text(l[1]))
	}
	b.attribute("forbid devices", here, "/dev", 0, unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NODEV})
}

// wholeMap reads a uid_map: does it give every id to itself?
func wholeMap(text string) bool {
	f := strings.Fields(text)
	return len(f) == 3 && f[0] == "0" && f[1] == "0" && f[2] == "4294967295"
}
