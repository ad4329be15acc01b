package container

import (
	"path"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call is one system call of a child.
type call struct {
	number uintptr
	args   [6]uintptr
	may    bool // fail
}

// calls are what a child does from its birth to its program.
type calls struct {
	list  []call
	names []string // what each is for, for errors
	keep  []any    // what arguments point to
}

// do adds a call that must succeed. what completes "cannot ...".
func (c *calls) do(what string, number uintptr, args ...uintptr) { c.add(what, false, number, args) }

// try adds a call whose failure does not matter.
func (c *calls) try(number uintptr, args ...uintptr) { c.add("", true, number, args) }

func (c *calls) add(what string, may bool, number uintptr, args []uintptr) {
	call := call{number: number, may: may}
	copy(call.args[:], args)
	c.list = append(c.list, call)
	c.names = append(c.names, what)
}

// text is a C string that lives as long as the calls.
func (c *calls) text(s string) uintptr {
	b := append([]byte(s), 0)
	return pin(c, &b[0])
}

// pin keeps what an argument points to; the heap does not move.
func pin[T any](c *calls, p *T) uintptr {
	c.keep = append(c.keep, p)
	return uintptr(unsafe.Pointer(p))
}

// here is AT_FDCWD as an argument.
var here = func() uintptr { n := unix.AT_FDCWD; return uintptr(n) }()

// mount adds a mount(2); source, kind and data may be empty.
func (c *calls) mount(what, source, target, kind string, flags uintptr, data string) {
	args := []uintptr{0, c.text(target), 0, flags, 0}
	for i, s := range map[int]string{0: source, 2: kind, 4: data} {
		if s != "" {
			args[i] = c.text(s)
		}
	}
	c.do(what, unix.SYS_MOUNT, args...)
}

// folders makes a directory and those above it.
func (c *calls) folders(dir string) {
	if dir = path.Clean(dir); dir == "/" || dir == "." {
		return
	}
	c.folders(path.Dir(dir))
	c.try(unix.SYS_MKDIRAT, here, c.text(dir), 0o755)
}

// file makes an empty file to mount something on.
func (c *calls) file(name string) {
	c.folders(path.Dir(name))
	c.try(unix.SYS_MKNODAT, here, c.text(name), unix.S_IFREG|0o644, 0)
}

// write writes a short text to a file; next is the lowest descriptor that is
// free, the one it will have.
func (c *calls) write(what, file, text string, next uintptr) {
	c.do(what, unix.SYS_OPENAT, here, c.text(file), unix.O_WRONLY|unix.O_CLOEXEC)
	c.do(what, unix.SYS_WRITE, next, c.text(text), uintptr(len(text)))
	c.do(what, unix.SYS_CLOSE, next)
}

// attribute adds a mount_setattr(2).
func (c *calls) attribute(what string, fd uintptr, target string, flags uintptr, attr unix.MountAttr) {
	c.do(what, unix.SYS_MOUNT_SETATTR, fd, c.text(target), flags, pin(c, &attr), unsafe.Sizeof(attr))
}

// cloneArgs is struct clone_args of clone3(2).
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}

// report is what a child says when a call fails.
type report struct {
	index uint32
	errno uint32
}

// reportFD is the descriptor of the pipe for it; the program's exec closes it.
const reportFD = 3

// child runs in the new process: nothing but the calls. It returns only in
// the parent, or when there is no child.
//
//go:norace
//go:nosplit
func child(args *cloneArgs, list []call, r *report) (pid uintptr, errno syscall.Errno) {
	if args.flags&unix.CLONE_INTO_CGROUP != 0 {
		pid, _, errno = syscall.RawSyscall6(unix.SYS_CLONE3, uintptr(unsafe.Pointer(args)), unsafe.Sizeof(*args), 0, 0, 0, 0)
	} else {
		pid, _, errno = syscall.RawSyscall6(unix.SYS_CLONE, uintptr(args.flags|args.exitSignal), 0, 0, 0, 0, 0)
	}
	if errno != 0 || pid != 0 {
		return pid, errno
	}
	for i := range list {
		c := &list[i]
		_, _, e := syscall.RawSyscall6(c.number, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], c.args[5])
		if e != 0 && !c.may {
			r.index, r.errno = uint32(i), uint32(e)
			break
		}
	}
	_, _, _ = syscall.RawSyscall6(unix.SYS_WRITE, reportFD, uintptr(unsafe.Pointer(r)), unsafe.Sizeof(*r), 0, 0, 0)
	for {
		_, _, _ = syscall.RawSyscall6(unix.SYS_EXIT_GROUP, 127, 0, 0, 0, 0, 0)
	}
}
