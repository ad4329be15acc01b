package container

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// firstFree is the lowest descriptor that calls may take: 0 to 2 are the
// process's, 3 is the pipe for reports.
const firstFree = reportFD + 1

// Error is the system call that kept a process from its program.
type Error struct {
	Doing string
	Errno syscall.Errno
}

func (e *Error) Error() string { return e.Doing + ": " + e.Errno.Error() }

// Unwrap is the Errno.
func (e *Error) Unwrap() error { return e.Errno }

// birth is a child to come.
type birth struct {
	calls
	reports [2]int // a pipe
	moved   []int  // descriptors that the child takes over
	clone   cloneArgs
}

// newBirth begins with what every child does: it takes its three
// descriptors, drops the others, and is not to be looked into. given are more
// descriptors, which it has from firstFree on.
func newBirth(stdio [3]int, given ...int) (*birth, error) {
	b := &birth{reports: [2]int{-1, -1}, clone: cloneArgs{exitSignal: uint64(unix.SIGCHLD)}}
	if err := unix.Pipe2(b.reports[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	for i, fd := range append([]int{stdio[0], stdio[1], stdio[2], b.reports[1]}, given...) {
		// Out of the way of the numbers that they get.
		high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 64)
		if err != nil {
			b.close()
			return nil, fmt.Errorf("descriptor %d of a process: %w", i, err)
		}
		b.moved = append(b.moved, high)
		flags := uintptr(0)
		if i >= reportFD {
			flags = unix.O_CLOEXEC
		}
		b.do("take over descriptors", unix.SYS_DUP3, uintptr(high), uintptr(i), flags)
	}
	b.do("close other descriptors", unix.SYS_CLOSE_RANGE, uintptr(firstFree+len(given)), ^uintptr(0)>>33, 0)
	b.do("hide from tracers", unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	b.do("begin a session", unix.SYS_SETSID)
	return b, nil
}

func (b *birth) close() {
	for _, fd := range append(b.moved, b.reports[:]...) {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// fork makes the child and waits until its program runs or will not. The
// child, also one that failed, is the caller's to reap; pid is 0 if there was none.
func (b *birth) fork() (pid int, err error) {
	defer b.close()
	said := new(report)
	runtime.LockOSThread()
	// A signal must not meet the runtime's handlers in a child that has no runtime.
	all, old := ^uint64(0), uint64(0)
	_, _, _ = syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&old)), 8, 0, 0)
	n, errno := child(&b.clone, b.list, said)
	_, _, _ = syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&old)), 0, 8, 0, 0)
	runtime.UnlockOSThread()
	runtime.KeepAlive(b.keep)
	if errno != 0 {
		return 0, fmt.Errorf("new process: %w", errno)
	}
	unix.Close(b.moved[reportFD])
	unix.Close(b.reports[1])
	b.moved[reportFD], b.reports[1] = -1, -1
	return int(n), b.outcome()
}

// outcome reads what the child says: nothing when its program runs.
func (b *birth) outcome() error {
	var said report
	buf := unsafe.Slice((*byte)(unsafe.Pointer(&said)), unsafe.Sizeof(said))
	for {
		n, err := unix.Read(b.reports[0], buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("outcome of a new process: %w", err)
		case n == 0:
			return nil
		case n < len(buf) || int(said.index) >= len(b.names):
			return errors.New("outcome of a new process: cut short")
		}
		return &Error{Doing: b.names[said.index], Errno: syscall.Errno(said.errno)}
	}
}
