package proxy

import (
	"errors"
	"os"
	"time"
)

// tunnel serves an upgraded connection (WebSocket): the response head goes
// to the client, then bytes both ways until either side ends, or nothing
// moved for the idle timeout. It counts as in flight as long as it lasts.
func (x *exchange) tunnel() {
	c, u := x.c, x.u
	out := c.appendStatus(scratch(c.snk.out))
	for i := range c.resp.fields {
		if f := &c.resp.fields[i]; f.kind != fKeepAlive && f.kind != fProxyConnection && f.kind != fContentLength && f.kind != fTransferEncoding {
			out = appendField(out, f.name, f.value)
		}
	}
	c.snk.out = append(out, "\r\n"...)
	if x.upload != nil && x.endUpload() != nil {
		u.discard()
		c.srv.finish(&c.rec)
		return
	}
	x.share(&c.moves)
	down := make(chan struct{})
	go func() {
		defer close(down)
		x.oneWay(&u.src, &c.snk)
	}()
	x.oneWay(&c.src, &u.snk)
	<-down
	u.discard()
	c.rec.out = c.snk.sent
	c.rec.in += u.snk.sent
	c.srv.finish(&c.rec)
}

// oneWay carries bytes until src ends, then ends dst's other half; an error
// ends both connections.
func (x *exchange) oneWay(src *source, dst *sink) {
	p := pump{body: newBody(untilClose), src: src, dst: dst}
	err := p.run()
	cw, ok := dst.nc.(interface{ CloseWrite() error })
	if err == nil && ok && cw.CloseWrite() == nil {
		return
	}
	var side errSource
	if errors.As(err, &side) && errors.Is(err, os.ErrDeadlineExceeded) {
		x.c.srv.opts.Log.Debug("idle tunnel closed", "after", time.Duration(nanos()-x.c.rec.start))
	}
	_ = src.nc.Close()
	_ = dst.nc.Close()
}
