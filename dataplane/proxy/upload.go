package proxy

import (
	"errors"
	"time"
)

// startUpload lets a goroutine carry the request's body while this one waits
// for the response, so that a target may answer before it has read all.
func (x *exchange) startUpload() int {
	c, u := x.c, x.u
	if c.req.expect && c.src.r == c.src.w {
		c.snk.out = append(scratch(c.snk.out), "HTTP/1.1 100 Continue\r\n\r\n"...)
		if c.snk.flush() != nil {
			return 460
		}
	}
	c.logHead(nil)
	x.share(&c.moves)
	p := &pump{body: newBody(c.req.length), src: &c.src, dst: &u.snk, wrap: c.req.length < 0}
	x.upload = make(chan error, 1)
	go func() {
		err := p.run()
		c.rec.in += p.got
		x.upload <- err
		var side errSource
		if errors.As(err, &side) {
			_ = u.src.nc.Close() // the request is broken: do not wait for an answer
		}
	}()
	return 0
}

// uploadFault is the status of a request whose body broke off while the
// answer was awaited, which ended with wait: 400 when the body was malformed,
// 408 when it stalled, 460 when the client went away; 0 when the body is not
// to blame.
func (x *exchange) uploadFault(wait error) int {
	if x.upload == nil {
		return 0
	}
	err := x.endUpload()
	var side errSource
	if !errors.As(err, &side) {
		return 0
	}
	x.keep = false
	var f *fault
	switch {
	case errors.As(err, &f):
		return f.status
	case errors.Is(err, errCut) && !isTimeout(wait):
		return 0
	case errors.Is(err, errCut), isTimeout(err):
		return 408
	}
	return 460
}

// endUpload ends the body's goroutine and tells how the body ended. A body
// that is still coming is cut off, and with it the connection's reuse.
func (x *exchange) endUpload() error {
	var err error
	select {
	case err = <-x.upload:
	default:
		x.c.moves.cut.Store(true)
		_ = x.c.src.nc.SetReadDeadline(time.Unix(1, 0))
		_ = x.u.snk.nc.SetWriteDeadline(time.Unix(1, 0))
		if err = <-x.upload; err == nil {
			x.c.src.until, x.u.snk.until = 0, 0 // it was just done: deadlines are to be set anew
		} else if isTimeout(err) {
			if errors.As(err, new(errSource)) {
				err = errSource{errCut}
			} else {
				err = errSink{errCut}
			}
		}
	}
	if err != nil {
		x.keep, x.c.linger = false, true
	}
	x.c.req.length = 0
	x.share(nil)
	x.upload = nil
	return err
}

// share makes both directions count each other's bytes as activity.
func (x *exchange) share(a *activity) {
	if a != nil {
		a.start()
	}
	x.c.src.active, x.u.src.active, x.c.snk.active, x.u.snk.active = a, a, a, a
}

var errCut = errors.New("request body cut off")
