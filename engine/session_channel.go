package engine

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/slipway-dev/slipway/dataplane/datachannel"
	"github.com/slipway-dev/slipway/node/runtime"
)

// openingPatience is how long a client of a data channel may take to bring its token.
const openingPatience = 10 * time.Second

// channelTerm is the kind of terminal that sessions of the session-manager-plugin get: it
// does not say which it has. Source: amazon-ssm-agent.
const channelTerm = "TERM=xterm-256color"

// serveChannel runs a session as a data channel of Systems Manager: with a terminal
// always, and without its exit code, which the protocol of interactive commands does not carry.
func (s *sessions) serveChannel(w http.ResponseWriter, r *http.Request, id string) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(1 << 20)
	x, ok := s.opened(r.Context(), conn, id)
	if !ok {
		_ = conn.Close(websocket.StatusPolicyViolation, "no such session, or it was used before: call ExecuteCommand again")
		return
	}
	err = datachannel.Serve(r.Context(), channelConn{conn}, datachannel.Config{SessionID: id, Run: func(ctx context.Context, t datachannel.Terminal) error {
		sizes := make(chan runtime.Size, 1)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			for {
				select {
				case <-ctx.Done():
					return
				case size := <-t.Sizes:
					latest(sizes, runtime.Size{Rows: uint16(min(size.Rows, 1<<16-1)), Columns: uint16(min(size.Columns, 1<<16-1))})
				}
			}
		}()
		_, err := s.exec(ctx, x.task, x.container, runtime.Exec{
			Args: words(x.command), Env: []string{channelTerm}, Stdin: t.In, Stdout: t.Out, Stderr: t.Out, TTY: true, Resize: sizes,
		})
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		return err
	}})
	if err != nil {
		_ = conn.Close(websocket.StatusInternalError, "the session broke off")
		return
	}
	_ = conn.Close(websocket.StatusNormalClosure, "")
}

// opened reads the first message of a data channel, which has the token.
func (s *sessions) opened(ctx context.Context, conn *websocket.Conn, id string) (session, bool) {
	ctx, cancel := context.WithTimeout(ctx, openingPatience)
	defer cancel()
	_, b, err := conn.Read(ctx)
	if err != nil {
		return session{}, false
	}
	var first datachannel.Opening
	if json.Unmarshal(b, &first) != nil {
		return session{}, false
	}
	return s.take(id, first.Token)
}

// channelConn carries a data channel's messages over a WebSocket.
type channelConn struct{ conn *websocket.Conn }

func (c channelConn) Read(ctx context.Context) ([]byte, error) {
	_, b, err := c.conn.Read(ctx)
	return b, err
}

func (c channelConn) Write(ctx context.Context, b []byte) error {
	return c.conn.Write(ctx, websocket.MessageBinary, b)
}
