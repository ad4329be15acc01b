package dns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
)

// zone answers from a map; names below its suffixes are owned.
type zone map[string][]Record

func (z zone) lookup(vpcID, name string) ([]Record, bool) {
	if vpcID != "vpc-1" {
		return nil, false
	}
	return z[name], strings.HasSuffix(name, ".dev.local") || strings.HasSuffix(name, ".elb.localhost") || z[name] != nil
}

func addr(s string, ttl time.Duration) Record { return Record{Addr: netip.MustParseAddr(s), TTL: ttl} }

func many(n int) []Record {
	var out []Record
	for i := range n {
		out = append(out, addr(fmt.Sprintf("10.0.4.%d", i+1), time.Minute))
	}
	return out
}

var names = zone{
	"payment.dev.local":     {addr("10.0.3.5", time.Minute), addr("10.0.4.5", time.Minute)},
	"web.elb.localhost":     {addr("10.0.0.7", 10*time.Second)},
	"alias.dev.local":       {{Alias: "payment.dev.local", TTL: time.Minute}},
	"out.dev.local":         {{Alias: "www.example.test", TTL: time.Minute}},
	"loop.dev.local":        {{Alias: "loop.dev.local", TTL: time.Minute}},
	"_http.dev.local":       {{Service: &Service{Priority: 1, Weight: 1, Port: 8080, Target: "payment.dev.local"}, TTL: time.Minute}},
	"text.dev.local":        {{Text: strings.Repeat("x", 300), TTL: time.Minute}},
	"five.3.0.10.arpa":      nil,
	"5.3.0.10.in-addr.arpa": {{Alias: "ip-10-0-3-5.ec2.internal", TTL: time.Minute}},
	"crowd.dev.local":       many(100),
}

// serve starts a server on loopback and returns its address, the same for UDP
// and TCP.
func serve(t *testing.T, c Config, vpcID string) string {
	t.Helper()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- New(c).Serve(ctx, vpcID, p, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return l.Addr().String()
}

func ask(t *testing.T, network, server, name string, qtype uint16) *mdns.Msg {
	t.Helper()
	q := new(mdns.Msg)
	q.SetQuestion(mdns.Fqdn(name), qtype)
	c := mdns.Client{Net: network, Timeout: 2 * time.Second}
	m, _, err := c.Exchange(q, server)
	if err != nil {
		t.Fatalf("ask for %s by %s: %v", name, network, err)
	}
	return m
}

// short is the rcode and the data of the answers, sorted.
func short(m *mdns.Msg) string {
	var data []string
	for _, rr := range m.Answer {
		data = append(data, strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	slices.Sort(data)
	return strings.TrimSpace(mdns.RcodeToString[m.Rcode] + " " + strings.Join(data, " "))
}

func TestZones(t *testing.T) {
	server := serve(t, Config{Lookup: names.lookup}, "vpc-1")
	for _, c := range []struct {
		name  string
		qtype uint16
		want  string
	}{
		{"payment.dev.local", mdns.TypeA, "NOERROR 10.0.3.5 10.0.4.5"},
		{"PayMent.DEV.local", mdns.TypeA, "NOERROR 10.0.3.5 10.0.4.5"},
		{"payment.dev.local", mdns.TypeAAAA, "NOERROR"}, // NODATA
		{"nobody.dev.local", mdns.TypeA, "NXDOMAIN"},
		{"web.elb.localhost", mdns.TypeA, "NOERROR 10.0.0.7"},
		{"nobody.elb.localhost", mdns.TypeA, "NXDOMAIN"},
		{"alias.dev.local", mdns.TypeA, "NOERROR 10.0.3.5 10.0.4.5 payment.dev.local."},
		{"loop.dev.local", mdns.TypeA, "SERVFAIL"},
		{"_http.dev.local", mdns.TypeSRV, "NOERROR 1 1 8080 payment.dev.local."},
		{"5.3.0.10.in-addr.arpa", mdns.TypePTR, "NOERROR ip-10-0-3-5.ec2.internal."},
		{"9.9.0.10.in-addr.arpa", mdns.TypePTR, "NXDOMAIN"},
		{"localhost", mdns.TypeA, "NOERROR 127.0.0.1"},
		{"any.localhost", mdns.TypeA, "NXDOMAIN"},
		{"www.example.test", mdns.TypeA, "SERVFAIL"}, // nobody to forward to
	} {
		for _, network := range []string{"udp", "tcp"} {
			if got := short(ask(t, network, server, c.name, c.qtype)); got != c.want {
				t.Errorf("%s %s by %s: %s, want %s", mdns.TypeToString[c.qtype], c.name, network, got, c.want)
			}
		}
	}
	m := ask(t, "udp", server, "payment.dev.local", mdns.TypeA)
	if ttl := m.Answer[0].Header().Ttl; ttl != 60 || !m.Authoritative || !m.RecursionAvailable {
		t.Errorf("ttl %d, header %+v", ttl, m.MsgHdr)
	}
	if m := ask(t, "udp", server, "nobody.dev.local", mdns.TypeA); len(m.Ns) != 1 || m.Ns[0].Header().Name != "dev.local." {
		t.Errorf("a negative answer without SOA: %v", m)
	}
	if m := ask(t, "tcp", server, "text.dev.local", mdns.TypeTXT); len(m.Answer) != 1 || len(m.Answer[0].(*mdns.TXT).Txt) != 2 {
		t.Errorf("long text: %v", m)
	}
}

func TestAnswersAreShuffled(t *testing.T) {
	server := serve(t, Config{Lookup: names.lookup}, "vpc-1")
	first := map[string]bool{}
	for range 100 { // missing one of two: 2^-99
		first[ask(t, "udp", server, "payment.dev.local", mdns.TypeA).Answer[0].(*mdns.A).A.String()] = true
	}
	if len(first) != 2 {
		t.Errorf("always first: %v", first)
	}
}

func TestLargeAnswersAreCutAndWholeByTCP(t *testing.T) {
	server := serve(t, Config{Lookup: names.lookup}, "vpc-1")
	m := ask(t, "udp", server, "crowd.dev.local", mdns.TypeA)
	m.Compress = true // as on the wire
	if !m.Truncated || m.Len() > mdns.MinMsgSize {
		t.Errorf("plain UDP: truncated %v, %d bytes", m.Truncated, m.Len())
	}
	q := new(mdns.Msg)
	q.SetQuestion("crowd.dev.local.", mdns.TypeA)
	q.SetEdns0(4096, false)
	c := mdns.Client{Timeout: 2 * time.Second}
	edns, _, err := c.Exchange(q, server)
	if err != nil {
		t.Fatal(err)
	}
	edns.Compress = true
	if opt := edns.IsEdns0(); opt == nil || opt.UDPSize() != maxUDPSize || len(edns.Answer) <= len(m.Answer) || edns.Len() > maxUDPSize {
		t.Errorf("EDNS: %d answers, %d bytes, %v", len(edns.Answer), edns.Len(), opt)
	}
	if m := ask(t, "tcp", server, "crowd.dev.local", mdns.TypeA); m.Truncated || len(m.Answer) != 100 {
		t.Errorf("TCP: truncated %v, %d answers", m.Truncated, len(m.Answer))
	}
}

func TestForwarding(t *testing.T) {
	crowd := zone{"www.example.test": {addr("192.0.2.80", time.Hour)}, "big.example.test": many(100)}
	upstream := serve(t, Config{Lookup: func(_, name string) ([]Record, bool) { return crowd[name], true }}, "outside")
	var dialed []string
	server := serve(t, Config{
		Lookup: names.lookup, Upstreams: []string{"dead:53", upstream},
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dialed = append(dialed, network)
			if addr != upstream {
				return nil, errors.New("unreachable")
			}
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			return struct{ net.Conn }{c}, err // a wrapper, as connections from elsewhere are
		},
	}, "vpc-1")
	for name, want := range map[string]string{
		"www.example.test":    "NOERROR 192.0.2.80",
		"nobody.example.test": "NXDOMAIN",
		"out.dev.local":       "NOERROR 192.0.2.80 www.example.test.",
		"payment.dev.local":   "NOERROR 10.0.3.5 10.0.4.5",
	} {
		if got := short(ask(t, "udp", server, name, mdns.TypeA)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if m := ask(t, "tcp", server, "big.example.test", mdns.TypeA); len(m.Answer) != 100 {
		t.Errorf("an answer that needs TCP upstream: %d records", len(m.Answer))
	}
	if !slices.Contains(dialed, "tcp") || !slices.Contains(dialed, "udp") {
		t.Errorf("dialed %v", dialed)
	}
}

func TestVPCsSeeTheirOwnNamesOnly(t *testing.T) {
	server := serve(t, Config{Lookup: names.lookup}, "vpc-2")
	if got := short(ask(t, "udp", server, "payment.dev.local", mdns.TypeA)); got != "SERVFAIL" {
		t.Errorf("another VPC's name: %s", got)
	}
}

func TestBadMessages(t *testing.T) {
	s := New(Config{Lookup: names.lookup, Log: slog.New(slog.DiscardHandler)})
	none := new(mdns.Msg)
	chaos := new(mdns.Msg)
	chaos.SetQuestion("version.bind.", mdns.TypeTXT)
	chaos.Question[0].Qclass = mdns.ClassCHAOS
	update := new(mdns.Msg)
	update.SetUpdate("dev.local.")
	version := new(mdns.Msg)
	version.SetQuestion("payment.dev.local.", mdns.TypeA)
	version.SetEdns0(1232, false)
	version.IsEdns0().SetVersion(1)
	for want, q := range map[int]*mdns.Msg{
		mdns.RcodeFormatError: none, mdns.RcodeRefused: chaos, mdns.RcodeNotImplemented: update, mdns.RcodeBadVers: version,
	} {
		if got := s.answer(t.Context(), "vpc-1", q, "udp").Rcode; got != want {
			t.Errorf("rcode %d, want %d", got, want)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	s := New(Config{Lookup: names.lookup, Log: slog.New(slog.DiscardHandler)})
	q := new(mdns.Msg)
	q.SetQuestion("crowd.dev.local.", mdns.TypeA)
	seed, _ := q.Pack()
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		q := new(mdns.Msg)
		if q.Unpack(b) != nil {
			t.Skip("not a message")
		}
		out, err := s.answer(t.Context(), "vpc-1", q, "udp").Pack()
		if err != nil {
			return // a name that cannot be packed again is not answered
		}
		if len(out) > maxUDPSize {
			t.Errorf("answer of %d bytes", len(out))
		}
	})
}

func TestUpstreams(t *testing.T) {
	got := Upstreams(strings.NewReader("# comment\nsearch x\nnameserver 127.0.0.53\nnameserver 192.0.2.53\nnameserver ::1\nnameserver\noptions edns0\n"))
	if !slices.Equal(got, []string{"192.0.2.53:53"}) {
		t.Errorf("upstreams: %v", got)
	}
}
