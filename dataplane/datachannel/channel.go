package datachannel

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"
)

const (
	window      = 64      // messages that wait for their acknowledgement
	most        = 8 << 10 // bytes of one message's payload
	early       = 256     // messages that have come before their turn
	inputLimit  = 1 << 20 // bytes that the process has not read
	resendAfter = 200 * time.Millisecond
	giveUp      = time.Minute // after which a client that acknowledges nothing has gone
)

// channel is the state of both streams.
type channel struct {
	conn   Conn
	cancel context.CancelCauseFunc

	response chan []byte // of the handshake
	sizes    chan Size
	input    *input

	slots   chan struct{} // one taken for each message that is not acknowledged
	sending sync.Mutex    // messages leave in the order of their numbers

	mu      sync.Mutex
	next    int64     // number of the next message that is sent
	waiting []waiting // not acknowledged, oldest first

	expected int64             // number of the next message to come; of read alone
	early    map[int64]message // that came before their turn
}

type waiting struct {
	sequence    int64
	frame       []byte
	first, last time.Time // sent
}

func newChannel(conn Conn, cancel context.CancelCauseFunc) *channel {
	return &channel{
		conn: conn, cancel: cancel, response: make(chan []byte, 1), sizes: make(chan Size, 1), input: newInput(),
		slots: make(chan struct{}, window), early: map[int64]message{},
	}
}

// send sends a message of the output, when there is room for one more.
func (c *channel) send(ctx context.Context, kind uint32, payload []byte) error {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	c.mu.Lock()
	m := newMessage(typeOutput, kind, c.next, payload)
	c.next++
	now := time.Now()
	w := waiting{m.Sequence, m.encode(), now, now}
	c.waiting = append(c.waiting, w)
	c.mu.Unlock()
	return c.conn.Write(ctx, w.frame)
}

// acknowledged takes what the client has got out of those that wait.
func (c *channel) acknowledged(sequence int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, w := range c.waiting {
		if w.sequence == sequence {
			c.waiting = append(c.waiting[:i:i], c.waiting[i+1:]...)
			<-c.slots
			return
		}
	}
}

// drain waits until everything is acknowledged. Nothing can be sent after it.
func (c *channel) drain(ctx context.Context) error {
	for range window {
		select {
		case c.slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// resend sends the oldest message again while it is not acknowledged. What came
// after it the client has kept.
func (c *channel) resend(ctx context.Context) {
	t := time.NewTicker(resendAfter / 2)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			frame, lost := c.overdue(now)
			if lost {
				c.cancel(errors.New("the client acknowledges nothing"))
				return
			}
			if frame != nil && c.conn.Write(ctx, frame) != nil {
				return // read has seen it as well
			}
		}
	}
}

func (c *channel) overdue(now time.Time) (frame []byte, lost bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		return nil, false
	}
	w := &c.waiting[0]
	if now.Sub(w.first) > giveUp {
		return nil, true
	}
	if now.Sub(w.last) < resendAfter {
		return nil, false
	}
	w.last = now
	return w.frame, false
}

// read takes what the client sends until it goes.
func (c *channel) read(ctx context.Context) {
	defer c.input.close()
	for {
		b, err := c.conn.Read(ctx)
		if err == nil {
			err = c.take(ctx, b)
		}
		if err != nil {
			c.cancel(fmt.Errorf("the client has gone: %w", err))
			return
		}
	}
}

// take takes one message. An error ends the channel.
func (c *channel) take(ctx context.Context, b []byte) error {
	m, err := decode(b)
	if err != nil {
		return err
	}
	switch m.Type {
	case typeAck:
		var a struct {
			Sequence int64 `json:"AcknowledgedMessageSequenceNumber"`
		}
		if err := json.Unmarshal(m.Payload, &a); err != nil {
			return fmt.Errorf("acknowledgement: %w", err)
		}
		c.acknowledged(a.Sequence)
		return nil
	case typeInput:
		return c.takeInput(ctx, m)
	}
	return nil // of other versions of the protocol
}

// takeInput acknowledges a message if it is delivered, or kept until its turn comes.
func (c *channel) takeInput(ctx context.Context, m message) error {
	switch {
	case m.Sequence > c.expected:
		if len(c.early) >= early {
			return nil // it comes again
		}
		c.early[m.Sequence] = m
	case m.Sequence == c.expected:
		if !c.deliver(m, inputLimit) {
			return nil // it comes again
		}
		c.expected++
		for next, ok := c.early[c.expected]; ok; next, ok = c.early[c.expected] {
			c.deliver(next, math.MaxInt) // it has been acknowledged
			delete(c.early, c.expected)
			c.expected++
		}
	} // else it was delivered before, and the acknowledgement came too late
	ack, err := json.Marshal(map[string]any{
		"AcknowledgedMessageType": m.Type, "AcknowledgedMessageId": m.id(), "AcknowledgedMessageSequenceNumber": m.Sequence, "IsSequentialMessage": true,
	})
	if err != nil {
		return err
	}
	answer := newMessage(typeAck, 0, 0, ack)
	answer.Flags = 3
	return c.conn.Write(ctx, answer.encode())
}

// deliver hands a message's payload on; false when more than limit bytes of input would
// be unread.
func (c *channel) deliver(m message, limit int) bool {
	switch m.Kind {
	case kindData:
		return c.input.put(m.Payload, limit)
	case kindSize:
		var size Size
		if json.Unmarshal(m.Payload, &size) == nil {
			select {
			case <-c.sizes:
			default:
			}
			c.sizes <- size
		}
	case kindHandshakeResponse:
		select {
		case c.response <- bytes.Clone(m.Payload):
		default:
		}
	case kindFlag:
		if len(m.Payload) == 4 && binary.BigEndian.Uint32(m.Payload) == flagTerminate {
			c.cancel(errTerminated)
		}
	}
	return true
}

// writer sends what is written as output.
type writer struct {
	ctx context.Context
	c   *channel
}

func (w writer) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		part := b[:min(len(b), most)]
		if err := w.c.send(w.ctx, kindData, part); err != nil {
			return n, err
		}
		n, b = n+len(part), b[len(part):]
	}
	return n, nil
}

// input keeps what the process has not read yet.
type input struct {
	mu     sync.Mutex
	more   *sync.Cond
	buffer bytes.Buffer
	closed bool
}

func newInput() *input {
	in := &input{}
	in.more = sync.NewCond(&in.mu)
	return in
}

// put adds bytes, all or none: false when there would be more than limit.
func (in *input) put(b []byte, limit int) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.buffer.Len() > 0 && in.buffer.Len() > limit-len(b) {
		return false
	}
	if !in.closed {
		in.buffer.Write(b)
		in.more.Broadcast()
	}
	return true
}

// Read waits for bytes, or for the end.
func (in *input) Read(b []byte) (int, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for in.buffer.Len() == 0 {
		if in.closed {
			return 0, io.EOF
		}
		in.more.Wait()
	}
	return in.buffer.Read(b)
}

func (in *input) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed = true
	in.more.Broadcast()
}
