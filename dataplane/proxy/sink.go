package proxy

import (
	"bytes"
	"net"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy/h2"
)

// sink is the writing side: what is appended to out is sent by flush. A
// stream of HTTP/2 is given heads as HTTP/1.1 has them, and makes its own of
// them.
type sink struct {
	nc      net.Conn
	st      *h2.Stream // which nc is, on HTTP/2
	out     []byte
	head    int  // bytes of out that are the head of a stream's response
	ended   bool // the stream's response
	until   int64
	timeout time.Duration
	sent    int64
	fd      uintptr   // pinned descriptor to write to directly, 0 = none
	err     error     // of the last write
	active  *activity // told of every write; may be nil
}

// attach makes it the writing side of a stream, or, with nil, of nothing.
func (k *sink) attach(st *h2.Stream) {
	k.st, k.until, k.head, k.ended, k.err, k.active, k.sent = st, 0, 0, false, nil, nil, 0
	if st != nil {
		k.nc = st
	}
}

// begin takes the head of a response, with whatever of its body follows.
func (k *sink) begin(out []byte) {
	k.out = out
	if k.st != nil {
		k.head = bytes.Index(out, []byte("\r\n\r\n")) + 4
	}
}

// guard sets the deadline of a write, coarsely as a source does.
func (k *sink) guard(now int64) {
	if k.until-now < int64(k.timeout) {
		k.until = now + int64(k.timeout) + int64(k.timeout)/8
		_ = k.nc.SetWriteDeadline(epoch.Add(time.Duration(k.until)))
	}
}

// write sends b under the idle timeout; now may be a moment old.
func (k *sink) write(b []byte, now int64) error {
	if k.fd != 0 && k.active == nil {
		n, errno := rawSend(k.fd, b)
		if errno == 0 {
			k.sent += int64(n)
			if b = b[n:]; len(b) == 0 {
				return nil
			}
		}
	}
	k.guard(now)
	if k.active != nil && k.active.cut.Load() {
		return errCut
	}
	var n int
	n, k.err = k.nc.Write(b)
	k.sent += int64(n)
	if k.active != nil {
		k.active.last.Store(nanos())
	}
	return k.err
}

func (k *sink) flush() error {
	if len(k.out) == 0 {
		return nil
	}
	if k.st != nil {
		return k.push(false, nil)
	}
	now := int64(0)
	if k.fd == 0 || k.active != nil {
		now = nanos()
	}
	err := k.write(k.out, now)
	k.out = k.out[:0]
	return err
}

// end sends what is pending, the last of a message. A stream is ended with
// trailers, which may be none; of HTTP/1.1 they are part of the body.
func (k *sink) end(trailers []byte) error {
	if k.st == nil {
		return k.flush()
	}
	k.ended = true
	return k.push(true, trailers)
}

// push sends what is pending to a stream.
func (k *sink) push(end bool, trailers []byte) error {
	now := nanos()
	k.guard(now)
	if k.active != nil {
		if k.active.cut.Load() {
			return errCut
		}
		k.active.last.Store(now)
	}
	body := k.out[k.head:]
	k.sent += int64(len(k.out))
	if k.head > 0 {
		line := bytes.IndexByte(k.out, '\n') + 1 // HTTP/1.1 200 OK
		status := int(k.out[9]-'0')*100 + int(k.out[10]-'0')*10 + int(k.out[11]-'0')
		k.err = k.st.Respond(status, k.out[line:k.head], body, end && len(trailers) == 0)
		if k.err == nil && end && len(trailers) > 0 {
			k.err = k.st.End(nil, trailers)
		}
	} else if end {
		k.err = k.st.End(body, trailers)
	} else {
		_, k.err = k.st.Write(body)
	}
	k.out, k.head = k.out[:0], 0
	return k.err
}

// data sends b, together with what is pending when both fit a buffer.
func (k *sink) data(b []byte) error {
	if len(k.out)+len(b) <= bufSize-64 { // a chunk's end may follow
		k.out = append(k.out, b...)
		return nil
	}
	if err := k.flush(); err != nil {
		return err
	}
	return k.write(b, nanos())
}
