package proxy

import (
	"io"
	"net"
	"syscall"
	"unsafe"
)

// Most of a proxied request's cost is system calls. Go's net.Conn spends two
// more than needed on each: a Read tries first and finds nothing (EAGAIN),
// because the peer cannot have answered yet, and only then waits. Inside one
// call of RawConn.Read the order can be chosen: a callback that returns false
// waits for the next readiness without a read, and no readiness is lost,
// since the poller remembers one that comes while the callback runs. So the
// request to a target is written inside the callback that then waits for its
// answer, and a client connection serves request after request inside one.
//
// The calls below are for non-blocking sockets whose descriptor is pinned by
// the RawConn call they are made in; they do not tell the scheduler, as they
// never block.

func rawRecv(fd uintptr, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
	return int(n), errno
}

func rawSend(fd uintptr, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), syscall.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

// rawOf is the raw side of a TCP connection, nil for any other (TLS, pipes,
// wrappers): those use Read and Write.
func rawOf(nc net.Conn) syscall.RawConn {
	t, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// rawRead reads once into the buffer's free room. ready is false when there
// is nothing to read yet.
func (s *source) rawRead(fd uintptr, limit int) (ready bool, err error) {
	if err := s.room(limit); err != nil {
		return true, err
	}
	for {
		n, errno := rawRecv(fd, s.buf[s.w:])
		switch {
		case errno == syscall.EINTR:
			continue
		case errno == syscall.EAGAIN:
			return false, nil
		case errno != 0:
			return true, errno
		case n == 0:
			return true, io.EOF
		}
		s.drained = s.w+n < len(s.buf)
		s.w += n
		return true, nil
	}
}

// turn is one write to a target and the wait for the first bytes back, by
// way of the raw connection. The callback is made once per connection.
type turn struct {
	raw   syscall.RawConn
	step  func(fd uintptr) bool
	out   []byte
	wrote int
	sent  bool
	err   error
}

func (u *upstream) prepare(nc net.Conn) {
	t := &u.turn
	if t.raw = rawOf(nc); t.raw == nil {
		return
	}
	t.step = func(fd uintptr) bool {
		if !t.sent {
			n, errno := rawSend(fd, t.out)
			if errno == 0 {
				t.wrote = n
			}
			switch {
			case errno == syscall.EAGAIN || errno == syscall.EINTR || errno == 0 && n < len(t.out):
				return true // the rest goes the usual way
			case errno != 0:
				t.err = errno
				return true
			}
			t.sent = true
			return false
		}
		ready, err := u.src.rawRead(fd, 2*maxResponseHead)
		t.err = err
		return ready
	}
}

// roundTrip writes out and, when that went in one piece over a raw
// connection, waits for the first bytes of the answer. wrote tells whether
// all of out was written; the error of a wait comes back with wrote set.
func (u *upstream) roundTrip(out []byte, now int64, wait bool) (wrote bool, err error) {
	t := &u.turn
	if t.raw == nil || !wait {
		return u.snk.write(out, now) == nil, u.snk.err
	}
	u.src.guard(now)
	t.out, t.wrote, t.sent, t.err = out, 0, false, nil
	for {
		if err = t.raw.Read(t.step); err == nil {
			err = t.err
			break
		}
		if !t.sent || !u.src.extend(err) {
			break
		}
	}
	u.snk.sent += int64(t.wrote)
	t.out = nil
	if err == nil && !t.sent {
		return u.snk.write(out[t.wrote:], now) == nil, u.snk.err
	}
	return t.sent, err
}
