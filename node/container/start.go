package container

import (
	"errors"
	"fmt"
	"os"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// ErrUnsupported marks what this package does not do: the kernel is too old or
// the specification asks for more. The runc command may.
var ErrUnsupported = errors.New("not supported without runc")

// Supported reports whether the kernel can do all that Start and Join need:
// mount_setattr(2) is the newest of it (Linux 5.12).
func Supported() bool {
	err := unix.MountSetattr(-1, "", unix.AT_EMPTY_PATH, &unix.MountAttr{})
	return errors.Is(err, unix.EBADF) || err == nil
}

// Start runs the container's first process. stdio are its three descriptors.
// It returns when the program runs. The process, also one that failed, is the
// caller's to reap; pid is 0 when there was none. Errors: *Error, ErrUnsupported.
func (c *Container) Start(stdio [3]int) (pid int, err error) {
	oci := c.oci
	flags, netns, err := namespaces(oci.Linux.Namespaces)
	if err != nil {
		return 0, err
	}
	b, err := newBirth(stdio)
	if err != nil {
		return 0, err
	}
	b.clone.flags = flags
	if err := b.join(c.cgroups, firstFree); err != nil {
		b.close()
		return 0, err
	}
	b.network(netns)
	if oci.Hostname != "" {
		b.do("set host name", unix.SYS_SETHOSTNAME, b.text(oci.Hostname), uintptr(len(oci.Hostname)))
	}
	for name, value := range oci.Linux.Sysctl {
		b.write("set sysctl "+name, "/proc/sys/"+strings.ReplaceAll(name, ".", "/"), value, firstFree)
	}
	err = b.world(oci, c.root)
	if err == nil {
		err = b.become(oci.Process, c.filter)
	}
	if err != nil {
		b.close()
		return 0, err
	}
	pid, err = b.fork()
	return pid, explain(err, oci.Process)
}

// namespaces are the new ones as flags of clone(2), and the file of the
// network's if there is one already.
func namespaces(list []specs.LinuxNamespace) (flags uint64, netns string, err error) {
	for _, n := range list {
		flag, ok := map[specs.LinuxNamespaceType]uint64{
			specs.PIDNamespace: unix.CLONE_NEWPID, specs.MountNamespace: unix.CLONE_NEWNS, specs.IPCNamespace: unix.CLONE_NEWIPC,
			specs.UTSNamespace: unix.CLONE_NEWUTS, specs.NetworkNamespace: unix.CLONE_NEWNET,
		}[n.Type]
		switch {
		case !ok || n.Path != "" && n.Type != specs.NetworkNamespace:
			return 0, "", fmt.Errorf("namespace %s %s: %w", n.Type, n.Path, ErrUnsupported)
		case n.Path != "":
			netns = n.Path
		default:
			flags |= flag
		}
	}
	if flags&unix.CLONE_NEWNS == 0 || flags&unix.CLONE_NEWPID == 0 {
		return 0, "", fmt.Errorf("container without mount and pid namespaces: %w", ErrUnsupported)
	}
	return flags, netns, nil
}

// network enters a network namespace, or makes the loopback interface of the
// new one usable.
func (c *calls) network(netns string) {
	if netns != "" {
		c.do("open network namespace "+netns, unix.SYS_OPENAT, here, c.text(netns), unix.O_RDONLY|unix.O_CLOEXEC)
		c.do("enter network namespace "+netns, unix.SYS_SETNS, firstFree, unix.CLONE_NEWNET)
	} else {
		lo := struct {
			name  [unix.IFNAMSIZ]byte
			flags uint16
			_     [22]byte
		}{name: [unix.IFNAMSIZ]byte{'l', 'o'}, flags: unix.IFF_UP}
		c.do("open a socket", unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		c.do("loopback up", unix.SYS_IOCTL, firstFree, unix.SIOCSIFFLAGS, pin(c, &lo))
	}
	c.do("close", unix.SYS_CLOSE, firstFree)
}

// world gives the child the container's file systems.
func (b *birth) world(oci *specs.Spec, root string) error {
	b.mount("leave the mounts of others alone", "", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	mounts, err := b.sources(oci.Mounts)
	if err != nil {
		return err
	}
	b.hostDevices()
	b.do("enter root file system", unix.SYS_CHDIR, b.text(root))
	b.do("enter root file system", unix.SYS_PIVOT_ROOT, b.text("."), b.text("."))
	b.do("enter root file system", unix.SYS_CHDIR, b.text("/"))
	b.attribute("forbid devices", here, "/", 0, unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NODEV})
	b.folders(oci.Process.Cwd)
	b.mountAll(mounts)
	// The old root lies over the new one, where no path leads. It stays until now
	// because a user namespace gives no /proc and /sys to who sees none.
	b.do("leave the old root", unix.SYS_UMOUNT2, b.text("/"), unix.MNT_DETACH)
	b.makeDevices(firstFree + uintptr(len(mounts.sources)))
	if oci.Root.Readonly {
		b.attribute("make the root read-only", here, "/", 0, unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	}
	for _, p := range oci.Linux.ReadonlyPaths {
		b.readOnly(p)
	}
	for _, p := range oci.Linux.MaskedPaths {
		b.mask(p)
	}
	return nil
}

// Flags of file systems that show the kernel.
const kernelFlags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// readOnly makes a part of /proc or /sys read-only. What there is of them is the same
// for every process.
func (c *calls) readOnly(p string) {
	if _, err := os.Lstat(p); err != nil {
		return
	}
	c.mount("protect "+p, p, p, "", unix.MS_BIND|unix.MS_REC, "")
	c.mount("protect "+p, "", p, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|kernelFlags, "")
}

// mask hides a part of /proc or /sys.
func (c *calls) mask(p string) {
	st, err := os.Lstat(p)
	switch {
	case err != nil:
	case st.IsDir():
		c.mount("hide "+p, "tmpfs", p, "tmpfs", unix.MS_RDONLY|kernelFlags, "size=0k")
	default:
		c.mount("hide "+p, "/dev/null", p, "", unix.MS_BIND, "")
	}
}
