package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// message is one packet on a SOCK_SEQPACKET pair: JSON, with up to two
// descriptors beside it. Seq 0 marks a notification, which has no reply.
type message struct {
	Seq     uint64          `json:",omitempty"`
	Reply   bool            `json:",omitempty"`
	Op      string          `json:",omitempty"`
	Timeout time.Duration   `json:",omitempty"` // of a call, from its context
	Body    json.RawMessage `json:",omitempty"`
	Big     int             `json:",omitempty"` // size of the body in a memfd, the first descriptor
	Err     *failure        `json:",omitempty"`
}

const (
	inlineMax = 32 << 10 // longer bodies travel in a memfd: a packet has to fit the send buffer
	packetMax = inlineMax + 32<<10
	bodyMax   = 256 << 20
	noFD      = -1
)

// write sends m and, unless it is noFD, fd, which stays the caller's.
func (m message) write(c *net.UnixConn, fd int) error {
	var fds []int
	if len(m.Body) > inlineMax {
		mem, err := memfd(m.Body)
		if err != nil {
			return fmt.Errorf("message of %d bytes: %w", len(m.Body), err)
		}
		defer unix.Close(mem)
		m.Big, m.Body = len(m.Body), nil
		fds = append(fds, mem)
	}
	if fd != noFD {
		fds = append(fds, fd)
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var oob []byte
	if len(fds) > 0 {
		oob = syscall.UnixRights(fds...)
	}
	_, _, err = c.WriteMsgUnix(b, oob, nil)
	return err
}

func memfd(b []byte) (int, error) {
	fd, err := unix.MemfdCreate("slipway-message", unix.MFD_CLOEXEC)
	if err != nil {
		return noFD, err
	}
	for n := 0; n < len(b); {
		k, err := unix.Write(fd, b[n:])
		if err != nil {
			unix.Close(fd)
			return noFD, err
		}
		n += k
	}
	return fd, nil
}

var errCut = errors.New("descriptors of a message were lost: too many open files")

// read receives one packet; fd is noFD unless the sender passed one. buf must
// hold packetMax bytes. An error other than errCut means the other end has gone
// or does not speak this protocol.
func read(c *net.UnixConn, buf []byte) (m message, fd int, err error) {
	oob := make([]byte, unix.CmsgSpace(2*4))
	n, on, flags, _, err := c.ReadMsgUnix(buf, oob) // descriptors arrive close-on-exec
	if err != nil {
		return m, noFD, err
	}
	if n == 0 {
		return m, noFD, net.ErrClosed
	}
	fds := rights(oob[:on])
	m, fd, err = decode(buf[:n], fds)
	if err == nil && flags&unix.MSG_CTRUNC != 0 {
		closeFDs(fd)
		return m, noFD, errCut
	}
	return m, fd, err
}

func rights(oob []byte) (fds []int) {
	msgs, _ := syscall.ParseSocketControlMessage(oob)
	for i := range msgs {
		got, _ := syscall.ParseUnixRights(&msgs[i])
		fds = append(fds, got...)
	}
	return fds
}

// decode takes the descriptors over: those it does not return are closed.
func decode(b []byte, fds []int) (m message, fd int, err error) {
	fail := func(err error) (message, int, error) {
		closeFDs(fds...)
		return m, noFD, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return fail(fmt.Errorf("packet: %w", err))
	}
	if m.Big != 0 {
		if m.Big < 0 || m.Big > bodyMax {
			return fail(fmt.Errorf("packet announces %d bytes", m.Big))
		}
		if len(fds) == 0 {
			return m, noFD, errCut
		}
		body := make([]byte, m.Big)
		n, err := unix.Pread(fds[0], body, 0)
		if err != nil || n != m.Big {
			return fail(fmt.Errorf("body of %d bytes: got %d: %w", m.Big, n, err))
		}
		unix.Close(fds[0])
		m.Body, fds = body, fds[1:]
	}
	if len(fds) == 0 {
		return m, noFD, nil
	}
	closeFDs(fds[1:]...)
	return m, fds[0], nil
}

func closeFDs(fds ...int) {
	for _, fd := range fds {
		if fd != noFD {
			unix.Close(fd)
		}
	}
}
