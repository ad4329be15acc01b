package proxy

import (
	"bytes"
	"time"
)

// refuse answers an error and ends the connection.
func (c *conn) refuse(status int) bool {
	c.req.length = 0
	c.reply(c.error(status), false)
	c.linger = true
	return false
}

// reply sends an answer made here. A body that the client is still sending
// is read when it is short, else the connection ends.
func (c *conn) reply(a answer, keep bool) bool {
	if keep && c.req.length != 0 {
		keep = c.skipBody()
	}
	c.rec.own, c.rec.status = true, a.status
	set, fields := &Settings{}, []byte(nil)
	v := c.rec.virtual
	if v != nil {
		set, fields = &v.cfg.Settings, v.set
	} else {
		c.snk.timeout = 10 * time.Second
	}
	c.logHead(nil)
	out := appendAnswer(scratch(c.snk.out), a, set, fields, string(c.req.method) == "HEAD", keep, c.rec.wall)
	if set.Log != nil {
		c.rec.body = int64(len(out) - bytes.Index(out, []byte("\r\n\r\n")) - 4)
	}
	c.snk.begin(out)
	err := c.snk.end(nil)
	c.rec.out = c.snk.sent
	c.srv.finish(&c.rec)
	if !keep && c.req.length != 0 {
		c.linger = true
	}
	return err == nil && keep
}

// logHead saves what the log needs while the head is still in its buffer.
func (c *conn) logHead(trace []byte) {
	switch v := c.rec.virtual; {
	case v == nil:
	case v.cfg.Settings.Log != nil:
		c.rec.keepRequest(&c.req)
	case v.cfg.Settings.AccessLog && len(c.rec.text) == 0:
		c.rec.keep(&c.req, trace)
	}
}

// skipBody drops a request body that is wholly in the buffer.
func (c *conn) skipBody() bool {
	if n := c.req.length; n > 0 && n <= int64(c.src.w-c.src.r) {
		c.src.r += int(n)
		c.req.length = 0
		return true
	}
	return false
}
