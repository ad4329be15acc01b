package proxy

import (
	"crypto/tls"
	"strconv"
)

// buildHead writes the request head for the target into c.out: end-to-end
// fields as they came, hop-by-hop ones removed, those of a load balancer
// added.
func (c *conn) buildHead(x *exchange) {
	r, set := &c.req, &x.v.cfg.Settings
	m := &x.marks
	out := append(scratch(c.out), r.method...)
	out = append(out, ' ')
	m.path = len(out)
	out = x.rt.appendTarget(out, r)
	m.pathEnd = len(out)
	out = append(out, " HTTP/1.1\r\n"...)
	m.fields = len(out)
	host, traced := false, false
	for i := range r.fields {
		f := &r.fields[i]
		switch f.kind {
		case other, fCookie, fContentLength, fTrailer:
			if f.drop || set.DropInvalidFields && !all(f.name, isPlain) {
				continue
			}
		case fHost:
			if host {
				continue
			}
			host = true
			out = m.appendHost(out, f.name, x.rt.host(r))
			continue
		case fTE:
			if c.src.st == nil {
				continue
			}
		case fForwardedFor:
			if set.Forwarded != Preserve && !set.Plain {
				continue
			}
		case fForwardedProto, fForwardedPort:
			if !set.Plain {
				continue
			}
		case fTraceParent:
			traced = true
		case fClientCert:
			if set.ClientCert {
				continue
			}
		case fTraceID:
			if set.Trace {
				continue
			}
		case fUpgrade:
			if !r.upgrade {
				continue
			}
		default: // hop-by-hop, and Expect, which is answered here
			continue
		}
		out = appendField(out, f.name, f.value)
	}
	if !host {
		name := x.rt.host(r)
		if len(name) == 0 && len(x.v.cfg.Names) > 0 {
			name = []byte(x.v.cfg.Names[0])
		}
		out = m.appendHost(out, []byte("Host"), name)
	}
	if r.length < 0 {
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	} else if r.length > 0 && c.src.st != nil && fieldOf(r.fields, "content-length") == nil {
		out = append(strconv.AppendInt(append(out, "Content-Length: "...), r.length, 10), "\r\n"...)
	}
	if r.upgrade {
		out = append(out, "Connection: upgrade\r\n"...)
	}
	if !set.Plain {
		out = c.appendForwarded(out, set)
		out = append(append(append(out, "X-Forwarded-Proto: "...), r.scheme...), "\r\n"...)
		out = append(append(append(out, "X-Forwarded-Port: "...), x.v.port...), "\r\n"...)
	}
	if set.ClientCert {
		if c.cert == nil {
			c.cert = clientCert(c.tls)
		}
		if len(c.cert) > 0 {
			out = append(append(append(out, "X-Forwarded-Client-Cert: "...), c.cert...), "\r\n"...)
		}
	}
	if set.TraceContext && !traced {
		out = append(appendTraceParent(append(out, "Traceparent: "...), &c.rnd), "\r\n"...)
	}
	if set.TLSFields && c.tls != nil {
		out = append(append(append(out, "X-Amzn-Tls-Version: "...), tls.VersionName(c.tls.Version)...), "\r\n"...)
		out = append(append(append(out, "X-Amzn-Tls-Cipher-Suite: "...), tls.CipherSuiteName(c.tls.CipherSuite)...), "\r\n"...)
	}
	if set.Trace {
		var old []byte
		if r.trace >= 0 {
			old = r.fields[r.trace].value
		}
		out = append(out, "X-Amzn-Trace-Id: "...)
		from := len(out)
		out = appendTrace(out, old, c.rec.wall, &c.rnd)
		c.logHead(out[from:])
		out = append(out, "\r\n"...)
	} else {
		c.logHead(nil)
	}
	c.out = append(out, "\r\n"...)
}

func (m *marks) appendHost(out, name, value []byte) []byte {
	out = appendField(out, name, value)
	m.hostEnd = len(out) - len("\r\n")
	m.host = m.hostEnd - len(value)
	return out
}

// appendForwarded writes X-Forwarded-For: what came, joined by commas, and
// the client's address.
func (c *conn) appendForwarded(out []byte, set *Settings) []byte {
	if set.Forwarded != Append {
		return out
	}
	out = append(out, "X-Forwarded-For: "...)
	if c.req.forwarded >= 0 {
		for i := c.req.forwarded; i < len(c.req.fields); i++ {
			if f := &c.req.fields[i]; f.kind == fForwardedFor && len(f.value) > 0 {
				out = append(append(out, f.value...), ", "...)
			}
		}
	}
	if set.ForwardedClientPort {
		out = c.req.client.AppendTo(out)
	} else {
		out = append(out, c.ip...)
	}
	return append(out, "\r\n"...)
}
