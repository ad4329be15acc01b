package proxy

import "errors"

// carry takes a connection to a target and bytes both ways, whatever they
// mean.
func (c *conn) carry(v *virtual) {
	c.count(v)
	g := v.tcp.choose(&c.rnd)
	meters := []*tcpMeter{&v.meter.tcp, &v.owner.meter.tcp}
	if g != nil {
		meters = append(meters, &g.meter.tcp)
	}
	for _, m := range meters {
		m.conns.Add(1)
		m.active.Add(1)
		defer m.active.Add(-1)
	}
	u := c.reach(v, g)
	if u == nil {
		for _, m := range meters {
			m.refused.Add(1)
		}
		return
	}
	defer u.target.release()
	idle := v.idle
	if d := v.tcp.rule.Action.Forward.Idle; d > 0 {
		idle = d
	}
	c.src.timeout, c.snk.timeout, u.src.timeout, u.snk.timeout = idle, idle, idle, idle
	c.join(u, func(n int64) {
		for _, m := range meters {
			m.received.Add(n)
		}
	}, func(n int64) {
		for _, m := range meters {
			m.sent.Add(n)
		}
	})
}

// reach connects to a target of g, to another one when that fails.
func (c *conn) reach(v *virtual, g *group) *upstream {
	if g == nil {
		return nil
	}
	tries := attempts
	if r := v.tcp.rule.Action.Forward.Retry; r != nil {
		tries = 1 + r.Max
	}
	var not tried
	for range tries {
		t := g.pick(g.roster.Load(), c.dst, &c.rnd, nanos(), &not)
		if t == nil {
			return nil
		}
		t.acquire()
		u, err := t.get(c.srv.ctx, nanos(), want{fresh: true, upgrade: true})
		if err == nil {
			return u
		}
		t.release()
		if errors.Is(err, errOverflow) {
			return nil
		}
		t.failed()
		not.add(t)
	}
	return nil
}

// join carries bytes both ways until both sides have ended, or nothing moved
// for the idle timeout, and ends the target's connection. up and down are told
// of the bytes as they move; they may be nil.
func (c *conn) join(u *upstream, up, down func(n int64)) {
	c.moves.start()
	c.src.active, u.src.active, c.snk.active, u.snk.active = &c.moves, &c.moves, &c.moves, &c.moves
	done := make(chan struct{})
	go func() {
		defer close(done)
		oneWay(u, &u.src, &c.snk, down)
	}()
	oneWay(u, &c.src, &u.snk, up)
	<-done
	u.discard()
}

// oneWay carries bytes until src ends, then ends dst's other half; an error
// ends both connections.
func oneWay(u *upstream, src *source, dst *sink, moved func(n int64)) {
	p := pump{body: newBody(untilClose), src: src, dst: dst, moved: moved}
	err := p.run()
	if err != nil && src == &u.src {
		u.refused(err)
	}
	cw, ok := dst.nc.(interface{ CloseWrite() error })
	if err == nil && ok && cw.CloseWrite() == nil {
		return
	}
	_ = src.nc.Close()
	_ = dst.nc.Close()
}
