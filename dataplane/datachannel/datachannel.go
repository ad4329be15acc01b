// Package datachannel is the agent's end of a session of Systems Manager: the
// protocol by which `aws ecs execute-command` and `aws ssm start-session` join a
// terminal to a process, through the session-manager-plugin.
//
// A channel is a WebSocket. The client opens it with its token as JSON; then both
// send binary messages (message.go). Those of a stream are numbered from 0, each is
// acknowledged, and what is not acknowledged is sent again: the client takes nothing
// that it is not ready for. A handshake says what kind of session it is.
//
// Source: the session-manager-plugin's own code (Apache-2.0) and what it sends.
//
// Invariants: bytes are delivered in order and once, both ways; the client is told that the
// channel is closed only after it has acknowledged all output; what is not in memory's
// bounds is not acknowledged, so that neither side can make the other keep without end.
package datachannel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Conn carries messages whole; it may be written to by several goroutines.
type Conn interface {
	Read(context.Context) ([]byte, error)
	Write(context.Context, []byte) error
}

// Terminal is what a session's process is joined to.
type Terminal struct {
	In    io.Reader   // ends when the client goes
	Out   io.Writer   // blocks when the client does not keep up
	Sizes <-chan Size // the newest size alone waits in it
}

// Size is that of the client's terminal, in characters.
type Size struct {
	Columns uint32 `json:"cols"`
	Rows    uint32 `json:"rows"`
}

// Opening is the first message of a client, as text.
type Opening struct {
	Schema        string `json:"MessageSchemaVersion"`
	RequestID     string `json:"RequestId"`
	Token         string `json:"TokenValue"`
	ClientID      string `json:"ClientId"`
	ClientVersion string
}

// Config says what a channel is for.
type Config struct {
	SessionID string
	// Run is the session: its process. Its error, if any, is what the client is told last.
	Run func(context.Context, Terminal) error
}

// How long a client may take.
const (
	handshakePatience = 30 * time.Second
	farewellPatience  = 10 * time.Second // to acknowledge the last output
)

// errTerminated ends a session that the client has asked to end.
var errTerminated = errors.New("terminated by the client")

// Serve runs a session over an opened channel until its process has ended or the
// client has gone. It returns nil when the client was told that it is over.
func Serve(connected context.Context, conn Conn, cfg Config) error {
	ctx, cancel := context.WithCancelCause(connected)
	defer cancel(nil)
	c := newChannel(conn, cancel)
	go c.read(connected) // a read that is cancelled may close the connection, which has still to say farewell
	go c.resend(ctx)
	if err := c.shakeHands(ctx); err != nil {
		return err
	}
	err := cfg.Run(ctx, Terminal{In: c.input, Out: writer{ctx, c}, Sizes: c.sizes})
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errTerminated) {
		return cause
	}
	c.input.close()
	return c.farewell(connected, cfg.SessionID, err)
}

// request is the handshake's begin: the agent asks for a kind of session.
type request struct {
	AgentVersion           string
	RequestedClientActions []action
}

type action struct {
	ActionType       string
	ActionParameters any
}

// agentVersion is one that clients take for able to do what this one is: flags, sizes,
// handshakes.
const agentVersion = "3.2.0.0"

func (c *channel) shakeHands(ctx context.Context) error {
	began := time.Now()
	ask := request{agentVersion, []action{{"SessionType", map[string]string{"SessionType": "InteractiveCommands"}}}}
	if err := c.sendJSON(ctx, kindHandshakeRequest, ask); err != nil {
		return err
	}
	wait, cancel := context.WithTimeoutCause(ctx, handshakePatience, errors.New("the client does not answer the handshake"))
	defer cancel()
	select {
	case response := <-c.response:
		var answer struct{ Errors []string }
		if err := json.Unmarshal(response, &answer); err != nil {
			return fmt.Errorf("handshake: %w", err)
		}
		if len(answer.Errors) > 0 {
			return fmt.Errorf("handshake: the client refuses: %q", answer.Errors)
		}
	case <-wait.Done():
		return context.Cause(wait)
	}
	return c.sendJSON(ctx, kindHandshakeComplete, map[string]any{"HandshakeTimeToComplete": time.Since(began), "CustomerMessage": ""})
}

func (c *channel) sendJSON(ctx context.Context, kind uint32, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.send(ctx, kind, b)
}

// farewell tells the client that the session is over, once it has all output.
func (c *channel) farewell(ctx context.Context, session string, failure error) error {
	last, cancel := context.WithTimeoutCause(ctx, farewellPatience, errors.New("the client does not acknowledge the last output"))
	defer cancel()
	again, stop := context.WithCancel(ctx)
	defer stop()
	go c.resend(again) // the session's own may have ended with it
	if err := c.drain(last); err != nil {
		return err
	}
	closed := newMessage(typeClosed, 0, 0, nil)
	text := ""
	if failure != nil {
		text = failure.Error()
	}
	var err error
	closed.Payload, err = json.Marshal(map[string]any{
		"MessageId": closed.id(), "CreatedDate": closed.Created.UTC().Format(time.RFC3339), "DestinationId": session, "SessionId": session,
		"MessageType": typeClosed, "SchemaVersion": 1, "Output": text,
	})
	if err != nil {
		return err
	}
	return c.conn.Write(ctx, closed.encode())
}
