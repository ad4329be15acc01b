package vpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// egressTimeout bounds connecting to the outside.
const egressTimeout = 30 * time.Second

// serveEgress takes the connections that the packet filter lets out of the VPC.
func (r *router) serveEgress(l net.Listener) {
	stop := context.AfterFunc(r.ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors: others may give some back
			r.opt.Log.Warn("accept egress connection", "vpc", r.id, "error", err)
			select {
			case <-time.After(100 * time.Millisecond):
			case <-r.ctx.Done():
				return
			}
			continue
		}
		go r.forward(c.(*net.TCPConn))
	}
}

// forward connects c with where it wanted to go. When that cannot be reached
// the client sees its connection reset.
func (r *router) forward(c *net.TCPConn) {
	defer c.Close()
	to, err := originalDst(c)
	if err == nil {
		err = r.splice(c, to)
	}
	if err != nil {
		_ = c.SetLinger(0) // a reset, not an orderly end
		r.opt.Log.Debug("egress", "vpc", r.id, "from", c.RemoteAddr().String(), "to", to.String(), "error", err)
	}
}

func (r *router) splice(c *net.TCPConn, to netip.AddrPort) error {
	ctx, cancel := context.WithTimeout(r.ctx, egressTimeout)
	defer cancel()
	out, err := r.opt.Egress(ctx, "tcp", to.String())
	if err != nil {
		return err
	}
	defer out.Close()
	stop := context.AfterFunc(r.ctx, func() { c.Close(); out.Close() })
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { half(out, c) })
	wg.Go(func() { half(c, out) })
	wg.Wait()
	return nil
}

// half copies one direction and passes its end on; after an error both
// directions end.
func half(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if w, ok := to.(interface{ CloseWrite() error }); ok && err == nil {
		_ = w.CloseWrite() // the other side has gone already
		return
	}
	to.Close()
	from.Close()
}

// originalDst is where a redirected connection was going.
func originalDst(c *net.TCPConn) (netip.AddrPort, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, err
	}
	var a *unix.IPv6Mreq // any option of at least 16 bytes: a sockaddr_in comes back
	cerr := raw.Control(func(fd uintptr) {
		a, err = unix.GetsockoptIPv6Mreq(int(fd), unix.SOL_IP, unix.SO_ORIGINAL_DST)
	})
	if err := errors.Join(cerr, err); err != nil {
		return netip.AddrPort{}, fmt.Errorf("original destination: %w", err)
	}
	b := a.Multiaddr
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), uint16(b[2])<<8|uint16(b[3])), nil
}
