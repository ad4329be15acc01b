package proxy

import "sync"

// enter finds the chain of a new connection and reports whether there is one.
func (c *conn) enter() bool {
	b := c.sock.binding.Load()
	c.bound, c.dst = b, addrOf(c.nc.LocalAddr())
	if b.redirected {
		dst, err := c.srv.opts.Original(c.nc)
		if err != nil || dst == c.dst {
			// Nothing sent it here but its client: going on would be going round in a circle.
			b.all[0].owner.unmatched.Add(1)
			return false
		}
		c.dst = dst
	}
	c.req.port = c.dst.Port()
	c.chain = b.choose(c.dst, sync.OnceValue(func() bool {
		c.idle.Store(true)
		defer c.idle.Store(false)
		nc, hello := startsTLS(c.nc)
		c.attach(nc)
		return hello
	}))
	if c.chain == nil {
		b.all[0].owner.unmatched.Add(1)
		return false
	}
	return !c.sock.closing.Load()
}

// pick finds the listener of a request, nil when the host is nobody's.
func (c *conn) pick(host []byte) *virtual {
	if b := c.sock.binding.Load(); b != c.bound {
		c.bound = b
		c.chain, c.leaving = c.current(b)
	}
	return c.chain.names.find(host)
}

// current is the connection's chain in b: the same as it had, or what a new
// connection would get. leaving says that it is to end when it can: there is
// no chain for it any more, or TLS would be ended in another way now.
func (c *conn) current(b *binding) (ch *chain, leaving bool) {
	ch = b.same(c.chain.key)
	if ch == nil {
		ch = b.choose(c.dst, func() bool { return c.tls != nil })
	}
	if ch == nil || ch.tcp != nil || (ch.tls == nil) != (c.tls == nil) {
		return c.chain, true
	}
	if c.hello == nil {
		return ch, false
	}
	for _, v := range ch.all {
		if v.cfg.TLS.Config == c.hello.cfg.TLS.Config {
			return ch, false
		}
	}
	return ch, true
}
