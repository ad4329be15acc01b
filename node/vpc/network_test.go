package vpc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain runs the tests in namespaces of their own, as root and as an
// ordinary user alike, so that they can make networks and nothing of it
// appears on the host.
func TestMain(m *testing.M) {
	if os.Getenv("VPC_TEST_INSIDE") == "1" {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
			fmt.Fprintln(os.Stderr, "mount namespace:", err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), "VPC_TEST_INSIDE=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 || os.Getenv("VPC_TEST_ROOTLESS") == "1" {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "node/vpc needs root or user namespaces to be tested:", err)
		os.Exit(1)
	}
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func ip(s string) netip.Addr       { return netip.MustParseAddr(s) }

func anyOut() []Rule {
	return []Rule{{Protocol: AllProtocols, CIDRs: []netip.Prefix{prefix("0.0.0.0/0")}}}
}

// shop is a VPC like the reference platform's: a load balancer in front of
// tasks, of which web may talk to db.
func shop(id string) Config {
	return Config{
		ID: id, CIDRs: []netip.Prefix{prefix("10.0.0.0/16")}, DNS: true,
		Subnets: []Subnet{
			{ID: "public", CIDR: prefix("10.0.0.0/24"), Routes: []Route{{prefix("0.0.0.0/0"), Internet}}},
			{ID: "private", CIDR: prefix("10.0.3.0/24"), Routes: []Route{{prefix("0.0.0.0/0"), NAT}, {prefix("203.0.113.0/24"), Blackhole}}},
			{ID: "closed", CIDR: prefix("10.0.6.0/24")},
		},
		Interfaces: []Interface{
			{ID: "lb", Subnet: "public", Addr: ip("10.0.0.7"), Local: true, Groups: []string{"sg-lb"}},
			{ID: "web", Subnet: "private", Addr: ip("10.0.3.5"), Groups: []string{"sg-web"}},
			{ID: "db", Subnet: "private", Addr: ip("10.0.3.6"), Groups: []string{"sg-db"}},
			{ID: "other", Subnet: "closed", Addr: ip("10.0.6.5"), Groups: []string{"sg-other"}},
		},
		Groups: []Group{
			{ID: "sg-lb", Egress: anyOut(), Ingress: []Rule{{Protocol: TCP, From: 80, To: 80, CIDRs: []netip.Prefix{prefix("0.0.0.0/0")}}}},
			{ID: "sg-web", Egress: anyOut(), Ingress: []Rule{{Protocol: TCP, From: 8080, To: 8082, Groups: []string{"sg-lb"}}}},
			{ID: "sg-db", Egress: anyOut(), Ingress: []Rule{{Protocol: TCP, From: 5432, To: 5432, Groups: []string{"sg-web"}}, {Protocol: ICMP, From: -1, To: -1, CIDRs: []netip.Prefix{prefix("10.0.3.0/24")}}}},
			{ID: "sg-other", Egress: anyOut()},
		},
	}
}

func newNetwork(t testing.TB, opt Options) *Network {
	t.Helper()
	if opt.Dir == "" {
		opt.Dir = filepath.Join(t.TempDir(), "netns")
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	n, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, id := range n.Known() {
			if err := n.Remove(context.Background(), id); err != nil {
				t.Error(err)
			}
		}
	})
	return n
}

func apply(t testing.TB, n *Network, c Config) {
	t.Helper()
	if err := n.Apply(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// inside runs f with its sockets in the namespace of an interface.
func inside(t testing.TB, n *Network, vpcID, eni string, f func() error) error {
	t.Helper()
	pin, err := n.Attach(t.Context(), vpcID, eni)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := os.Open(pin)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	result := make(chan error)
	go lock(func() {
		if err := joinNetns(int(ns.Fd())); err != nil {
			result <- err
			return
		}
		result <- f()
	})
	return <-result
}

// serve answers every TCP connection to a port of an interface with text.
func serve(t testing.TB, n *Network, vpcID, eni, addr, text string) {
	t.Helper()
	err := inside(t, n, vpcID, eni, func() error {
		l, err := net.Listen("tcp4", addr)
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		go answer(l, text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func answer(l net.Listener, text string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			fmt.Fprintf(c, "%s %s\n", text, c.RemoteAddr().(*net.TCPAddr).IP)
			io.Copy(io.Discard, c)
			c.Close()
		}()
	}
}

const patience = 200 * time.Millisecond // how long a dropped packet is waited for

// ask returns the line that a server sends, or "denied" after a time.
func ask(t testing.TB, n *Network, vpcID, eni, addr string) string {
	t.Helper()
	var line string
	err := inside(t, n, vpcID, eni, func() error {
		c, err := net.DialTimeout("tcp4", addr, patience)
		if err != nil {
			return err
		}
		defer c.Close()
		line, err = bufio.NewReader(c).ReadString('\n')
		return err
	})
	return outcome(line, err)
}

func outcome(line string, err error) string {
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil:
		return strings.TrimSpace(line)
	case errors.As(err, &timeout) && timeout.Timeout():
		return "denied"
	default:
		return err.Error()
	}
}

func want(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

func TestSecurityGroupsBetweenTasks(t *testing.T) {
	n := newNetwork(t, Options{})
	c := shop("vpc-1")
	apply(t, n, c)
	serve(t, n, "vpc-1", "db", ":5432", "db")
	serve(t, n, "vpc-1", "db", ":22", "ssh")
	serve(t, n, "vpc-1", "web", ":8081", "web")

	want(t, "member of the group to the open port", ask(t, n, "vpc-1", "web", "10.0.3.6:5432"), "db 10.0.3.5")
	want(t, "member of the group to another port", ask(t, n, "vpc-1", "web", "10.0.3.6:22"), "denied")
	want(t, "stranger", ask(t, n, "vpc-1", "other", "10.0.3.6:5432"), "denied")
	want(t, "the answer's direction opens nothing", ask(t, n, "vpc-1", "db", "10.0.3.5:8081"), "denied")
	want(t, "itself", ask(t, n, "vpc-1", "db", "10.0.3.6:22"), "ssh 10.0.3.6")

	want(t, "load balancer node", dialVia(n, "vpc-1", "10.0.0.7", "10.0.3.5:8081"), "web 10.0.0.7")
	want(t, "load balancer node to a closed port", dialVia(n, "vpc-1", "10.0.0.7", "10.0.3.6:5432"), "denied")
	want(t, "the router itself", dialVia(n, "vpc-1", "", "10.0.3.6:5432"), "db 10.0.0.1")

	c.Groups[3].Egress = nil // sg-other
	c.Groups[2].Ingress = append(c.Groups[2].Ingress, Rule{Protocol: TCP, From: 0, To: 65535, CIDRs: []netip.Prefix{prefix("10.0.6.0/24")}})
	apply(t, n, c)
	want(t, "a stranger let in, but not out", ask(t, n, "vpc-1", "other", "10.0.3.6:5432"), "denied")
	c.Groups[3].Egress = anyOut()
	apply(t, n, c)
	want(t, "a stranger let in and out", ask(t, n, "vpc-1", "other", "10.0.3.6:22"), "ssh 10.0.6.5")
}

func dialVia(n *Network, vpcID, source, addr string) string {
	var from netip.Addr
	if source != "" {
		from = ip(source)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := n.Dialer(vpcID, from)(ctx, "tcp", addr)
	if err != nil {
		return outcome("", err)
	}
	defer c.Close()
	line, err := bufio.NewReader(c).ReadString('\n')
	return outcome(line, err)
}

func TestTwoVPCsWithTheSameAddresses(t *testing.T) {
	n := newNetwork(t, Options{})
	for _, id := range []string{"vpc-1", "vpc-2"} {
		apply(t, n, shop(id))
		serve(t, n, id, "db", ":5432", id)
	}
	for _, id := range []string{"vpc-1", "vpc-2"} {
		want(t, id, ask(t, n, id, "web", "10.0.3.6:5432"), id+" 10.0.3.5")
	}
	if err := n.Remove(t.Context(), "vpc-1"); err != nil {
		t.Fatal(err)
	}
	want(t, "after the other is gone", ask(t, n, "vpc-2", "web", "10.0.3.6:5432"), "vpc-2 10.0.3.5")
	if got := n.Known(); len(got) != 1 || got[0] != "vpc-2" {
		t.Errorf("known: %v", got)
	}
}

func TestServicesOfTheRouter(t *testing.T) {
	n := newNetwork(t, Options{})
	c := shop("vpc-1")
	c.Groups[3].Egress = nil
	apply(t, n, c)
	for _, addr := range []string{"169.254.170.2:80", "10.0.0.2:53", "169.254.169.253:53", "10.0.0.7:80", "10.0.0.7:81"} {
		l, err := n.Listen(t.Context(), "vpc-1", "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go answer(l, addr)
	}
	for _, addr := range []string{"169.254.170.2:80", "10.0.0.2:53", "169.254.169.253:53"} {
		want(t, "without any egress rule", ask(t, n, "vpc-1", "other", addr), addr+" 10.0.6.5")
	}
	want(t, "load balancer without egress", ask(t, n, "vpc-1", "other", "10.0.0.7:80"), "denied")
	want(t, "load balancer", ask(t, n, "vpc-1", "web", "10.0.0.7:80"), "10.0.0.7:80 10.0.3.5")
	want(t, "load balancer's closed port", ask(t, n, "vpc-1", "web", "10.0.0.7:81"), "denied")
	want(t, "egress listener", ask(t, n, "vpc-1", "web", "169.254.1.1:15003"), "denied")

	p, err := n.ListenPacket(t.Context(), "vpc-1", "udp", "10.0.0.2:53")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	go func() {
		b := make([]byte, 512)
		for {
			k, from, err := p.ReadFrom(b)
			if err != nil {
				return
			}
			p.WriteTo(b[:k], from)
		}
	}()
	var got string
	err = inside(t, n, "vpc-1", "other", func() error {
		u, err := net.Dial("udp", "10.0.0.2:53")
		if err != nil {
			return err
		}
		defer u.Close()
		u.SetDeadline(time.Now().Add(time.Second))
		u.Write([]byte("query"))
		b := make([]byte, 512)
		k, err := u.Read(b)
		got = string(b[:k])
		return err
	})
	want(t, "udp", outcome(got, err), "query")
}

func TestEgress(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	far, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		defer far.Close()
		go answer(far, "far")
	}
	n := newNetwork(t, Options{Egress: func(ctx context.Context, network, addr string) (net.Conn, error) {
		mu.Lock()
		asked = append(asked, network+" "+addr)
		mu.Unlock()
		if addr == "192.0.2.9:443" {
			return nil, errors.New("refused")
		}
		near, far := net.Pipe()
		go func() { fmt.Fprintf(far, "far\n"); far.Close() }()
		return near, nil
	}})
	c := shop("vpc-1")
	c.Interfaces = append(c.Interfaces,
		Interface{ID: "bastion", Subnet: "public", Addr: ip("10.0.0.8"), Public: true, Groups: []string{"sg-other"}},
		Interface{ID: "inner", Subnet: "public", Addr: ip("10.0.0.9"), Groups: []string{"sg-other"}})
	apply(t, n, c)
	want(t, "through NAT", ask(t, n, "vpc-1", "web", "192.0.2.1:443"), "far")
	want(t, "blackhole by longest prefix", ask(t, n, "vpc-1", "web", "203.0.113.1:443"), "denied")
	want(t, "no route", ask(t, n, "vpc-1", "other", "192.0.2.1:443"), "denied")
	want(t, "internet gateway", ask(t, n, "vpc-1", "bastion", "192.0.2.2:80"), "far")
	want(t, "internet gateway without public address", ask(t, n, "vpc-1", "inner", "192.0.2.2:80"), "denied")
	if got := ask(t, n, "vpc-1", "web", "192.0.2.9:443"); !strings.Contains(got, "reset") {
		t.Errorf("refused outside: %s, want a reset", got)
	}
	mu.Lock()
	defer mu.Unlock()
	want(t, "asked", strings.Join(asked, ", "), "tcp 192.0.2.1:443, tcp 192.0.2.2:80, tcp 192.0.2.9:443")
}

// A new engine finds namespaces, links and live connections as they were, and
// removes what is no longer wanted.
func TestRestartAdopts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "netns")
	first := newNetwork(t, Options{Dir: dir})
	c := shop("vpc-1")
	apply(t, first, c)
	serve(t, first, "vpc-1", "db", ":5432", "db")
	ask(t, first, "vpc-1", "other", "10.0.3.6:5432")
	var live net.Conn
	err := inside(t, first, "vpc-1", "web", func() (err error) {
		live, err = net.DialTimeout("tcp4", "10.0.3.6:5432", time.Second)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	os.WriteFile(filepath.Join(dir, "vpc-1", "half"), nil, 0o600) // killed before the pin was made
	first.Close()

	second := newNetwork(t, Options{Dir: dir})
	c.Interfaces = c.Interfaces[:3] // other is gone
	apply(t, second, c)
	want(t, "new connection", ask(t, second, "vpc-1", "web", "10.0.3.6:5432"), "db 10.0.3.5")
	live.SetDeadline(time.Now().Add(time.Second))
	line, err := bufio.NewReader(live).ReadString('\n')
	want(t, "live connection", outcome(line, err), "db 10.0.3.5")
	entries, _ := os.ReadDir(filepath.Join(dir, "vpc-1"))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want(t, "pins", strings.Join(names, " "), "db router web")
	if err := second.Detach(t.Context(), "vpc-1", "db"); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, second, "vpc-1", "web", "10.0.3.6:5432"); !strings.Contains(got, "no route to host") {
		t.Errorf("detached: %s, want no route to host", got)
	}
}

func TestForgedSourcesAreDropped(t *testing.T) {
	n := newNetwork(t, Options{})
	apply(t, n, shop("vpc-1"))
	got := make(chan string, 10)
	err := inside(t, n, "vpc-1", "db", func() error {
		p, err := net.ListenPacket("ip4:icmp", "0.0.0.0")
		if err != nil {
			return err
		}
		t.Cleanup(func() { p.Close() })
		go func() {
			b := make([]byte, 1500)
			for {
				_, from, err := p.ReadFrom(b)
				if err != nil {
					return
				}
				got <- from.String()
			}
		}()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = inside(t, n, "vpc-1", "web", func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for _, from := range []string{"10.0.3.99", "10.0.6.5", "10.0.3.5"} {
			if err := unix.Sendto(fd, echo(ip(from), ip("10.0.3.6")), 0, &unix.SockaddrInet4{Addr: ip("10.0.3.6").As4()}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case from := <-got: // packets of one link keep their order: the forged ones came first
		want(t, "first ping to arrive", from, "10.0.3.5")
	case <-time.After(2 * time.Second):
		t.Error("no ping arrived")
	}
}

// echo is an IPv4 packet with an ICMP echo request.
func echo(from, to netip.Addr) []byte {
	b := make([]byte, 28)
	b[0], b[3], b[8], b[9] = 0x45, 28, 64, 1
	copy(b[12:], from.AsSlice())
	copy(b[16:], to.AsSlice())
	b[20], b[22], b[23] = 8, 0xf7, 0xff
	return b
}

func TestAttachWaitsForTheInterface(t *testing.T) {
	n := newNetwork(t, Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := n.Attach(ctx, "vpc-1", "web"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no such vpc: %v", err)
	}
	done := make(chan error)
	go func() { _, err := n.Attach(t.Context(), "vpc-1", "web"); done <- err }()
	c := shop("vpc-1")
	c.Interfaces = c.Interfaces[:1]
	apply(t, n, c)
	apply(t, n, shop("vpc-1"))
	if err := <-done; err != nil {
		t.Error(err)
	}
}
