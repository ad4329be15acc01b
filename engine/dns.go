package engine

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/slipway-dev/slipway/dataplane/dns"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/vpc"
	"github.com/slipway-dev/slipway/service/ec2"
	"github.com/slipway-dev/slipway/service/ecs"
	"github.com/slipway-dev/slipway/service/elbv2"
	"github.com/slipway-dev/slipway/service/servicediscovery"
)

// balancerTTL is what Route 53 gives the names of load balancers.
const balancerTTL = time.Minute

// hostResolver names the host's resolver to dns; the sandbox's parent knows
// where that is.
const hostResolver = "host"

// newResolver makes the DNS server of every VPC.
func (e *Engine) newResolver() *dns.Server {
	return dns.New(dns.Config{
		Lookup: func(vpcID, name string) ([]dns.Record, bool) { return lookup(e.store.Snapshot(), vpcID, name) },
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return e.host.Resolver(ctx, network)
		},
		Upstreams: []string{hostResolver},
		Log:       e.log,
	})
}

// lookup answers a name as a VPC sees it: Cloud Map first, then endpoints and
// interfaces, then load balancers.
func lookup(r store.Reader, vpcID, name string) (records []dns.Record, owned bool) {
	for _, resolve := range []func(store.Reader, string, string) ([]netip.Addr, time.Duration, bool){
		servicediscovery.Resolve, ec2.Resolve, balancer,
	} {
		ips, ttl, ok := resolve(r, vpcID, name)
		for _, ip := range ips {
			records = append(records, dns.Record{Addr: ip, TTL: ttl})
		}
		owned = owned || ok
		if len(records) > 0 {
			break
		}
	}
	targets, ttl, ok := servicediscovery.ResolveSRV(r, vpcID, name)
	for _, t := range targets {
		records = append(records, dns.Record{Service: &dns.Service{Priority: 1, Weight: 1, Port: t.Port, Target: t.Name}, TTL: ttl})
	}
	if alias, ttl, _ := servicediscovery.ResolveAlias(r, vpcID, name); alias != "" {
		records = append(records, dns.Record{Alias: alias, TTL: ttl})
	}
	return records, owned || ok
}

// balancer answers the names of load balancers in the VPC with their nodes.
func balancer(r store.Reader, vpcID, name string) (ips []netip.Addr, ttl time.Duration, ok bool) {
	for b := range elbv2.LoadBalancers.List(r, "") {
		if b.VPC != vpcID || b.Host() != name {
			continue
		}
		for _, n := range b.Nodes {
			if ecs.ZoneLost(r, n.Zone) {
				continue
			}
			if ip, err := netip.ParseAddr(n.IP); err == nil {
				ips = append(ips, ip)
			}
		}
		return ips, balancerTTL, true
	}
	return nil, 0, false
}

// serveVPC serves names in a VPC as long as it lives: at its second address
// and at the address that every VPC has.
func (e *Engine) serveVPC(ctx context.Context, c vpc.Config) {
	for _, at := range []netip.Addr{c.DNSAddr(), vpc.Resolver} {
		if !c.DNS {
			return
		}
		addr := netip.AddrPortFrom(at, 53).String()
		packets, err := e.node.network.ListenPacket(ctx, c.ID, "udp", addr)
		if err != nil {
			e.log.Error("serve names", "vpc", c.ID, "addr", addr, "err", err)
			continue
		}
		streams, err := e.node.network.Listen(ctx, c.ID, "tcp", addr)
		if err != nil {
			packets.Close()
			e.log.Error("serve names", "vpc", c.ID, "addr", addr, "err", err)
			continue
		}
		go func() {
			if err := e.node.resolver.Serve(ctx, c.ID, packets, streams); err != nil {
				e.log.Error("serve names", "vpc", c.ID, "addr", addr, "err", err)
			}
		}()
	}
}
