package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"
)

// h2 serves HTTP/2 clients, through net/http.
type h2 struct {
	srv     *Server
	reverse *httputil.ReverseProxy

	mu         sync.Mutex
	transports map[*group]*http.Transport
}

func newH2(s *Server) *h2 {
	h := &h2{srv: s, transports: map[*group]*http.Transport{}}
	h.reverse = &httputil.ReverseProxy{
		Rewrite:        rewrite,
		Transport:      h,
		FlushInterval:  -1,
		ErrorLog:       log.New(discard{}, "", 0),
		ModifyResponse: h.respond,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			st := streamOf(r)
			st.rec.own = true
			st.answer(w, r, errorAnswer(st.statusOf(err)))
		},
	}
	return h
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// serve runs one HTTP/2 connection to its end. It has a server of its own,
// so that it can be told to go away gracefully.
func (h *h2) serve(c *conn, tc *tls.Conn) {
	gone := make(chan struct{})
	idle := c.chain.idle
	hs := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.handle(c, w, r) }),
		IdleTimeout:       idle,
		ReadHeaderTimeout: idle,
		MaxHeaderBytes:    maxRequestHead,
		ErrorLog:          log.New(discard{}, "", 0),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 128},
		ConnState: func(_ net.Conn, st http.ConnState) {
			if st == http.StateClosed {
				close(gone)
			}
		},
	}
	hs.Protocols = new(http.Protocols)
	hs.Protocols.SetHTTP2(true)
	hs.Protocols.SetHTTP1(true)
	hs.TLSConfig = &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
	c.h2.Store(hs)
	_ = hs.Serve(&oneConn{nc: tc, done: gone})
	<-gone
	c.h2.Store(nil)
}

// oneConn is a listener that accepts one connection.
type oneConn struct {
	nc   net.Conn
	done chan struct{}
	once bool
}

func (l *oneConn) Accept() (net.Conn, error) {
	if !l.once {
		l.once = true
		return l.nc, nil
	}
	<-l.done
	return nil, net.ErrClosed
}
func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.nc.LocalAddr() }

// stream is one request of an HTTP/2 client.
type stream struct {
	srv   *Server
	c     *conn
	v     *virtual
	rt    *route
	place placement
	rnd   random
	req   request
	rec   record
	t     *target
}

type streamKey struct{}

func streamOf(r *http.Request) *stream { return r.Context().Value(streamKey{}).(*stream) }

func (h *h2) handle(c *conn, w http.ResponseWriter, r *http.Request) {
	st := &stream{srv: h.srv, c: c}
	st.rnd.s = (h.srv.seed.Add(1)*0x9E3779B97F4A7C15 ^ uint64(time.Now().UnixNano())) | 1
	st.convert(r)
	now := time.Now()
	ch, _ := c.current(c.sock.binding.Load())
	v := ch.names.find(st.req.host)
	st.v = v
	st.rec = record{start: int64(now.Sub(epoch)), wall: now, virtual: v, client: c.req.client, tls: c.tls, scheme: "h2"}
	if v == nil {
		http.NotFound(w, r)
		return
	}
	c.count(v)
	if v.cfg.Settings.AccessLog {
		st.rec.keep(&st.req, nil)
	}
	cw := &countingWriter{ResponseWriter: w}
	defer func() {
		st.rec.out = cw.n
		if st.rec.status == 0 {
			st.rec.status = cw.status
		}
		h.srv.finish(&st.rec)
	}()
	rt := v.route(&st.req)
	st.rt, st.rec.route = rt, rt
	switch {
	case rt == nil:
		st.answer(cw, r, errorAnswer(404))
		return
	case rt.rule.Action.Redirect != nil:
		a := rt.rule.Action.Redirect.answer(&st.req, v)
		st.rec.location = a.location
		st.answer(cw, r, a)
		return
	case rt.rule.Action.Fixed != nil:
		st.answer(cw, r, rt.rule.Action.Fixed.answer())
		return
	}
	st.place = h.srv.place(rt, &st.req, &st.rnd, now)
	st.rec.group = st.place.group
	if st.place.group == nil {
		st.answer(cw, r, errorAnswer(503))
		return
	}
	grpc := isGRPC(r.Header.Get("Content-Type"))
	if ver := st.place.group.roster.Load().cfg.Version; ver == GRPC && r.Method != http.MethodPost || ver == HTTP1 && grpc {
		st.answer(cw, r, errorAnswer(464))
		return
	}
	h.reverse.ServeHTTP(cw, r.WithContext(context.WithValue(r.Context(), streamKey{}, st)))
}

func isGRPC(contentType string) bool {
	const t = "application/grpc"
	return len(contentType) >= len(t) && contentType[:len(t)] == t && (len(contentType) == len(t) || contentType[len(t)] == '+' || contentType[len(t)] == ';')
}

// count books the connection on its listener's owner, once.
func (c *conn) count(v *virtual) {
	c.sock.mu.Lock()
	defer c.sock.mu.Unlock()
	if c.owner == nil {
		c.owner, c.meter = v.owner, v.meter
		c.owner.accepted.Add(1)
		c.owner.active.Add(1)
		c.meter.accepted.Add(1)
		c.meter.active.Add(1)
	}
}

func (st *stream) statusOf(err error) int {
	if errors.Is(err, errNoTarget) {
		return 503
	}
	return statusOf(err)
}

func (st *stream) answer(w http.ResponseWriter, r *http.Request, a answer) {
	st.rec.own, st.rec.status = true, a.status
	hd := w.Header()
	if s := st.v.cfg.Settings.Server; s != "" {
		hd.Set("Server", s)
	}
	if a.kind != "" {
		hd.Set("Content-Type", a.kind)
	}
	if a.location != "" {
		hd.Set("Location", a.location)
	}
	for _, f := range st.v.cfg.Settings.ResponseFields {
		hd.Set(f[0], f[1])
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(a.body))
	}
}

// countingWriter counts what the client gets.
type countingWriter struct {
	http.ResponseWriter
	n      int64
	status int
}

func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *countingWriter) WriteHeader(status int) {
	if status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *countingWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.n += int64(n)
	return n, err
}
