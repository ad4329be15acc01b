package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
)

var errNoTarget = errors.New("no target")

// errDial marks a failure before anything was sent.
type errDial struct{ error }

func (e errDial) Unwrap() error { return e.error }

// convert makes the request the rules look at.
func (st *stream) convert(r *http.Request) {
	q := &st.req
	q.client, q.port, q.scheme = st.c.req.client, st.c.req.port, "https"
	q.reset()
	q.method, q.host, q.version, q.major = []byte(r.Method), []byte(r.Host), "HTTP/2.0", 2
	q.target = []byte(r.RequestURI)
	q.path, q.query = []byte(r.URL.EscapedPath()), []byte(r.URL.RawQuery)
	for name, values := range r.Header {
		for _, v := range values {
			f := field{name: []byte(name), value: []byte(v)}
			if f.kind = kindOf(f.name); f.kind == fCookie {
				q.cookies = true
			}
			q.fields = append(q.fields, f)
		}
	}
}

// rewrite turns the client's request into the target's; where it goes is
// decided by RoundTrip.
func rewrite(p *httputil.ProxyRequest) {
	st := streamOf(p.In)
	set, hd := &st.v.cfg.Settings, p.Out.Header
	p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = "http", "target", p.In.Host
	addr := st.c.req.client.Addr().String()
	if set.ForwardedClientPort {
		addr = st.c.req.client.String()
	}
	switch old := p.In.Header.Values("X-Forwarded-For"); set.Forwarded {
	case Append:
		hd.Set("X-Forwarded-For", strings.Join(append(old[:len(old):len(old)], addr), ", "))
	case Preserve:
		hd["X-Forwarded-For"] = old
	}
	hd.Set("X-Forwarded-Proto", "https")
	hd.Set("X-Forwarded-Port", strconv.Itoa(st.v.cfg.Port))
	if set.Trace {
		hd.Set("X-Amzn-Trace-Id", string(appendTrace(nil, []byte(p.In.Header.Get("X-Amzn-Trace-Id")), st.rec.wall, &st.rnd)))
	}
}

// RoundTrip sends the request to a target of the group that was chosen for
// it, and to another one when the first could not be connected to.
func (h *h2) RoundTrip(r *http.Request) (*http.Response, error) {
	st := streamOf(r)
	g := st.place.group
	ro := g.roster.Load()
	tr := h.transport(g, ro)
	var not tried
	err := errNoTarget
	for range attempts {
		t := st.place.target
		if t == nil {
			t = g.pick(ro, st.c.dst, &st.rnd, nanos(), &not)
		}
		if t == nil {
			break
		}
		st.t, st.rec.target = t, t
		out := r.Clone(r.Context())
		out.URL.Host = t.addr
		if ro.cfg.TLS != nil {
			out.URL.Scheme = "https"
		}
		if r.Body != nil && r.Body != http.NoBody {
			out.Body = io.NopCloser(r.Body) // a failed dial must not close it
		}
		t.acquire()
		st.rec.sent = nanos()
		var resp *http.Response
		resp, err = tr.RoundTrip(out)
		if err == nil {
			st.rec.first = nanos()
			resp.Body = &countedBody{ReadCloser: resp.Body, t: t}
			return resp, nil
		}
		t.release()
		not.add(t)
		st.place.target = nil
		if !errors.As(err, new(errDial)) {
			break
		}
		g.meter.connErrs.Add(1)
		t.avoid.Store(nanos() + int64(avoidFor))
	}
	return nil, err
}

// countedBody ends a target's request in flight when the response has been read.
type countedBody struct {
	io.ReadCloser
	t *target
}

func (b *countedBody) Close() error {
	if b.t != nil {
		b.t.release()
		b.t = nil
	}
	return b.ReadCloser.Close()
}

// Write lets an upgraded body through; HTTP/2 clients have none.
func (b *countedBody) Write(p []byte) (int, error) {
	if w, ok := b.ReadCloser.(io.Writer); ok {
		return w.Write(p)
	}
	return 0, errors.ErrUnsupported
}

func (h *h2) respond(resp *http.Response) error {
	st := streamOf(resp.Request)
	st.rec.upstream, st.rec.status = resp.StatusCode, resp.StatusCode
	appSet := false
	for _, v := range resp.Header.Values("Set-Cookie") {
		appSet = appSet || setsCookie([]byte(v), st.place.group)
	}
	for _, v := range st.srv.binds(st.rt, &st.place, st.t, appSet, true, st.rec.wall) {
		resp.Header.Add("Set-Cookie", v)
	}
	for _, f := range st.v.cfg.Settings.ResponseFields {
		resp.Header.Set(f[0], f[1])
	}
	return nil
}

// transport is the group's own; its connections are apart from those of the
// fast path.
func (h *h2) transport(g *group, ro *roster) *http.Transport {
	h.mu.Lock()
	defer h.mu.Unlock()
	if tr := h.transports[g]; tr != nil {
		return tr
	}
	tr := &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, ro.cfg.ConnectTimeout)
			defer cancel()
			nc, err := h.srv.opts.Dial(ctx, ro.cfg.Network, addr)
			if err != nil {
				return nil, errDial{err}
			}
			return nc, nil
		},
		DisableCompression:  true,
		MaxIdleConnsPerHost: maxIdle,
		IdleConnTimeout:     idleKeep,
		Protocols:           new(http.Protocols),
	}
	switch {
	case ro.cfg.Version == HTTP1:
		tr.Protocols.SetHTTP1(true)
	case ro.cfg.TLS != nil:
		tr.Protocols.SetHTTP2(true)
	default:
		tr.Protocols.SetUnencryptedHTTP2(true)
	}
	if ro.cfg.TLS != nil {
		tr.TLSClientConfig = ro.cfg.TLS.Clone()
	}
	h.transports[g] = tr
	return tr
}

// forget drops a group's connections.
func (h *h2) forget(g *group) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if tr := h.transports[g]; tr != nil {
		tr.CloseIdleConnections()
		delete(h.transports, g)
	}
}

func (h *h2) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for g, tr := range h.transports {
		tr.CloseIdleConnections()
		delete(h.transports, g)
	}
}
