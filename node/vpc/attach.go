package vpc

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Attach makes the network namespace of an interface, named eth0 inside, and
// returns the path that pins it. It waits until the interface is part of an
// applied Config, and returns the existing namespace when there is one.
func (n *Network) Attach(ctx context.Context, vpcID, eni string) (string, error) {
	var i Interface
	r, err := n.await(ctx, vpcID, func(c Config) (ok bool) {
		i, ok = c.find(eni)
		return ok
	})
	if err != nil {
		return "", fmt.Errorf("attach %s: %w", eni, err)
	}
	if i.Local {
		return "", fmt.Errorf("attach %s: the interface belongs to the engine", eni)
	}
	path, err := r.attach(i)
	if err != nil {
		return "", fmt.Errorf("attach %s: %w", eni, err)
	}
	return path, nil
}

// Detach removes the namespace of an interface. Nil when there is none.
func (n *Network) Detach(_ context.Context, vpcID, eni string) error {
	if !validID(eni) {
		return fmt.Errorf("interface id %q is not a file name", eni)
	}
	r, err := n.router(vpcID, false)
	if err != nil || r == nil {
		return err
	}
	if err := r.detach(eni); err != nil {
		return fmt.Errorf("detach %s: %w", eni, err)
	}
	return nil
}

func (c Config) find(eni string) (Interface, bool) {
	for _, i := range c.Interfaces {
		if i.ID == eni {
			return i, true
		}
	}
	return Interface{}, false
}

func (c Config) subnet(id string) netip.Prefix {
	for _, s := range c.Subnets {
		if s.ID == id {
			return s.CIDR
		}
	}
	return netip.Prefix{}
}

func (r *router) lock(eni string) func() {
	h := fnv.New32a()
	h.Write([]byte(eni))
	m := &r.links[h.Sum32()%uint32(len(r.links))]
	m.Lock()
	return m.Unlock
}

func (r *router) attach(i Interface) (string, error) {
	defer r.lock(i.ID)()
	pin := r.pin(i.ID)
	if pinned(pin) {
		if _, err := r.nl.LinkByName(linkName(i.Addr)); err == nil {
			return pin, nil
		}
		if err := unpin(pin); err != nil { // half detached
			return "", err
		}
	}
	r.mu.Lock()
	cidr, own := r.config.subnet(i.Subnet), r.config.routerAddr()
	r.mu.Unlock()
	done := make(chan error)
	go lock(func() { done <- r.connect(i, cidr, own, pin) })
	if err := <-done; err != nil {
		os.Remove(pin)
		return "", err
	}
	return pin, nil
}

// connect runs in a thread of its own, which ends with it: until the pin is
// made, which is the last step, the kernel removes everything with the thread.
func (r *router) connect(i Interface, cidr netip.Prefix, own netip.Addr, pin string) error {
	if err := makeNetns(); err != nil {
		return err
	}
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	mac, err := i.mac()
	if err != nil {
		return err
	}
	if err := r.addLink(h, i, mac); err != nil {
		return err
	}
	if err := setUpInside(h, i.Addr, cidr); err != nil {
		return err
	}
	if err := r.setUpOutside(i.Addr, own, mac); err != nil {
		return err
	}
	if err := awaitCarrier(h); err != nil {
		return err
	}
	return pinNetns(pin)
}

// awaitCarrier waits until eth0, whose peer came up after it, does send: the
// kernel takes note of a carrier in the background, and drops packets until
// then. Asking for the link hurries it on kernels since 6.8.
func awaitCarrier(h *netlink.Handle) error {
	for wait := time.Millisecond; ; wait *= 2 {
		l, err := h.LinkByIndex(ethIndex)
		if err != nil {
			return fmt.Errorf("state of eth0: %w", err)
		}
		if l.Attrs().OperState == netlink.OperUp {
			return nil
		}
		if wait > time.Second {
			return errors.New("eth0 has no carrier")
		}
		time.Sleep(wait)
	}
}

// Indexes of the links of a fresh namespace.
const (
	loIndex  = 1
	ethIndex = 2
)

// addLink makes eth0 here and its peer in the router at once.
func (r *router) addLink(h *netlink.Handle, i Interface, mac net.HardwareAddr) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.Index, attrs.MTU, attrs.HardwareAddr, attrs.Flags = "eth0", ethIndex, mtu, mac, net.FlagUp
	veth := &netlink.Veth{
		LinkAttrs: attrs, PeerName: linkName(i.Addr), PeerNamespace: netlink.NsFd(r.ns.Fd()),
		PeerHardwareAddr: routerMAC, PeerMTU: mtu,
	}
	err := h.LinkAdd(veth)
	if errors.Is(err, unix.EEXIST) { // of a namespace that the kernel has not cleaned up yet
		if old, lerr := r.nl.LinkByName(veth.PeerName); lerr == nil {
			_ = r.nl.LinkDel(old) // the next attempt says why not
		}
		err = h.LinkAdd(veth)
	}
	if err != nil {
		return fmt.Errorf("veth: %w", err)
	}
	return nil
}

// setUpInside gives the namespace its address, with the subnet's mask but
// without an on-link route: all traffic has to pass the router.
func setUpInside(h *netlink.Handle, ip netip.Addr, cidr netip.Prefix) error {
	lo := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: loIndex}}
	eth := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: ethIndex}}
	if err := h.LinkSetUp(lo); err != nil { // eth0 was made up
		return fmt.Errorf("set link up: %w", err)
	}
	a := &netlink.Addr{IPNet: ipnet(netip.PrefixFrom(ip, cidr.Bits())), Flags: unix.IFA_F_NOPREFIXROUTE}
	if err := h.AddrAdd(eth, a); err != nil {
		return fmt.Errorf("address: %w", err)
	}
	if err := h.NeighSet(neighbour(ethIndex, gateway, routerMAC)); err != nil {
		return fmt.Errorf("neighbour: %w", err)
	}
	route := &netlink.Route{LinkIndex: ethIndex, Gw: gateway.AsSlice(), Dst: ipnet(netip.PrefixFrom(netip.IPv4Unspecified(), 0))}
	route.SetFlag(netlink.FLAG_ONLINK)
	if err := h.RouteAdd(route); err != nil {
		return fmt.Errorf("default route: %w", err)
	}
	return nil
}

// setUpOutside routes the address to the link. Neighbours are permanent
// entries on both sides: no ARP, and no share of the host's neighbour limit.
// What the router itself sends there comes from its own address.
func (r *router) setUpOutside(ip, own netip.Addr, mac net.HardwareAddr) error {
	link, err := r.nl.LinkByName(linkName(ip))
	if err != nil {
		return fmt.Errorf("link of %s: %w", ip, err)
	}
	index := link.Attrs().Index
	if err := r.nl.LinkSetUp(link); err != nil {
		return fmt.Errorf("set link up: %w", err)
	}
	if err := r.nl.NeighSet(neighbour(index, ip, mac)); err != nil {
		return fmt.Errorf("neighbour: %w", err)
	}
	route := &netlink.Route{LinkIndex: index, Dst: ipnet(netip.PrefixFrom(ip, 32)), Src: own.AsSlice(), Scope: netlink.SCOPE_LINK}
	if err := r.nl.RouteReplace(route); err != nil {
		return fmt.Errorf("route to %s: %w", ip, err)
	}
	return nil
}

// detach removes the link first, which needs no name: it is found inside.
func (r *router) detach(eni string) error {
	defer r.lock(eni)()
	pin := r.pin(eni)
	if pinned(pin) {
		if err := unlink(pin); err != nil {
			return err
		}
	}
	return unpin(pin)
}

func unlink(pin string) error {
	ns, err := netns.GetFromPath(pin)
	if err != nil {
		return fmt.Errorf("open namespace: %w", err)
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("enter namespace: %w", err)
	}
	defer h.Close()
	err = h.LinkDel(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: ethIndex}})
	if err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("remove link: %w", err)
	}
	return nil
}

func neighbour(index int, ip netip.Addr, mac net.HardwareAddr) *netlink.Neigh {
	return &netlink.Neigh{LinkIndex: index, Family: unix.AF_INET, State: netlink.NUD_PERMANENT, IP: ip.AsSlice(), HardwareAddr: mac}
}

// mac is the interface's hardware address, by default made from its address.
func (i Interface) mac() (net.HardwareAddr, error) {
	if i.MAC != "" {
		return net.ParseMAC(i.MAC)
	}
	return append(net.HardwareAddr{0x02, 0x00}, i.Addr.AsSlice()...), nil
}
