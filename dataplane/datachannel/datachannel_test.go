package datachannel

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// pipe is a connection in memory.
type pipe struct{ in, out chan []byte }

func newPipe() (agent, client pipe) {
	a, b := make(chan []byte, 1000), make(chan []byte, 1000)
	return pipe{a, b}, pipe{b, a}
}

func (p pipe) Read(ctx context.Context) ([]byte, error) {
	select {
	case b, ok := <-p.in:
		if !ok {
			return nil, io.EOF
		}
		return b, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p pipe) Write(_ context.Context, b []byte) error {
	p.out <- bytes.Clone(b)
	return nil
}

// client is a plugin: it takes messages in their order, and only when it is ready.
type client struct {
	t        *testing.T
	conn     pipe
	expected int64
	next     int64
	kept     map[int64]message
	refuse   int // so many more messages of data
	got      bytes.Buffer
	asked    request
	closed   map[string]any
	acked    map[int64]bool
}

func (c *client) send(kind uint32, payload []byte) {
	_ = c.conn.Write(context.Background(), newMessage(typeInput, kind, c.next, payload).encode())
	c.next++
}

func (c *client) ack(m message) {
	b, _ := json.Marshal(map[string]any{"AcknowledgedMessageSequenceNumber": m.Sequence, "AcknowledgedMessageId": m.id()})
	_ = c.conn.Write(context.Background(), newMessage(typeAck, 0, 0, b).encode())
}

// run takes messages until the channel is closed or nothing comes any more.
func (c *client) run() {
	for b := range c.conn.in {
		m, err := decode(b)
		if err != nil {
			c.t.Error(err)
			return
		}
		switch {
		case m.Type == typeClosed:
			if err := json.Unmarshal(m.Payload, &c.closed); err != nil {
				c.t.Error(err)
			}
			return
		case m.Type == typeAck:
			var a struct {
				Sequence int64 `json:"AcknowledgedMessageSequenceNumber"`
			}
			_ = json.Unmarshal(m.Payload, &a)
			c.acked[a.Sequence] = true
		case m.Sequence < c.expected:
			c.ack(m)
		case m.Sequence > c.expected:
			c.kept[m.Sequence] = m
			c.ack(m)
		case m.Kind == kindData && c.refuse > 0:
			c.refuse--
		default:
			c.ack(m)
			c.take(m)
			for next, ok := c.kept[c.expected]; ok; next, ok = c.kept[c.expected] {
				c.take(next)
			}
		}
	}
}

func (c *client) take(m message) {
	c.expected++
	switch m.Kind {
	case kindHandshakeRequest:
		_ = json.Unmarshal(m.Payload, &c.asked)
		c.send(kindHandshakeResponse, []byte(`{"ClientVersion":"1.2.0.0","ProcessedClientActions":[],"Errors":null}`))
	case kindData:
		c.got.Write(m.Payload)
	}
}

func newClient(t *testing.T, conn pipe) *client {
	return &client{t: t, conn: conn, kept: map[int64]message{}, acked: map[int64]bool{}}
}

func TestASessionFromItsHandshakeToItsFarewell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		agent, far := newPipe()
		c := newClient(t, far)
		c.refuse = 3 // as long as its session is not set up
		over := make(chan struct{})
		go func() { defer close(over); c.run() }()
		flood := strings.Repeat("0123456789abcdef", 60_000) // more than a window
		err := Serve(t.Context(), agent, Config{SessionID: "one", Run: func(_ context.Context, term Terminal) error {
			synctest.Wait() // until the client has all of the handshake
			c.send(kindData, []byte("ls\n"))
			size, _ := json.Marshal(Size{Columns: 80, Rows: 24})
			c.send(kindSize, size)
			b := make([]byte, 3)
			if _, err := io.ReadFull(term.In, b); err != nil || string(b) != "ls\n" {
				t.Errorf("%q %v", b, err)
			}
			if s := <-term.Sizes; s.Columns != 80 || s.Rows != 24 {
				t.Errorf("%+v", s)
			}
			_, err := io.WriteString(term.Out, flood)
			return errors.Join(err, errors.New("it is over"))
		}})
		<-over
		if err != nil || c.got.String() != flood {
			t.Errorf("%v; %d bytes of %d arrived", err, c.got.Len(), len(flood))
		}
		if len(c.asked.RequestedClientActions) != 1 || c.asked.RequestedClientActions[0].ActionType != "SessionType" {
			t.Errorf("the handshake asks for %+v", c.asked)
		}
		if c.closed["Output"] != "it is over" || c.closed["SessionId"] != "one" {
			t.Errorf("the farewell is %v", c.closed)
		}
	})
}

func TestAClientThatGoesEndsTheProcess(t *testing.T) {
	for name, leave := range map[string]func(*client, context.CancelFunc){
		"it closes":         func(c *client, _ context.CancelFunc) { close(c.conn.out) },
		"it sends nonsense": func(c *client, _ context.CancelFunc) { c.conn.out <- []byte("nonsense") },
		"it terminates": func(c *client, _ context.CancelFunc) {
			c.send(kindFlag, binary.BigEndian.AppendUint32(nil, flagTerminate))
		},
		"the engine ends": func(_ *client, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				agent, far := newPipe()
				c := newClient(t, far)
				go c.run()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				err := Serve(ctx, agent, Config{Run: func(ctx context.Context, _ Terminal) error {
					synctest.Wait() // until the client has all of the handshake
					leave(c, cancel)
					<-ctx.Done()
					return ctx.Err()
				}})
				if terminated := name == "it terminates"; (err == nil) != terminated {
					t.Errorf("%v", err)
				}
				if err != nil {
					close(agent.out)
				}
			})
		})
	}
}

func TestASilentClientIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		agent, _ := newPipe()
		began := time.Now()
		err := Serve(t.Context(), agent, Config{Run: func(context.Context, Terminal) error { t.Error("it ran"); return nil }})
		if err == nil || time.Since(began) != handshakePatience {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		close(agent.in)
	})
}

// Whatever order input comes in, and however often, it is read once and in order.
func TestInputIsInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(rt, "messages")
		order := rapid.Permutation(sequence(n)).Draw(rt, "order")
		again := rapid.SliceOfN(rapid.IntRange(0, n-1), 0, 10).Draw(rt, "again")
		agent, far := newPipe()
		c := newChannel(agent, func(error) {})
		want := ""
		for i := range n {
			want += fmt.Sprint(i, " ")
		}
		for _, i := range append(order, again...) {
			if err := c.takeInput(context.Background(), newMessage(typeInput, kindData, int64(i), fmt.Append(nil, i, " "))); err != nil {
				rt.Fatal(err)
			}
		}
		c.input.close()
		got, err := io.ReadAll(c.input)
		if err != nil || string(got) != want {
			rt.Errorf("order %v, again %v: %q %v", order, again, got, err)
		}
		if len(far.in) != n+len(again) {
			rt.Errorf("%d acknowledgements, want %d", len(far.in), n+len(again))
		}
	})
}

func sequence(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

func TestInputThatNobodyReadsIsNotAcknowledged(t *testing.T) {
	agent, far := newPipe()
	c := newChannel(agent, func(error) {})
	for i := range 200 {
		if err := c.takeInput(t.Context(), newMessage(typeInput, kindData, int64(i), make([]byte, 64<<10))); err != nil {
			t.Fatal(err)
		}
	}
	if held := c.input.buffer.Len(); held > inputLimit || len(c.early) > early || len(far.in) >= 200 {
		t.Errorf("%d bytes are held, %d messages early, %d acknowledged", held, len(c.early), len(far.in))
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(newMessage(typeInput, kindData, 7, []byte("ls\n")).encode())
	f.Add(newMessage(typeAck, 0, 0, []byte(`{"AcknowledgedMessageSequenceNumber":3}`)).encode())
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decode(b)
		if err != nil {
			return
		}
		again, err := decode(m.encode())
		if err != nil || again.Sequence != m.Sequence || again.ID != m.ID || again.Kind != m.Kind || !bytes.Equal(again.Payload, m.Payload) {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
		agent, _ := newPipe()
		_ = newChannel(agent, func(error) {}).take(t.Context(), b) // must not panic
	})
}
