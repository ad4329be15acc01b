package dns

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	mdns "github.com/miekg/dns"
)

// upstreamTimeout bounds one question to one resolver by one protocol.
const upstreamTimeout = 2 * time.Second

// forward asks the upstream resolvers in order, by UDP and, when the answer is
// cut or UDP does not get through, by TCP.
func (s *Server) forward(ctx context.Context, q *mdns.Msg) (*mdns.Msg, error) {
	if s.cfg.Dial == nil || len(s.cfg.Upstreams) == 0 {
		return nil, errors.New("no resolver to forward to")
	}
	select {
	case s.forwards <- struct{}{}:
		defer func() { <-s.forwards }()
	default:
		return nil, errors.New("too many questions are being forwarded")
	}
	ask := new(mdns.Msg)
	ask.SetQuestion(q.Question[0].Name, q.Question[0].Qtype) // an id of its own
	ask.SetEdns0(maxUDPSize, false)
	var errs []error
	for _, addr := range s.cfg.Upstreams {
		for _, network := range []string{"udp", "tcp"} {
			out, err := s.exchange(ctx, network, addr, ask)
			switch {
			case err != nil:
				errs = append(errs, fmt.Errorf("ask %s by %s: %w", addr, network, err))
			case network == "tcp" || !out.Truncated:
				return out, nil
			}
		}
	}
	return nil, errors.Join(errs...)
}

func (s *Server) exchange(ctx context.Context, network, addr string, q *mdns.Msg) (*mdns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	c, err := s.cfg.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	conn := &mdns.Conn{Conn: datagram(network, c), UDPSize: maxUDPSize}
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	if err := conn.WriteMsg(q); err != nil {
		return nil, err
	}
	for {
		out, err := conn.ReadMsg()
		if err != nil {
			return nil, err
		}
		// An answer to another question is somebody else's, or forged.
		if out.Id == q.Id && len(out.Question) == 1 && out.Question[0].Qtype == q.Question[0].Qtype && strings.EqualFold(out.Question[0].Name, q.Question[0].Name) {
			out.Extra = nil
			return out, nil
		}
	}
}

// packets is a connection on which one read is one message: miekg/dns tells
// UDP from TCP by the type of the connection, which may be a wrapper's.
type packets struct{ net.Conn }

func (packets) ReadFrom([]byte) (int, net.Addr, error) { return 0, nil, net.ErrClosed }
func (packets) WriteTo([]byte, net.Addr) (int, error)  { return 0, net.ErrClosed }

func datagram(network string, c net.Conn) net.Conn {
	if _, ok := c.(net.PacketConn); ok || network != "udp" {
		return c
	}
	return packets{c}
}

// Upstreams reads the IPv4 resolvers of a resolv.conf. Addresses of this host
// itself (127.0.0.0/8) are left out: egress does not lead there.
func Upstreams(resolvConf io.Reader) []string {
	var out []string
	lines := bufio.NewScanner(resolvConf)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if ip, err := netip.ParseAddr(f[1]); err == nil && ip.Is4() && !ip.IsLoopback() {
			out = append(out, netip.AddrPortFrom(ip, 53).String())
		}
	}
	return out
}
