package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// taskPlane is where tasks find their control plane, as in the platform.
var taskPlane = netip.MustParseAddrPort("169.254.170.2:15010")

// task is a sidecar in a network namespace of its own.
type task struct {
	*process
	ip    netip.Addr
	admin string
	link  netlink.Link
	begin io.Closer
}

// task makes one for a virtual node; its sidecar waits to be run.
func (w *world) task(node string, ip netip.Addr) (*task, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	t := &task{ip: ip, admin: net.JoinHostPort(ip.String(), "9901")}
	t.process, err = w.prepared(func(p *process) error {
		p.SysProcAttr.Cloneflags = unix.CLONE_NEWNET
		p.Env = append(p.Env, "APPMESH_RESOURCE_ARN="+node, "APPMESH_XDS_ENDPOINT="+taskPlane.String(), "ENVOY_LOG_LEVEL=warning")
		in, err := p.StdinPipe()
		t.begin = in
		return err
	}, self, "task", w.proxy)
	if err != nil {
		return nil, err
	}
	if err := t.connect(); err != nil {
		return nil, fmt.Errorf("connect the task at %s: %w", ip, err)
	}
	return t, nil
}

// taskRole waits for the end of its input, and becomes the sidecar.
func taskRole(_ context.Context, args []string) error {
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return syscall.Exec(args[0], args[:1], os.Environ())
}

// run lets the sidecar begin, and says when.
func (t *task) run() (time.Time, error) {
	now := time.Now()
	return now, t.begin.Close()
}

// connect joins the task's namespace to this one, by a veth pair without a
// bridge, as node/vpc does.
func (t *task) connect() error {
	pid := t.Process.Pid
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "task" + strconv.Itoa(pid)}, PeerName: "eth0", PeerNamespace: netlink.NsPid(pid)}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("add a veth pair: %w", err)
	}
	var err error
	if t.link, err = netlink.LinkByName(veth.Name); err != nil {
		return err
	}
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return err
	}
	defer ns.Close()
	inside, err := netlink.NewHandleAt(ns)
	if err != nil {
		return err
	}
	defer inside.Close()
	lo, err := inside.LinkByName("lo")
	if err != nil {
		return err
	}
	eth, err := inside.LinkByName("eth0")
	if err != nil {
		return err
	}
	plane := host(taskPlane.Addr())
	return errors.Join(
		netlink.LinkSetUp(t.link),
		netlink.RouteAdd(&netlink.Route{LinkIndex: t.link.Attrs().Index, Dst: host(t.ip), Src: plane.IP, Scope: netlink.SCOPE_LINK}),
		inside.LinkSetUp(lo),
		inside.LinkSetUp(eth),
		inside.AddrAdd(eth, &netlink.Addr{IPNet: host(t.ip)}),
		inside.RouteAdd(&netlink.Route{LinkIndex: eth.Attrs().Index, Dst: plane, Scope: netlink.SCOPE_LINK}),
	)
}

// remove ends the task; its link goes with its namespace.
func (t *task) remove() {
	t.end()
	_ = netlink.LinkDel(t.link) // or it has gone already
}

func host(a netip.Addr) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(32, 32)}
}
