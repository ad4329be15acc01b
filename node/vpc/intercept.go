package vpc

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
)

// MeshPort is the port of Metadata at which the mesh's configuration service
// answers the tasks of a VPC.
const MeshPort = 15010

// Interception leads the TCP traffic of a task through a proxy in it, as the
// proxyConfiguration of an ECS task definition asks for (ProxyConfiguration in
// the ECS API reference; the rules are those of AWS's own network plug-in).
//
// What goes out: connections to an address that is not the task's own are
// redirected to EgressPort, unless the process has the ignored user or group,
// or the destination is an ignored port or address. What comes in: connections
// from elsewhere to one of AppPorts are redirected to IngressPort. The proxy
// learns where a connection was going by SO_ORIGINAL_DST.
//
// Nothing else is left alone by itself: names asked for by TCP and the metadata
// endpoint are redirected too unless EgressIgnoredIPs has them. (The ECS agent
// adds 169.254.170.2 and 169.254.169.254 to every task's; service/ecs does.)
type Interception struct {
	IngressPort, EgressPort uint16
	AppPorts                []uint16
	// Processes of this user, or of this group, are the proxy: at least one is given.
	IgnoredUID, IgnoredGID *uint32
	EgressIgnoredPorts     []uint16
	EgressIgnoredIPs       []netip.Prefix // IPv6 is of no consequence: a task has none
}

func (i Interception) validate() error {
	var errs []error
	if i.IgnoredUID == nil && i.IgnoredGID == nil {
		errs = append(errs, errors.New("neither a user nor a group is ignored: the proxy would be sent back to itself"))
	}
	if i.IngressPort == 0 || i.EgressPort == 0 {
		errs = append(errs, errors.New("a port of the proxy is 0"))
	}
	for _, ports := range [][]uint16{i.AppPorts, i.EgressIgnoredPorts} {
		for _, p := range ports {
			if p == 0 {
				errs = append(errs, errors.New("a port is 0"))
			}
		}
	}
	for _, p := range i.EgressIgnoredIPs {
		if !p.IsValid() {
			errs = append(errs, errors.New("an ignored address is no address"))
		}
	}
	return errors.Join(errs...)
}

// proxies are the processes that an interception lets alone.
func (i Interception) proxies() (out []Owner) {
	if i.IgnoredUID != nil {
		out = append(out, Owner{ByUser, *i.IgnoredUID})
	}
	if i.IgnoredGID != nil {
		out = append(out, Owner{ByGroup, *i.IgnoredGID})
	}
	return out
}

var loopback = netip.MustParsePrefix("127.0.0.0/8")

// Compile turns an Interception into the packet filter of the task with the
// address. A redirection is written as a translation to what it comes to: a
// loopback address for what goes out, the task's for what comes in.
func (i Interception) Compile(own netip.Addr) Ruleset {
	local := []Peer{{CIDR: loopback}, host(own)}
	var out, in []Match
	for _, p := range local {
		out = append(out, Match{Dst: p, Do: Return})
		in = append(in, Match{Src: p, Do: Return})
	}
	for _, o := range i.proxies() {
		out = append(out, Match{Owner: o, Do: Return})
	}
	for _, p := range i.EgressIgnoredPorts {
		out = append(out, Match{Protocol: TCP, Low: p, High: p, Do: Return})
	}
	for _, p := range i.EgressIgnoredIPs {
		if p.Addr().Is4() {
			out = append(out, Match{Protocol: TCP, Dst: Peer{CIDR: p.Masked()}, Do: Return})
		}
	}
	out = append(out, Match{Protocol: TCP, Do: DNAT, To: netip.AddrPortFrom(loopback.Addr().Next(), i.EgressPort)})
	for _, p := range i.AppPorts {
		in = append(in, Match{Protocol: TCP, Low: p, High: p, Do: DNAT, To: netip.AddrPortFrom(own, i.IngressPort)})
	}
	return Ruleset{Chains: map[string][]Match{guard: i.guard(), intercepted: out, redirect: in}}
}

// guard keeps the application from the mesh's configuration service, which
// gives the keys of the task's identity to the proxy. It comes before the
// redirection: otherwise the application would reach the service by the proxy.
// A container that runs as root and may change its user can be the proxy; one
// that must not runs as another user.
func (i Interception) guard() []Match {
	m := []Match{{State: Established, Do: Accept}}
	for _, o := range i.proxies() {
		m = append(m, Match{Owner: o, Do: Accept})
	}
	return append(m, Match{Dst: host(Metadata), Protocol: TCP, Low: MeshPort, High: MeshPort, Do: Reset})
}

// Intercept makes the interception of an attached interface what i says, in
// one transaction; connections that exist stay as they are. It is idempotent,
// and ends with the interface.
func (n *Network) Intercept(_ context.Context, vpcID, eni string, i Interception) error {
	if err := i.validate(); err != nil {
		return fmt.Errorf("intercept traffic of %s: %w", eni, err)
	}
	r, ns, err := n.namespace(vpcID, eni)
	if err == nil {
		defer ns.Close()
		err = r.intercept(ns, eni, i)
	}
	if err != nil {
		return fmt.Errorf("intercept traffic of %s: %w", eni, err)
	}
	return nil
}

func (r *router) intercept(ns *os.File, eni string, i Interception) error {
	r.mu.Lock()
	at, ok := r.config.find(eni)
	r.mu.Unlock()
	if !ok {
		return errors.New("the VPC does not know the interface")
	}
	defer r.lock(eni)()
	f, err := newFilter(int(ns.Fd()))
	if err != nil {
		return err
	}
	defer func() { go f.close() }() // which waits for the kernel to forget the table before, ten milliseconds
	return f.load(i.Compile(at.Addr))
}

// namespace opens that of an attached interface.
func (n *Network) namespace(vpcID, eni string) (*router, *os.File, error) {
	if !validID(eni) {
		return nil, nil, fmt.Errorf("interface id %q is not a file name", eni)
	}
	r, err := n.router(vpcID, false)
	if err != nil {
		return nil, nil, err
	}
	if r == nil {
		return nil, nil, fmt.Errorf("no VPC %s", vpcID)
	}
	if !pinned(r.pin(eni)) {
		return nil, nil, errors.New("the interface is not attached")
	}
	ns, err := os.Open(r.pin(eni))
	return r, ns, err
}
