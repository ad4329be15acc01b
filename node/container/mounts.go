package container

import (
	"fmt"
	"os"
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// mounts are those of a specification and, for binds, what they show.
type mounts struct {
	list    []specs.Mount
	sources map[int]source // by position
}

// source is a tree that a child has cloned while it saw the caller's mounts.
type source struct {
	fd     uintptr
	folder bool
}

// sources clones what is to be bound: once the child is in its root, no path
// leads there, nor out of it.
func (b *birth) sources(list []specs.Mount) (mounts, error) {
	m := mounts{list: list, sources: map[int]source{}}
	for i, mount := range list {
		o, err := parseOptions(mount)
		if err != nil {
			return m, err
		}
		if !o.bind {
			continue
		}
		st, err := os.Stat(mount.Source)
		if err != nil {
			return m, fmt.Errorf("mount at %s: %w", mount.Destination, err)
		}
		fd := firstFree + uintptr(len(m.sources))
		b.copyTree("mount "+mount.Source, mount.Source, o)
		m.sources[i] = source{fd, st.IsDir()}
	}
	return m, nil
}

// copyTree opens a copy of a mount, which takes the lowest free descriptor.
func (c *calls) copyTree(what, from string, o options) {
	flags := uintptr(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if o.recursive {
		flags |= unix.AT_RECURSIVE
	}
	c.do(what, unix.SYS_OPEN_TREE, here, c.text(from), flags)
}

// mountAll mounts in order, below the container's root.
func (b *birth) mountAll(m mounts) {
	for i, mount := range m.list {
		o, _ := parseOptions(mount) // sources has looked
		target := path.Join("/", mount.Destination)
		what := "mount " + mount.Type + " at " + target
		s, bind := m.sources[i]
		if !bind {
			b.folders(target)
			b.mount(what, mount.Source, target, mount.Type, o.flags, strings.Join(o.data, ","))
			continue
		}
		if s.folder {
			b.folders(target)
		} else {
			b.file(target)
		}
		attr := unix.MountAttr{Attr_set: o.attributes(), Propagation: unix.MS_PRIVATE}
		b.attribute(what, s.fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, attr)
		b.do(what, unix.SYS_MOVE_MOUNT, s.fd, b.text(""), here, b.text(target), unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_SYMLINKS)
	}
}

// options are a mount's, understood.
type options struct {
	bind, recursive bool
	flags           uintptr // of mount(2)
	data            []string
}

// flagOptions are those that mount(8) and a task definition's tmpfs know.
var flagOptions = map[string]uintptr{
	"defaults": 0, "rw": 0, "suid": 0, "dev": 0, "exec": 0, "async": 0, "atime": 0, "diratime": 0, "nomand": 0, "norelatime": 0, "nostrictatime": 0,
	"ro": unix.MS_RDONLY, "nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC, "sync": unix.MS_SYNCHRONOUS,
	"dirsync": unix.MS_DIRSYNC, "noatime": unix.MS_NOATIME, "nodiratime": unix.MS_NODIRATIME, "relatime": unix.MS_RELATIME, "strictatime": unix.MS_STRICTATIME,
	// A container's mounts are private; nothing propagates that nobody mounts.
	"private": 0, "rprivate": 0, "slave": 0, "rslave": 0,
}

// parseOptions understands a mount's options.
func parseOptions(m specs.Mount) (o options, err error) {
	o.bind = m.Type == "bind"
	if m.Type == "cgroup" || len(m.UIDMappings) > 0 || len(m.GIDMappings) > 0 {
		return o, fmt.Errorf("mount of %s at %s: %w", m.Type, m.Destination, ErrUnsupported)
	}
	for _, name := range m.Options {
		flag, known := flagOptions[name]
		switch {
		case known:
			o.flags |= flag
		case name == "bind" || name == "rbind":
			o.bind, o.recursive = true, o.recursive || name == "rbind"
		case name == "newinstance" || strings.Contains(name, "="):
			o.data = append(o.data, name)
		default:
			return o, fmt.Errorf("mount option %s at %s: %w", name, m.Destination, ErrUnsupported)
		}
	}
	if m.Type != "devpts" && m.Destination != "/dev" { // those have devices, but nobody can make any
		o.flags |= unix.MS_NODEV
	}
	return o, nil
}

// attributes are the flags as mount_setattr(2) takes them.
func (o options) attributes() (attr uint64) {
	for flag, a := range map[uintptr]uint64{
		unix.MS_RDONLY: unix.MOUNT_ATTR_RDONLY, unix.MS_NOSUID: unix.MOUNT_ATTR_NOSUID,
		unix.MS_NODEV: unix.MOUNT_ATTR_NODEV, unix.MS_NOEXEC: unix.MOUNT_ATTR_NOEXEC,
	} {
		if o.flags&flag != 0 {
			attr |= a
		}
	}
	return attr
}
