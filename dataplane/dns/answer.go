package dns

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	mdns "github.com/miekg/dns"
)

// maxAliases bounds a chain of CNAME records.
const maxAliases = 8

// negativeTTL is how long clients may keep that a name does not exist.
const negativeTTL = 5 * time.Second

// answer is the answer to a message, fit for the network it came by.
func (s *Server) answer(ctx context.Context, vpcID string, q *mdns.Msg, network string) *mdns.Msg {
	m := new(mdns.Msg)
	m.SetReply(q)
	m.RecursionAvailable = true
	switch {
	case len(q.Question) != 1:
		m.Rcode = mdns.RcodeFormatError
	case q.Opcode != mdns.OpcodeQuery:
		m.Rcode = mdns.RcodeNotImplemented
	case q.Question[0].Qclass != mdns.ClassINET:
		m.Rcode = mdns.RcodeRefused
	default:
		m = s.resolve(ctx, vpcID, q, m)
	}
	size := mdns.MaxMsgSize
	opt := q.IsEdns0()
	if network == "udp" {
		size = mdns.MinMsgSize
		if opt != nil {
			size = min(max(int(opt.UDPSize()), mdns.MinMsgSize), maxUDPSize)
		}
	}
	if opt != nil && m.IsEdns0() == nil {
		m.SetEdns0(maxUDPSize, false)
		if opt.Version() != 0 {
			m.Rcode, m.Answer, m.Ns = mdns.RcodeBadVers, nil, nil
		}
	}
	m.Compress = true
	m.Truncate(size)
	return m
}

// resolve answers from the platform's zones, following aliases, or forwards.
func (s *Server) resolve(ctx context.Context, vpcID string, q, m *mdns.Msg) *mdns.Msg {
	question := q.Question[0]
	name := question.Name
	for range maxAliases {
		records, owned := s.lookup(vpcID, name)
		if !owned {
			return s.forwardRest(ctx, q, m, name)
		}
		m.Authoritative = true
		var alias string
		for _, i := range rand.Perm(len(records)) {
			rr := records[i].rr(name)
			if t := rr.Header().Rrtype; t == question.Qtype || question.Qtype == mdns.TypeANY {
				m.Answer = append(m.Answer, rr)
			} else if t == mdns.TypeCNAME {
				alias = records[i].Alias
				m.Answer = append(m.Answer, rr)
			}
		}
		if alias != "" {
			name = mdns.Fqdn(alias)
			continue
		}
		if len(records) == 0 {
			m.Rcode = mdns.RcodeNameError
		}
		if len(m.Answer) == 0 || len(records) == 0 {
			m.Ns = append(m.Ns, authority(name))
		}
		return m
	}
	m.Rcode, m.Answer = mdns.RcodeServerFailure, nil // a loop
	return m
}

// forwardRest asks upstream for the question, or for the end of its alias.
func (s *Server) forwardRest(ctx context.Context, q, m *mdns.Msg, name string) *mdns.Msg {
	ask := q.Copy()
	ask.Question[0].Name = name
	out, err := s.forward(ctx, ask)
	if err != nil {
		s.cfg.Log.Debug("forward dns question", "name", name, "error", err)
		m.Rcode = mdns.RcodeServerFailure
		return m
	}
	m.Rcode, m.Authoritative = out.Rcode, false
	m.Answer, m.Ns = append(m.Answer, out.Answer...), out.Ns
	return m
}

// lookup asks for the platform's records. What RFC 6761 and RFC 6303 keep local
// is owned even if nobody has it.
func (s *Server) lookup(vpcID, fqdn string) ([]Record, bool) {
	name := strings.TrimSuffix(strings.ToLower(fqdn), ".")
	if records, owned := s.cfg.Lookup(vpcID, name); owned {
		return records, true
	}
	switch {
	case name == "localhost":
		return []Record{{Addr: netip.AddrFrom4([4]byte{127, 0, 0, 1}), TTL: time.Hour}}, true
	case strings.HasSuffix(name, ".localhost"), strings.HasSuffix(name, ".invalid"), privateReverse(name):
		return nil, true
	}
	return nil, false
}

// privateReverse tells whether a name is that of a private or link-local IPv4 address.
func privateReverse(name string) bool {
	rest, ok := strings.CutSuffix(name, ".in-addr.arpa")
	if !ok {
		return false
	}
	labels := strings.Split(rest, ".")
	if len(labels) != 4 {
		return false
	}
	ip, err := netip.ParseAddr(labels[3] + "." + labels[2] + "." + labels[1] + "." + labels[0])
	return err == nil && (ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast())
}

// rr is the record in the form of the wire.
func (r Record) rr(name string) mdns.RR {
	h := mdns.RR_Header{Name: name, Class: mdns.ClassINET, Ttl: uint32(r.TTL / time.Second)}
	switch {
	case r.Addr.Is4():
		h.Rrtype = mdns.TypeA
		return &mdns.A{Hdr: h, A: r.Addr.AsSlice()}
	case r.Addr.IsValid():
		h.Rrtype = mdns.TypeAAAA
		return &mdns.AAAA{Hdr: h, AAAA: r.Addr.AsSlice()}
	case r.Service != nil:
		h.Rrtype = mdns.TypeSRV
		return &mdns.SRV{Hdr: h, Priority: r.Service.Priority, Weight: r.Service.Weight, Port: r.Service.Port, Target: mdns.Fqdn(r.Service.Target)}
	case r.Alias != "" && strings.HasSuffix(strings.ToLower(name), ".in-addr.arpa."):
		h.Rrtype = mdns.TypePTR
		return &mdns.PTR{Hdr: h, Ptr: mdns.Fqdn(r.Alias)}
	case r.Alias != "":
		h.Rrtype = mdns.TypeCNAME
		return &mdns.CNAME{Hdr: h, Target: mdns.Fqdn(r.Alias)}
	default:
		h.Rrtype = mdns.TypeTXT
		return &mdns.TXT{Hdr: h, Txt: chunks(r.Text)}
	}
}

// chunks splits a text into character strings of at most 255 bytes.
func chunks(s string) []string {
	var out []string
	for len(s) > 255 {
		out, s = append(out, s[:255]), s[255:]
	}
	return append(out, s)
}

// authority is the SOA record of a negative answer; its zone is the name's parent.
func authority(name string) mdns.RR {
	zone := "."
	if labels := mdns.Split(name); len(labels) > 1 {
		zone = name[labels[1]:]
	}
	ttl := uint32(negativeTTL / time.Second)
	return &mdns.SOA{
		Hdr: mdns.RR_Header{Name: zone, Rrtype: mdns.TypeSOA, Class: mdns.ClassINET, Ttl: ttl},
		Ns:  "ns.slipway.localhost.", Mbox: "hostmaster.slipway.localhost.", Serial: 1, Refresh: 7200, Retry: 900, Expire: 1209600, Minttl: ttl,
	}
}
