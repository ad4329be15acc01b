package container

import (
	"fmt"
	"runtime"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Join runs one more process in the container, whose first process is behind
// pidfd. With a terminal, it gets one of the container's, whose other end is
// sent over socket (SCM_RIGHTS, one byte beside it), and stdio is not used.
// Capabilities, limits and filter are the container's. Otherwise as Start.
func (c *Container) Join(pidfd int, p *specs.Process, stdio [3]int, socket int) (pid int, err error) {
	oci := c.oci
	p.Capabilities, p.Rlimits, p.NoNewPrivileges = oci.Process.Capabilities, oci.Process.Rlimits, oci.Process.NoNewPrivileges
	given := []int{pidfd}
	if p.Terminal {
		given = append(given, socket)
	}
	b, err := newBirth(stdio, given...)
	if err != nil {
		return 0, err
	}
	free := uintptr(firstFree + len(given))
	if err := b.join(c.cgroups, free); err != nil {
		b.close()
		return 0, err
	}
	const all = unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNET
	b.do("enter the container", unix.SYS_SETNS, firstFree, all)
	b.do("close", unix.SYS_CLOSE, firstFree)
	if p.Terminal {
		b.terminal(p, firstFree+1)
	}
	if err := b.become(p, c.filter); err != nil {
		b.close()
		return 0, err
	}
	pid, err = b.forkInto(pidfd)
	return pid, explain(err, p)
}

// forkInto forks with the child in the pid namespace of pidfd's process. Only
// the children of a thread can be there, so a thread is given up for it.
func (b *birth) forkInto(pidfd int) (pid int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with us
		if err = unix.Setns(pidfd, unix.CLONE_NEWPID); err != nil {
			b.close()
			err = fmt.Errorf("enter pid namespace: %w", err)
			return
		}
		pid, err = b.fork()
	}()
	<-done
	return pid, err
}

// terminal opens one in the container and sends its other end over the
// socket. It leaves no descriptor but the process's three.
func (b *birth) terminal(p *specs.Process, socket uintptr) {
	const what = "open terminal"
	const master, slave = firstFree, firstFree + 2 // the lowest that are free, with the socket between them
	b.do(what, unix.SYS_OPENAT, here, b.text("/dev/pts/ptmx"), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	b.do(what, unix.SYS_IOCTL, master, unix.TIOCSPTLCK, pin(&b.calls, new(int32)))
	if size := p.ConsoleSize; size != nil {
		b.do(what, unix.SYS_IOCTL, master, unix.TIOCSWINSZ, pin(&b.calls, &unix.Winsize{Row: uint16(size.Height), Col: uint16(size.Width)}))
	}
	b.do(what, unix.SYS_IOCTL, master, unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	b.do(what, unix.SYS_FCHOWN, slave, uintptr(p.User.UID), ^uintptr(0)>>32)
	rights, data := unix.UnixRights(master), new(byte)
	message := unix.Msghdr{Iov: &unix.Iovec{Base: data, Len: 1}, Iovlen: 1, Control: &rights[0]}
	message.SetControllen(len(rights))
	b.do(what, unix.SYS_SENDMSG, socket, pin(&b.calls, &message), 0)
	b.do(what, unix.SYS_IOCTL, slave, unix.TIOCSCTTY, 0)
	for fd := range uintptr(3) {
		b.do(what, unix.SYS_DUP3, slave, fd, 0)
	}
	for _, fd := range []uintptr{master, socket, slave} {
		b.do(what, unix.SYS_CLOSE, fd)
	}
}
