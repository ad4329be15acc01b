package vpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	routerPin = "router"
	mtu       = 9001 // jumbo frames, as in a VPC
)

// routerMAC is the address of the router's end of every link.
var routerMAC = net.HardwareAddr{0x02, 0x53, 0x4c, 0x57, 0x00, 0x01}

// router is the namespace of one VPC.
type router struct {
	id, dir string
	opt     *Options

	ns     *os.File // the namespace
	thread *thread  // lives in it
	nl     *netlink.Handle
	filter *filter
	ctx    context.Context // of what is served in the VPC
	cancel context.CancelFunc

	applying sync.Mutex   // held over apply and close
	calls    sync.RWMutex // held over uses of thread, written by close
	addrs    map[netip.Addr]bool
	blocks   map[netip.Prefix]bool
	serving  bool

	mu      sync.Mutex
	config  Config
	changed chan struct{} // closed and replaced when config changes
	removed bool

	links [32]sync.Mutex // by hash of the interface id: one attach or detach at once
}

// openRouter adopts the namespace pinned in dir, or makes one and pins it once
// it is complete.
func openRouter(id, dir string, opt *Options) (*router, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	pin := filepath.Join(dir, routerPin)
	r := &router{id: id, dir: dir, opt: opt, changed: make(chan struct{}), addrs: map[netip.Addr]bool{}, blocks: map[netip.Prefix]bool{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	if !pinned(pin) {
		t, err := newThread(func() error { return makeRouter(pin) })
		if err != nil {
			return nil, err
		}
		t.stop()
	}
	if err := r.open(pin); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// makeRouter turns the calling thread's new namespace into a router that does
// not forward yet.
func makeRouter(pin string) error {
	if err := makeNetns(); err != nil {
		return err
	}
	// Forged sources are the packet filter's business; the namespace may have
	// inherited anything from the host.
	for name, value := range map[string]string{
		"ipv4/ip_forward": "0", "ipv4/conf/all/rp_filter": "0", "ipv4/conf/default/rp_filter": "0",
		"ipv4/conf/all/arp_ignore": "0", "ipv4/conf/default/arp_ignore": "0",
		"ipv4/conf/all/send_redirects": "0", "ipv4/conf/default/send_redirects": "0",
		"ipv4/ip_unprivileged_port_start": "0",
	} {
		if err := sysctl(name, value); err != nil {
			return err
		}
	}
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := h.LinkSetUp(lo); err != nil {
		return err
	}
	return pinNetns(pin)
}

func (r *router) open(pin string) (err error) {
	if r.ns, err = os.Open(pin); err != nil {
		return err
	}
	fd := int(r.ns.Fd())
	if r.thread, err = newThread(func() error { return joinNetns(fd) }); err != nil {
		return err
	}
	if r.nl, err = netlink.NewHandleAt(netns.NsHandle(fd), unix.NETLINK_ROUTE); err != nil {
		return err
	}
	if r.filter, err = newFilter(fd); err != nil {
		return err
	}
	return r.readAddrs()
}

// close releases what the process holds of the router. The namespace stays.
func (r *router) close() {
	r.cancel()
	r.applying.Lock()
	defer r.applying.Unlock()
	r.mu.Lock()
	if !r.removed {
		r.removed = true
		close(r.changed)
	}
	r.mu.Unlock()
	if r.filter != nil {
		r.filter.close()
	}
	if r.nl != nil {
		r.nl.Close()
	}
	if r.thread != nil {
		r.calls.Lock()
		r.thread.stop()
		r.calls.Unlock()
	}
	if r.ns != nil {
		r.ns.Close()
	}
}

// remove ends the VPC: interfaces first, so that the kernel has little left to
// do in its slow cleanup of network namespaces.
func (r *router) remove() error {
	var errs []error
	for _, id := range r.pins() {
		errs = append(errs, r.detach(id))
	}
	r.close()
	errs = append(errs, unpin(filepath.Join(r.dir, routerPin)))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return os.RemoveAll(r.dir)
}

// pins lists the interfaces that have a pin, or a file for one.
func (r *router) pins() []string {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		r.opt.Log.Error("list interfaces", "vpc", r.id, "error", err)
	}
	var ids []string
	for _, e := range entries {
		if e.Name() != routerPin {
			ids = append(ids, e.Name())
		}
	}
	return ids
}

func (r *router) pin(eni string) string { return filepath.Join(r.dir, eni) }

// linkName is the router's end of the link to an address.
func linkName(a netip.Addr) string { return fmt.Sprintf("t%x", a.As4()) }
