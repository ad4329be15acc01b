package proxy

import (
	"errors"
	"time"
)

// maxKept is how much of a body is kept to be sent again.
const maxKept = 64 << 10

// replay is a body on its way, and what of it was sent.
type replay struct {
	body    body // as far as it was read
	wrap    bool // sent in chunks
	keep    bool // it may be sent again
	begun   bool
	over    bool // too long to be kept
	done    bool // read to its end
	kept    []byte
	trailer []byte
}

// add keeps a piece of the body.
func (p *replay) add(data []byte) {
	switch {
	case !p.keep || p.over:
	case len(p.kept)+len(data) > maxKept:
		p.over, p.kept = true, nil
	default:
		p.kept = append(p.kept, data...)
	}
}

// replayable reports whether the request can be sent once more. No upload is
// going on.
func (x *exchange) replayable() bool {
	return !x.streaming || !x.sent.begun || x.sent.keep && !x.sent.over
}

// worthKeeping reports whether a body that begins to stream is kept for
// another try: of one that is known to be too long nothing is.
func (x *exchange) worthKeeping() bool {
	may := x.policy != nil && x.policy.Max > 0 || x.policy == nil && x.c.srv.opts.Vouch != nil
	return may && x.c.req.length <= maxKept
}

// startUpload lets a goroutine carry the request's body while this one waits
// for the response, so that a target may answer before it has read all.
func (x *exchange) startUpload() int {
	c, u := x.c, x.u
	if c.req.expect && c.src.r == c.src.w && !x.sent.begun {
		c.snk.begin(append(scratch(c.snk.out), "HTTP/1.1 100 Continue\r\n\r\n"...))
		if c.snk.flush() != nil {
			return 460
		}
	}
	c.logHead(nil)
	x.share(&c.moves)
	if !x.sent.begun && c.src.st != nil && (x.sent.wrap || u.shared != nil) {
		x.sent.body = newBody(untilClose) // it ends with its stream
	}
	x.sent.begun = true
	p := &pump{body: x.sent.body, src: &c.src, dst: &u.snk, wrap: x.sent.wrap && u.shared == nil, tape: &x.sent}
	x.upload = make(chan error, 1)
	x.uploading.Add(1)
	go func() {
		defer x.uploading.Done()
		err := p.run()
		c.rec.in += p.got
		x.sent.body = p.body
		if err == nil {
			x.clock(nanos()) // the time the target has begins when it has all
			u.src.hasten(x.tryLimit.Load())
		}
		x.upload <- err
		if errors.As(err, new(errSource)) && !c.moves.cut.Load() {
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
// that is still coming is cut off; it may go on to another target.
func (x *exchange) endUpload() error {
	var err error
	c, u := x.c, x.u
	select {
	case err = <-x.upload:
	default:
		c.moves.cut.Store(true)
		_ = c.src.nc.SetReadDeadline(time.Unix(1, 0))
		_ = u.snk.nc.SetWriteDeadline(time.Unix(1, 0))
		err = <-x.upload
		c.src.until, u.snk.until = 0, 0 // to be set anew
		if isTimeout(err) {
			if errors.As(err, new(errSource)) {
				err = errSource{errCut}
			} else {
				err = errSink{errCut}
			}
		}
	}
	x.uploading.Wait() // until then u may be closed
	c.req.length = 0
	x.share(nil)
	x.upload = nil
	return err
}

// unread says that a body was not read to its end: the connection is not to
// be used again.
func (x *exchange) unread() {
	if x.streaming && x.sent.begun && !x.sent.done {
		x.keep, x.c.linger = false, true
	}
}

// share makes both directions count each other's bytes as activity.
func (x *exchange) share(a *activity) {
	if a != nil {
		a.start()
	}
	x.c.src.active, x.u.src.active, x.c.snk.active, x.u.snk.active = a, a, a, a
}

var errCut = errors.New("request body cut off")
