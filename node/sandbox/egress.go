package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// serve answers init's requests for things of the host.
func (p *parent) serve() handler {
	return serveOps(map[string]handler{
		opListen: op(func(ctx context.Context, addr string) (any, int, error) {
			return hostListen(ctx, addr)
		}),
		opDial: op(func(ctx context.Context, t target) (any, int, error) {
			fd, err := hostDial(ctx, t, p.cfg.AllowHost)
			return nil, fd, err
		}),
		opResolver: op(func(ctx context.Context, t target) (any, int, error) {
			fd, err := dialResolver(ctx, t.Network, "/etc/resolv.conf")
			return nil, fd, err
		}),
	})
}

// hostListen opens a TCP listener; the string is its address.
func hostListen(ctx context.Context, addr string) (string, int, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // its accept path is slower and nobody speaks it here
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return "", noFD, err
	}
	defer l.Close() // the copy stays
	fd, err := dup(l.(*net.TCPListener))
	return l.Addr().String(), fd, err
}

// hostDial connects to one of the addresses of t that the sandbox may reach.
func hostDial(ctx context.Context, t target, allowHost bool) (int, error) {
	switch t.Network {
	case "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6":
	default:
		return noFD, &net.OpError{Op: "dial", Net: t.Network, Err: net.UnknownNetworkError(t.Network)}
	}
	host, port, err := net.SplitHostPort(t.Addr)
	if err != nil {
		return noFD, err
	}
	// Resolve first and dial addresses only: a name cannot change in between.
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip"+strings.TrimLeft(t.Network, "tcpud"), host)
	if err != nil {
		return noFD, err
	}
	var errs []error
	for _, ip := range ips {
		if !allowHost {
			if err := permitted(ip); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		fd, err := dial(ctx, t.Network, net.JoinHostPort(ip.Unmap().String(), port))
		if err == nil {
			return fd, nil
		}
		errs = append(errs, err)
	}
	return noFD, errors.Join(errs...)
}

func dial(ctx context.Context, network, addr string) (int, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return noFD, err
	}
	defer c.Close()
	return dup(c.(syscall.Conn))
}

// permitted says why an address is none the sandbox may reach.
func permitted(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	why := ""
	switch {
	case ip.IsLoopback():
		why = "a loopback address"
	case ip.IsUnspecified(), ip.Is4() && ip.As4()[0] == 0:
		why = "unspecified"
	case ip.IsLinkLocalUnicast(), ip.IsLinkLocalMulticast(), ip.IsInterfaceLocalMulticast():
		why = "link-local"
	case ip.IsMulticast(), ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		why = "a group of hosts"
	default:
		own, err := net.InterfaceAddrs() // now: machines change networks
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrRefused, ip, err)
		}
		for _, a := range own {
			if n, ok := a.(*net.IPNet); ok {
				if o, ok := netip.AddrFromSlice(n.IP); ok && o.Unmap() == ip {
					why = "an address of the host itself"
				}
			}
		}
	}
	if why == "" {
		return nil
	}
	return fmt.Errorf("%w: %s is %s", ErrRefused, ip, why)
}

// dialResolver connects to the first name server that takes a connection.
func dialResolver(ctx context.Context, network, file string) (int, error) {
	if network != "udp" && network != "tcp" {
		return noFD, &net.OpError{Op: "dial", Net: network, Err: net.UnknownNetworkError(network)}
	}
	f, err := os.Open(file)
	if err != nil {
		return noFD, err
	}
	defer f.Close()
	errs := []error{fmt.Errorf("no usable name server in %s", file)}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		w := strings.Fields(sc.Text())
		if len(w) < 2 || w[0] != "nameserver" {
			continue
		}
		fd, err := dial(ctx, network, net.JoinHostPort(w[1], "53"))
		if err == nil {
			return fd, nil
		}
		errs = append(errs, err)
	}
	return noFD, errors.Join(errs...)
}

// dup copies the descriptor of a socket without touching its O_NONBLOCK.
func dup(c syscall.Conn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return noFD, err
	}
	copied := noFD
	cerr := raw.Control(func(fd uintptr) { copied, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(cerr, err); err != nil {
		return noFD, err
	}
	return copied, nil
}
