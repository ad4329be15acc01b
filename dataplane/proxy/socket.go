package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// socket is one listening socket with the client connections it accepted.
type socket struct {
	srv     *Server
	addr    string
	ln      net.Listener
	binding atomic.Pointer[binding]
	closing atomic.Bool

	mu    sync.Mutex
	conns map[*conn]struct{}
}

func newSocket(s *Server, addr string, ln net.Listener) *socket {
	return &socket{srv: s, addr: addr, ln: ln, conns: map[*conn]struct{}{}}
}

// accept serves until the listener is closed. Errors that pass (no
// descriptors left) are waited out.
func (so *socket) accept() {
	for {
		nc, err := so.ln.Accept()
		if err != nil {
			if so.closing.Load() || errors.Is(err, net.ErrClosed) || so.srv.ctx.Err() != nil {
				return
			}
			so.srv.opts.Log.Warn("accept failed", "addr", so.addr, "err", err)
			select {
			case <-so.srv.ctx.Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
			continue
		}
		if so.srv.conns.Add(1) > int64(so.srv.opts.MaxConns) {
			so.srv.conns.Add(-1)
			if b := so.binding.Load(); len(b.all) > 0 {
				b.all[0].owner.rejected.Add(1)
			}
			_ = nc.Close()
			continue
		}
		c := newConn(so, nc)
		so.mu.Lock()
		so.conns[c] = struct{}{}
		so.mu.Unlock()
		so.srv.wg.Go(c.serve)
	}
}

func (so *socket) forget(c *conn) {
	so.mu.Lock()
	delete(so.conns, c)
	so.mu.Unlock()
	so.srv.conns.Add(-1)
}

// close stops listening.
func (so *socket) close() {
	so.closing.Store(true)
	_ = so.ln.Close()
}

// drain stops listening and ends the connections: idle ones now, others
// after their request, all when ctx is done.
func (so *socket) drain(ctx context.Context) {
	so.close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for so.kick(false) > 0 {
		select {
		case <-ctx.Done():
			so.kick(true)
			return
		case <-tick.C:
		}
	}
}

// kick wakes the idle connections, or closes every one, and returns how many
// there are.
func (so *socket) kick(all bool) int {
	so.mu.Lock()
	defer so.mu.Unlock()
	for c := range so.conns {
		switch {
		case all:
			_ = c.nc.Close()
		case c.idle.Load():
			_ = c.nc.SetReadDeadline(time.Unix(1, 0))
		default:
			if hc := c.h2.Load(); hc != nil {
				hc.Shutdown()
			}
		}
	}
	return len(so.conns)
}

// recheck ends the HTTP/2 connections that what is served has no place for
// any more, once their requests have ended. Those of HTTP/1.1 find out by
// themselves.
func (so *socket) recheck(b *binding) {
	so.mu.Lock()
	defer so.mu.Unlock()
	for c := range so.conns {
		hc := c.h2.Load()
		if hc == nil {
			continue
		}
		if _, leaving := c.current(b); leaving {
			hc.Shutdown()
		}
	}
}

// compile turns a listener's configuration into what requests are served by.
// Caller holds s.mu.
func (s *Server) compile(l Listener) (*virtual, error) {
	set := &l.Settings
	if set.IdleTimeout == 0 {
		set.IdleTimeout = 60 * time.Second
	}
	if set.KeepAlive == 0 {
		set.KeepAlive = time.Hour
	}
	o := s.owners[l.Owner]
	if o == nil {
		o = &owner{}
		s.owners[l.Owner] = o
	}
	m := s.listeners[l.ID]
	if m == nil {
		m = &listenerMeter{}
		s.listeners[l.ID] = m
	}
	v := &virtual{cfg: l, owner: o, meter: m, port: strconv.AppendInt(nil, int64(l.Port), 10), idle: set.IdleTimeout, age: int64(set.KeepAlive)}
	for _, r := range l.Rules {
		rt, err := compileRule(r, s.groups)
		if err != nil {
			return nil, err
		}
		v.routes = append(v.routes, rt)
	}
	for _, f := range set.ResponseFields {
		if strings.ContainsAny(f[0]+f[1], "\r\n") || !all([]byte(f[0]), isToken) {
			return nil, fmt.Errorf("response field %q: invalid", f[0])
		}
		v.set = appendField(v.set, []byte(f[0]), []byte(f[1]))
	}
	if l.TCP != nil {
		v.tcp = &route{rule: Rule{Action: Action{Forward: l.TCP}}}
		if err := v.tcp.shares(l.TCP, s.groups); err != nil {
			return nil, fmt.Errorf("TCP: %w", err)
		}
	}
	if l.TLS != nil && l.TLS.Config == nil && len(l.TLS.Certificates) == 0 {
		return nil, errors.New("a TLS listener needs a certificate")
	}
	return v, nil
}
