package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
	"unsafe"
)

// soOriginalDst is SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST, which are equal
// (Linux, netfilter_ipv4.h and netfilter_ipv6/ip6_tables.h).
const soOriginalDst = 80

// originalDestination is where a connection was going before a packet filter
// redirected it: the connection tracking of the kernel knows.
func originalDestination(nc net.Conn) (netip.AddrPort, error) {
	t, ok := nc.(*net.TCPConn)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("original destination of a %T: it is no TCP connection", nc)
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("original destination: %w", err)
	}
	var dst netip.AddrPort
	var failed error
	four := addrOf(nc.RemoteAddr()).Addr().Is4()
	err = raw.Control(func(fd uintptr) {
		if four {
			// A sockaddr_in has 16 bytes; this is the call that takes at least as many.
			var a *syscall.IPv6Mreq
			if a, failed = syscall.GetsockoptIPv6Mreq(int(fd), syscall.SOL_IP, soOriginalDst); failed == nil {
				port := uint16(a.Multiaddr[2])<<8 | uint16(a.Multiaddr[3])
				dst = netip.AddrPortFrom(netip.AddrFrom4([4]byte(a.Multiaddr[4:8])), port)
			}
			return
		}
		var a *syscall.IPv6MTUInfo // begins with a sockaddr_in6
		if a, failed = syscall.GetsockoptIPv6MTUInfo(int(fd), syscall.SOL_IPV6, soOriginalDst); failed == nil {
			port := (*[2]byte)(unsafe.Pointer(&a.Addr.Port))
			dst = netip.AddrPortFrom(netip.AddrFrom16(a.Addr.Addr).Unmap(), uint16(port[0])<<8|uint16(port[1]))
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return netip.AddrPort{}, fmt.Errorf("original destination: %w", err)
	}
	return dst, nil
}

// addrOf is an address of a TCP connection, the zero value for any other.
func addrOf(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// helloWait is how long a client may be silent where its first byte decides
// about TLS. One that waits for the server to speak first does not speak TLS.
const helloWait = 5 * time.Second

// startsTLS looks at the first byte of a connection without taking it and
// reports whether it begins a handshake (RFC 8446, 5.1: content type 22). A
// connection that cannot be looked at is replaced by one that gives its first
// byte back.
func startsTLS(nc net.Conn) (net.Conn, bool) {
	var first [1]byte
	_ = nc.SetReadDeadline(time.Now().Add(helloWait))
	defer func() { _ = nc.SetReadDeadline(time.Time{}) }()
	raw := rawOf(nc)
	if raw == nil {
		if n, _ := nc.Read(first[:]); n == 0 {
			return nc, false
		}
		return &prefixed{Conn: nc, first: first[:]}, first[0] == 22
	}
	n := 0
	_ = raw.Read(func(fd uintptr) bool {
		for {
			var err error
			if n, _, err = syscall.Recvfrom(int(fd), first[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT); err != syscall.EINTR { //nolint:errorlint // a bare errno
				return err != syscall.EAGAIN //nolint:errorlint // likewise
			}
		}
	})
	return nc, n == 1 && first[0] == 22
}

// prefixed is a connection of which the first bytes have been read.
type prefixed struct {
	net.Conn
	first []byte
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.first) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.first)
	p.first = p.first[n:]
	return n, nil
}
