// Package dns is the resolver of VPCs: what AmazonProvidedDNS is on AWS, the
// server at the second address of every VPC.
//
// Names that Config.Lookup owns are answered from its records; everything else
// is forwarded to the resolvers of the host by a dial function, since no packet
// leaves a VPC by the kernel. As on AWS it answers whatever the security groups
// and routes of the asking interface say.
//
// Invariants: one question per message; records of one name are given in
// random order; a name without records is NXDOMAIN, one without records of the
// asked type NODATA; names below localhost and of private addresses are never forwarded.
package dns

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	mdns "github.com/miekg/dns"
)

// Record is one resource record of a name. Exactly one of Addr, Alias, Text and
// Service is set.
type Record struct {
	Addr    netip.Addr // A or AAAA
	Alias   string     // CNAME; PTR for names below in-addr.arpa
	Text    string     // TXT
	Service *Service   // SRV
	TTL     time.Duration
}

// Service is the data of an SRV record.
type Service struct {
	Priority, Weight, Port uint16
	Target                 string
}

// Config says what a Server answers.
type Config struct {
	// Lookup returns all records of a name (lower case, without the final dot)
	// as seen from a VPC. owned: the name is in a zone of the platform, so that it
	// does not exist when there are no records. It must not block.
	Lookup func(vpcID, name string) (records []Record, owned bool)
	// Dial opens a connection to a resolver, "udp" or "tcp". Nil: nothing is
	// forwarded.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Upstreams are the resolvers, "192.0.2.53:53", asked in order.
	Upstreams []string
	// Forwards bounds the questions being forwarded at once, 256 by default;
	// more are answered SERVFAIL.
	Forwards int
	// Log is required.
	Log *slog.Logger
}

// Server answers questions. It may serve any number of VPCs.
type Server struct {
	cfg      Config
	forwards chan struct{}
}

// New makes a server.
func New(c Config) *Server {
	if c.Forwards == 0 {
		c.Forwards = 256
	}
	return &Server{cfg: c, forwards: make(chan struct{}, c.Forwards)}
}

// Limits of one client connection.
const (
	idleTimeout   = 10 * time.Second
	maxTCPQueries = 128
	maxUDPSize    = 1232 // larger answers may be fragmented (DNS flag day 2020)
)

// Serve answers the questions of a VPC that come in at p (UDP) and l (TCP)
// until ctx ends, and closes both. The error is nil then.
func (s *Server) Serve(ctx context.Context, vpcID string, p net.PacketConn, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	handler := mdns.HandlerFunc(func(w mdns.ResponseWriter, q *mdns.Msg) {
		if err := w.WriteMsg(s.answer(ctx, vpcID, q, w.RemoteAddr().Network())); err != nil {
			s.cfg.Log.Debug("write dns answer", "vpc", vpcID, "to", w.RemoteAddr().String(), "error", err)
		}
	})
	idle := func() time.Duration { return idleTimeout }
	servers := []*mdns.Server{
		{PacketConn: p, Handler: handler, UDPSize: maxUDPSize},
		{Listener: l, Handler: handler, IdleTimeout: idle, ReadTimeout: idleTimeout, WriteTimeout: idleTimeout, MaxTCPQueries: maxTCPQueries},
	}
	stop := context.AfterFunc(ctx, func() { p.Close(); l.Close() })
	defer stop()
	errs := make([]error, len(servers))
	var wg sync.WaitGroup
	for i, server := range servers {
		wg.Go(func() {
			errs[i] = server.ActivateAndServe()
			cancel() // one ends, both end
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
