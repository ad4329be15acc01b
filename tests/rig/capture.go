package rig

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// Segment is what one TCP packet carried.
type Segment struct {
	From, To int // ports
	Data     []byte
}

// Capture sees every packet of an interface in the network of a process,
// until Stop.
type Capture struct {
	fd   int
	stop chan struct{}
	done chan []Segment
}

// StartCapture begins to listen. Only root may.
func StartCapture(pid int, iface string) (*Capture, error) {
	c := &Capture{stop: make(chan struct{}), done: make(chan []Segment, 1)}
	err := Inside(pid, func() error {
		i, err := net.InterfaceByName(iface)
		if err != nil {
			return err
		}
		const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8
		if c.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, all); err != nil {
			return err
		}
		tick := unix.Timeval{Usec: 50_000} // how soon Stop is seen
		if err := unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tick); err != nil {
			return err
		}
		return unix.Bind(c.fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: i.Index})
	})
	if err != nil {
		return nil, fmt.Errorf("capture on %s of process %d: %w", iface, pid, err)
	}
	go c.run()
	return c, nil
}

func (c *Capture) run() {
	var all []Segment
	b := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(c.fd, b, 0)
		if err == nil {
			if s, ok := segment(b[:n]); ok {
				all = append(all, s)
			}
			continue
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			break
		}
		select {
		case <-c.stop:
			c.done <- all
			return
		default:
		}
	}
	c.done <- all
}

// segment reads an IPv4 packet with TCP and data.
func segment(b []byte) (s Segment, ok bool) {
	if len(b) < 20 || b[0]>>4 != 4 || b[9] != unix.IPPROTO_TCP {
		return s, false
	}
	head, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if total > len(b) || head+20 > total {
		return s, false
	}
	tcp := b[head:total]
	at := int(tcp[12]>>4) * 4
	if at > len(tcp) || at == len(tcp) {
		return s, false
	}
	return Segment{int(binary.BigEndian.Uint16(tcp)), int(binary.BigEndian.Uint16(tcp[2:])), append([]byte(nil), tcp[at:]...)}, true
}

// Stop ends the capture and returns what was seen.
func (c *Capture) Stop() []Segment {
	close(c.stop)
	all := <-c.done
	_ = unix.Close(c.fd)
	return all
}
