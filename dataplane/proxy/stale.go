package proxy

import (
	"net"
	"syscall"
)

// isStale reports whether the peer of an idle connection has closed it, or
// sent what nobody asked for: both end its use. Connections without a file
// descriptor are taken to be fine.
func isStale(nc net.Conn) bool {
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok { // under TLS
		nc = t.NetConn()
	}
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	bad := false
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		bad = err != syscall.EAGAIN
		return true
	})
	return bad || err != nil
}
