package vpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

var errRemoved = errors.New("the VPC was removed")

// apply brings the router to c. The filter is loaded before anything forwards.
func (r *router) apply(_ context.Context, c Config) error {
	r.applying.Lock()
	defer r.applying.Unlock()
	if r.ctx.Err() != nil {
		return errRemoved
	}
	if err := r.applyAddrs(c); err != nil {
		return err
	}
	if err := r.applyBlocks(c); err != nil {
		return err
	}
	if err := r.filter.load(Compile(c)); err != nil {
		return err
	}
	if err := r.detachOthers(c); err != nil {
		return err
	}
	if !r.serving {
		if err := r.serve(c); err != nil {
			return err
		}
		r.serving = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.config = c
	close(r.changed)
	r.changed = make(chan struct{})
	return nil
}

// serve starts forwarding, the egress listener, and the engine's services.
func (r *router) serve(c Config) error {
	if err := r.thread.do(func() error { return sysctl("ipv4/ip_forward", "1") }); err != nil {
		return err
	}
	if r.opt.Egress != nil {
		l, err := r.listen(r.ctx, "tcp4", netip.AddrPortFrom(gateway, egressPort).String())
		if err != nil {
			return fmt.Errorf("egress listener: %w", err)
		}
		go r.serveEgress(l)
	}
	if r.opt.Started != nil {
		go r.opt.Started(r.ctx, c)
	}
	return nil
}

// applyAddrs makes the addresses on lo those of the router and of the engine's
// own interfaces.
func (r *router) applyAddrs(c Config) error {
	want := map[netip.Addr]bool{gateway: true, Metadata: true, Resolver: true, c.routerAddr(): true, c.DNSAddr(): true}
	for _, i := range c.Interfaces {
		if i.Local {
			want[i.Addr] = true
		}
	}
	lo, err := r.loopback()
	if err != nil {
		return err
	}
	for a := range r.addrs {
		if want[a] {
			continue
		}
		if err := r.nl.AddrDel(lo, &netlink.Addr{IPNet: ipnet(netip.PrefixFrom(a, 32))}); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("remove address %s: %w", a, err)
		}
		delete(r.addrs, a)
	}
	for a := range want {
		if r.addrs[a] {
			continue
		}
		if err := r.nl.AddrReplace(lo, &netlink.Addr{IPNet: ipnet(netip.PrefixFrom(a, 32))}); err != nil {
			return fmt.Errorf("address %s: %w", a, err)
		}
		r.addrs[a] = true
	}
	return nil
}

// readAddrs learns what an earlier process put on lo.
func (r *router) readAddrs() error {
	lo, err := r.loopback()
	if err != nil {
		return err
	}
	addrs, err := r.nl.AddrList(lo, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range addrs {
		if ip, ok := netip.AddrFromSlice(a.IP.To4()); ok && !ip.IsLoopback() {
			r.addrs[ip] = true
		}
	}
	return nil
}

// applyBlocks answers the engine's connections to addresses of the VPC where
// nothing is attached with "host unreachable" at once.
func (r *router) applyBlocks(c Config) error {
	for _, p := range c.CIDRs {
		if r.blocks[p] {
			continue
		}
		route := &netlink.Route{Dst: ipnet(p.Masked()), Type: unix.RTN_UNREACHABLE}
		if err := r.nl.RouteReplace(route); err != nil {
			return fmt.Errorf("route for %s: %w", p, err)
		}
		r.blocks[p] = true
	}
	return nil
}

// detachOthers removes interfaces that are not part of c.
func (r *router) detachOthers(c Config) error {
	keep := make(map[string]bool, len(c.Interfaces))
	for _, i := range c.Interfaces {
		keep[i.ID] = !i.Local
	}
	var errs []error
	for _, id := range r.pins() {
		if !keep[id] {
			r.opt.Log.Info("remove interface that is not part of the vpc", "vpc", r.id, "interface", id)
			errs = append(errs, r.detach(id))
		}
	}
	return errors.Join(errs...)
}

func (r *router) loopback() (netlink.Link, error) {
	lo, err := r.nl.LinkByName("lo")
	if err != nil {
		return nil, fmt.Errorf("loopback link: %w", err)
	}
	return lo, nil
}

func ipnet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 32)}
}
