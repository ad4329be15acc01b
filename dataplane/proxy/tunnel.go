package proxy

// tunnel serves an upgraded connection (WebSocket): the response head goes
// to the client, then bytes both ways until either side ends, or nothing
// moved for the idle timeout. It counts as in flight as long as it lasts.
func (x *exchange) tunnel() {
	c, u := x.c, x.u
	out := c.appendStatus(scratch(c.snk.out))
	for i := range c.resp.fields {
		if f := &c.resp.fields[i]; f.kind != fKeepAlive && f.kind != fProxyConnection && f.kind != fContentLength && f.kind != fTransferEncoding && f.kind != fRefused {
			out = appendField(out, f.name, f.value)
		}
	}
	c.snk.out = append(out, "\r\n"...)
	if x.upload != nil && x.endUpload() != nil {
		u.discard()
		c.srv.finish(&c.rec)
		return
	}
	c.join(u, nil, nil)
	c.rec.out = c.snk.sent
	c.rec.in += u.snk.sent
	c.srv.finish(&c.rec)
}
