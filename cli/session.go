package cli

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/coder/websocket"
	"golang.org/x/term"
)

// Frames of a session are binary WebSocket messages; the first byte says what
// follows. They are the engine's, in its session.go.
const (
	frameIn   = 0 // to the engine: bytes of standard input; none = end of input
	frameOut  = 1 // from the engine: bytes of standard output
	frameErr  = 2 // from the engine: bytes of standard error
	frameExit = 3 // from the engine: exit code, four bytes, big endian; the last frame
	frameSize = 4 // to the engine: rows and columns, two bytes each, big endian
)

// maxFrame is the largest frame taken; the engine's are much smaller.
const maxFrame = 4 << 20

// session joins our standard streams to a command in a container and returns
// the command's exit code.
func (a *app) session(ctx context.Context, address, token string) (int, error) {
	u, err := url.Parse(address)
	if err != nil {
		return 0, fmt.Errorf("address of the session: %w", err)
	}
	tty := a.tty()
	if tty != nil {
		u.RawQuery = url.Values{"tty": {"1"}, "term": {os.Getenv("TERM")}}.Encode()
	}
	//nolint:bodyclose // the package closes it, see websocket.Dial
	conn, resp, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
	if err != nil {
		if resp != nil && resp.StatusCode == http.StatusForbidden {
			return 0, fmt.Errorf("the engine refuses the session: it was used before, or a minute has passed")
		}
		return 0, fmt.Errorf("open the session: %w", err)
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(maxFrame)
	if tty != nil {
		restore, err := raw(ctx, conn, tty)
		if err != nil {
			return 0, err
		}
		defer restore()
	}
	go sendInput(ctx, conn, a.in)
	return a.receive(ctx, conn)
}

// tty is our terminal, if input and output are one.
func (a *app) tty() *os.File {
	in, ok := a.in.(*os.File)
	if !ok || !a.terminal || !term.IsTerminal(int(in.Fd())) {
		return nil
	}
	return in
}

// raw hands every key to the command, ^C included, and tells it the
// terminal's size now and whenever it changes.
func raw(ctx context.Context, conn *websocket.Conn, tty *os.File) (restore func(), err error) {
	old, err := term.MakeRaw(int(tty.Fd()))
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	ctx, cancel := context.WithCancel(ctx)
	var sending sync.WaitGroup
	sending.Go(func() {
		for {
			if w, h, err := term.GetSize(int(tty.Fd())); err == nil {
				frame := binary.BigEndian.AppendUint16([]byte{frameSize}, uint16(h))
				_ = conn.Write(ctx, websocket.MessageBinary, binary.BigEndian.AppendUint16(frame, uint16(w)))
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		sending.Wait()
		signal.Stop(changed)
		_ = term.Restore(int(tty.Fd()), old)
	}, nil
}

// sendInput sends what we are given until it ends. It may be left waiting for
// a key when the command has ended.
func sendInput(ctx context.Context, conn *websocket.Conn, in io.Reader) {
	b := make([]byte, 32<<10)
	b[0] = frameIn
	for {
		n, err := in.Read(b[1:])
		if n > 0 && conn.Write(ctx, websocket.MessageBinary, b[:1+n]) != nil {
			return
		}
		if err != nil {
			_ = conn.Write(ctx, websocket.MessageBinary, []byte{frameIn})
			return
		}
	}
}

// receive writes the command's output until its exit code comes.
func (a *app) receive(ctx context.Context, conn *websocket.Conn) (int, error) {
	for {
		_, b, err := conn.Read(ctx)
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if err != nil {
			return 0, &codedError{255, fmt.Errorf("the session broke off: %w", err)}
		}
		switch {
		case len(b) > 1 && b[0] == frameOut:
			_, err = a.out.Write(b[1:])
		case len(b) > 1 && b[0] == frameErr:
			_, err = a.err.Write(b[1:])
		case len(b) == 5 && b[0] == frameExit:
			return int(binary.BigEndian.Uint32(b[1:]) & 0xff), nil
		}
		if err != nil {
			return 0, fmt.Errorf("write output: %w", err)
		}
	}
}
