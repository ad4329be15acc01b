package proxy

// moved places a request anew that no target could act on, where what is
// served has changed meanwhile, and reports whether it has: its targets may
// have left between the choice and the connection, which a busy machine makes
// long. Once only. A Retry is asked instead where there is one.
func (x *exchange) moved() bool {
	c := x.c
	if x.policy != nil || !x.spared || x.streaming || !x.replayable() || c.src.st != nil {
		return false
	}
	v := c.pick(c.req.host)
	if v == nil {
		return false
	}
	rt := v.route(&c.req)
	if rt == nil || rt.rule.Action.Forward == nil || rt.rule.Action.Forward.Rewrite != nil || x.rt.rule.Action.Forward.Rewrite != nil {
		return false
	}
	place := c.srv.place(rt, &c.req, &c.rnd, c.rec.wall)
	if place.group == nil || place.group.roster.Load() == x.roster {
		return false
	}
	x.leave()
	x.rt, x.place, x.group, x.roster = rt, place, place.group, place.group.roster.Load()
	x.tried, x.tries, x.counted, x.policy = tried{}, 0, false, rt.rule.Action.Forward.Retry
	c.rec.route, c.rec.group = rt, x.group
	return x.compatible() && x.admit()
}
