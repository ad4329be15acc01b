package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"syscall"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Addresses in the namespace. The task of payment is found at one of them by
// the control plane; clients dial another, which is nobody's, as they dial a
// virtual service: the proxies go by the name.
var (
	paymentTask    = netip.MustParseAddr("10.0.3.7")
	paymentService = netip.MustParseAddr("10.0.3.99")
)

// Ports of App Mesh's interception.
const (
	ingressPort = 15000
	egressPort  = 15001
	servicePort = 8080
)

// namespaced is this program in a network namespace of its own, where it may
// do as it likes, also for an ordinary user.
func namespaced(args []string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_SYS_ADMIN}
	}
	return cmd, nil
}

// furnish gives the namespace its addresses, and sends what goes to them to
// the proxies, as node/vpc does with a task's traffic: what an application
// sends to its own proxy, what comes from there to the other one. It is told
// apart by destination here, since all processes share the namespace. So
// connections are tracked by the kernel for every contender.
func furnish() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find the loopback interface: %w", err)
	}
	for _, a := range []netip.Addr{paymentTask, paymentService, taskPlane.Addr()} {
		if err := netlink.AddrAdd(lo, &netlink.Addr{IPNet: host(a)}); err != nil {
			return fmt.Errorf("add address %s: %w", a, err)
		}
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set the loopback interface up: %w", err)
	}
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	table := conn.AddTable(&nftables.Table{Name: "mesh", Family: nftables.TableFamilyIPv4})
	chain := conn.AddChain(&nftables.Chain{
		Name: "intercept", Table: table, Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityNATDest,
	})
	for dst, port := range map[netip.Addr]uint16{paymentService: egressPort, paymentTask: ingressPort} {
		conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: dst.AsSlice()},
			&expr.Immediate{Register: 1, Data: []byte{127, 0, 0, 1}},
			&expr.Immediate{Register: 2, Data: binaryutil.BigEndian.PutUint16(port)},
			&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1, RegProtoMin: 2},
		}})
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("redirect to the proxies: %w", err)
	}
	return nil
}
