package vpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Listen listens in the VPC's router: addr is an address of a Local interface
// or of a service ("10.0.0.7:80"), network is "tcp". It waits until a Local
// interface with that address is part of an applied Config.
func (n *Network) Listen(ctx context.Context, vpcID, network, addr string) (net.Listener, error) {
	r, err := n.owner(ctx, vpcID, addr)
	if err != nil {
		return nil, fmt.Errorf("listen at %s in %s: %w", addr, vpcID, err)
	}
	return r.listen(ctx, network, addr)
}

// ListenPacket is Listen for UDP.
func (n *Network) ListenPacket(ctx context.Context, vpcID, network, addr string) (net.PacketConn, error) {
	r, err := n.owner(ctx, vpcID, addr)
	if err != nil {
		return nil, fmt.Errorf("listen at %s in %s: %w", addr, vpcID, err)
	}
	var p net.PacketConn
	err = r.do(func() (err error) {
		p, err = new(net.ListenConfig).ListenPacket(ctx, network, addr)
		return err
	})
	return p, err
}

// owner waits until the VPC's router has the address.
func (n *Network) owner(ctx context.Context, vpcID, addr string) (*router, error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	return n.await(ctx, vpcID, func(c Config) bool { return c.serves(at.Addr()) })
}

// serves tells whether the router has an address.
func (c Config) serves(a netip.Addr) bool {
	if len(c.CIDRs) == 0 {
		return false
	}
	if a == Metadata || a == Resolver || a == c.DNSAddr() {
		return true
	}
	for _, i := range c.Interfaces {
		if i.Addr == a {
			return i.Local
		}
	}
	return false
}

func (r *router) listen(ctx context.Context, network, addr string) (net.Listener, error) {
	var l net.Listener
	err := r.do(func() (err error) {
		l, err = new(net.ListenConfig).Listen(ctx, network, addr)
		return err
	})
	return l, err
}

// do runs f in the VPC's namespace, unless the router is closed.
func (r *router) do(f func() error) error {
	r.calls.RLock()
	defer r.calls.RUnlock()
	if r.ctx.Err() != nil {
		return errRemoved
	}
	return r.thread.do(f)
}

// Dialer returns a dial function for TCP and UDP inside of a VPC. With a valid
// source, the address of a Local interface, connections come from it and its
// security groups apply; otherwise they come from the router and pass.
// Addresses are numeric ("10.0.3.7:8080").
func (n *Network) Dialer(vpcID string, source netip.Addr) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := n.dial(ctx, vpcID, source, network, addr)
		if err != nil {
			return nil, &net.OpError{Op: "dial", Net: network, Addr: textAddr{network, addr}, Err: err}
		}
		return c, nil
	}
}

type textAddr struct{ network, addr string }

func (a textAddr) Network() string { return a.network }
func (a textAddr) String() string  { return a.addr }

func (n *Network) dial(ctx context.Context, vpcID string, source netip.Addr, network, addr string) (net.Conn, error) {
	to, kind, err := destination(network, addr)
	if err != nil {
		return nil, err
	}
	r, err := n.router(vpcID, false)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, errors.New("no such VPC")
	}
	var fd int
	err = r.do(func() (err error) {
		fd, err = socket(kind)
		return err
	})
	if err != nil {
		return nil, err
	}
	if source.IsValid() {
		// Without a port: it is chosen on connect, per destination.
		_ = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: source.As4()}); err != nil {
			unix.Close(fd)
			return nil, os.NewSyscallError("bind", err)
		}
	}
	return connect(ctx, fd, to)
}

// DialTask connects from inside an attached interface's namespace, so that
// "127.0.0.1:9901" is the task's own port whatever its security groups say.
// Network is "tcp" or "udp", the address numeric. An interception takes the
// connection for the application's.
func (n *Network) DialTask(ctx context.Context, vpcID, eni, network, addr string) (net.Conn, error) {
	return n.DialTaskAs(ctx, vpcID, eni, 0, network, addr)
}

// DialTaskAs does so as a user: a connection of the task's proxy, by the user
// that its interception ignores, goes out as it is.
func (n *Network) DialTaskAs(ctx context.Context, vpcID, eni string, uid int, network, addr string) (net.Conn, error) {
	c, err := n.dialInside(ctx, vpcID, eni, uid, network, addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: textAddr{network, addr}, Err: fmt.Errorf("in %s: %w", eni, err)}
	}
	return c, nil
}

func (n *Network) dialInside(ctx context.Context, vpcID, eni string, uid int, network, addr string) (net.Conn, error) {
	to, kind, err := destination(network, addr)
	if err != nil {
		return nil, err
	}
	_, ns, err := n.namespace(vpcID, eni)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	var fd int
	done := make(chan error)
	go lock(func() {
		err := joinNetns(int(ns.Fd()))
		if err == nil && uid != 0 {
			_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, uintptr(uid), 0, 0) // of this thread, which ends here; a socket is its maker's
		}
		if err == nil {
			fd, err = socket(kind)
		}
		done <- err
	})
	if err := <-done; err != nil {
		return nil, err
	}
	return connect(ctx, fd, to)
}

// destination reads where to connect, and by which kind of socket.
func destination(network, addr string) (to netip.AddrPort, kind int, err error) {
	if to, err = netip.ParseAddrPort(addr); err != nil {
		return to, 0, err
	}
	if !to.Addr().Is4() {
		return to, 0, &net.AddrError{Err: "not an IPv4 address", Addr: addr}
	}
	switch network {
	case "tcp", "tcp4":
		return to, unix.SOCK_STREAM, nil
	case "udp", "udp4":
		return to, unix.SOCK_DGRAM, nil
	}
	return to, 0, net.UnknownNetworkError(network)
}

// socket makes one in the calling thread's namespace.
func socket(kind int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	return fd, os.NewSyscallError("socket", err)
}

// connect does what net.Dialer does for a socket that exists already: the
// namespace of a socket is that of the thread that made it. It owns fd.
func connect(ctx context.Context, fd int, to netip.AddrPort) (net.Conn, error) {
	err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
	f := os.NewFile(uintptr(fd), "")
	defer f.Close() // net.FileConn duplicates
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return nil, os.NewSyscallError("connect", err)
	}
	if err != nil {
		if err := waitConnected(ctx, f); err != nil {
			return nil, err
		}
	}
	return net.FileConn(f)
}

func waitConnected(ctx context.Context, f *os.File) error {
	if t, ok := ctx.Deadline(); ok {
		_ = f.SetWriteDeadline(t)
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	err = raw.Write(func(fd uintptr) bool {
		code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = unix.Errno(code)
		}
		if err == nil {
			_, err = unix.Getpeername(int(fd))
			if errors.Is(err, unix.ENOTCONN) {
				return false // not yet: wait for it to be writable
			}
		}
		result = err
		return true
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return context.DeadlineExceeded
	case err != nil:
		return err
	}
	return os.NewSyscallError("connect", result)
}
