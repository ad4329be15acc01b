package sandbox

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// echo answers one line per TCP connection and every datagram.
func echo(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); u.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(c).ReadString('\n')
			io.WriteString(c, "tcp "+strings.TrimSpace(line))
			c.Close()
		}
	}()
	go func() {
		buf := make([]byte, 64)
		for {
			n, from, err := u.ReadFrom(buf)
			if err != nil {
				return
			}
			u.WriteTo([]byte("udp "+strings.TrimSpace(string(buf[:n]))), from)
		}
	}()
	return l.Addr().String()
}

func TestEgressIsRefusedToTheHost(t *testing.T) {
	w := startWorld(t)
	addr := echo(t)
	_, port, _ := net.SplitHostPort(addr)
	targets := []string{addr, "localhost:" + port, "0.0.0.0:" + port, "[::1]:" + port, "[::]:" + port, "169.254.169.254:80", "[::ffff:127.0.0.1]:" + port}
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range own {
		targets = append(targets, net.JoinHostPort(a.(*net.IPNet).IP.String(), port))
	}
	for _, target := range targets {
		for _, network := range []string{"tcp", "udp"} {
			if _, h, err := w.post("/dial", "network", network, "addr", target); err == nil || h.Get("X-Refused") != "true" {
				t.Errorf("%s %s: %v", network, target, err)
			}
		}
	}
	if _, _, err := w.post("/dial", "network", "unix", "addr", "/run/x.sock"); err == nil {
		t.Error("unix socket dialled")
	}
}

func TestEgressPassesConnections(t *testing.T) {
	w := newWorld(t, "good")
	w.cfg.AllowHost = true
	if _, err := Start(w.cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.stop)
	addr := echo(t)
	for _, network := range []string{"tcp", "udp", "tcp4", "udp4"} {
		if got := w.must("/dial", "network", network, "addr", addr); got != network[:3]+" ping" {
			t.Errorf("%s: %q", network, got)
		}
	}
	if _, _, err := w.post("/dial", "network", "tcp", "addr", freeAddr(t)); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestPermitted(t *testing.T) {
	for addr, ok := range map[string]bool{
		"93.184.216.34": true, "10.1.2.3": true, "2606:2800:220:1::1": true,
		"127.0.0.1": false, "127.255.0.7": false, "::1": false, "::ffff:127.0.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "::": false,
		"169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false, "224.0.0.1": false, "239.1.1.1": false, "ff02::1": false, "255.255.255.255": false,
	} {
		err := permitted(netip.MustParseAddr(addr))
		if (err == nil) != ok || err != nil && !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

func TestListenerIsKeptUntilUnlisten(t *testing.T) {
	w := startWorld(t)
	addr := freeAddr(t)
	connects := func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	if got := w.must("/listen", "addr", addr); got != addr { // and closed by the engine
		t.Errorf("listens on %s", got)
	}
	if !connects() {
		t.Error("closed by the engine: not kept")
	}
	kill9(t, w.status().EnginePid)
	eventually(t, "next engine", func() bool { s := w.status(); return s.Restarts == 1 && s.Ready })
	if !connects() {
		t.Error("not kept over the engine")
	}
	if got := get[about](w, "/about").Listeners; len(got) != 2 {
		t.Errorf("listeners %q", got)
	}
	w.must("/listen", "addr", addr)
	w.must("/unlisten", "addr", addr)
	if connects() {
		t.Error("open after unlisten")
	}
	taken := echo(t)
	if _, h, err := w.post("/listen", "addr", taken); err == nil || h.Get("X-In-Use") != "true" {
		t.Errorf("taken port: %v", err)
	}
}
