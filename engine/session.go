package engine

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/slipway-dev/slipway/node/runtime"
	"github.com/slipway-dev/slipway/service/ecs"
)

// sessionPath is where sessions of ECS Exec are found.
const sessionPath = "/_slipway/sessions/"

// sessionLife is how long a session may wait for its client.
const sessionLife = time.Minute

// Frames of a session are binary WebSocket messages; the first byte says what
// follows.
const (
	frameIn   = 0 // client: bytes of standard input; none = end of input
	frameOut  = 1 // engine: bytes of standard output
	frameErr  = 2 // engine: bytes of standard error
	frameExit = 3 // engine: exit code, four bytes, big endian; the last frame
	frameSize = 4 // client: rows and columns of its terminal, two bytes each, big endian
)

// Query parameters of a session's address: tty=1 gives the command a
// terminal, term names its kind (TERM).
const (
	queryTTY  = "tty"
	queryTerm = "term"
)

// sessions opens and serves interactive sessions in containers.
type sessions struct {
	endpoint string // ws://localhost:4566
	exec     func(ctx context.Context, task, container string, x runtime.Exec) (int, error)

	mu      sync.Mutex
	waiting map[string]session
}

type session struct {
	task, container, command, token string
	opened                          time.Time
}

var _ ecs.Sessions = (*sessions)(nil)

// Open prepares a session; its client has a minute to come.
func (s *sessions) Open(task, container, command string) (id, url, token string, err error) {
	id, token = "ecs-execute-command-"+rand.Text(), rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	for old, x := range s.waiting {
		if time.Since(x.opened) > sessionLife {
			delete(s.waiting, old)
		}
	}
	s.waiting[id] = session{task, container, command, token, time.Now()}
	return id, s.endpoint + sessionPath + id, token, nil
}

// ServeHTTP runs a session in the protocol of its client: slipway brings the token as
// the bearer; AWS's session-manager-plugin, which does not, in its first message.
func (s *sessions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	bearer, ours := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ours {
		s.serveChannel(w, r, id)
		return
	}
	x, ok := s.take(id, bearer)
	if !ok {
		http.Error(w, "no such session, or it was used before: call ExecuteCommand again", http.StatusForbidden)
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(1 << 20)
	code, err := s.run(r.Context(), conn, x, r.URL.Query())
	frame := frames{r.Context(), conn, frameErr}
	if err != nil {
		_, _ = frame.Write([]byte(err.Error() + "\n"))
		code = 255
	}
	_ = conn.Write(r.Context(), websocket.MessageBinary, binary.BigEndian.AppendUint32([]byte{frameExit}, uint32(code)))
	_ = conn.Close(websocket.StatusNormalClosure, "")
}

// take gives a session out, once, to who has its token.
func (s *sessions) take(id, token string) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.waiting[id]
	if !ok || subtle.ConstantTimeCompare([]byte(token), []byte(x.token)) != 1 || time.Since(x.opened) > sessionLife {
		return session{}, false
	}
	delete(s.waiting, id)
	return x, true
}

// run executes the command with the client's input until it ends or the
// client goes away.
func (s *sessions) run(connected context.Context, conn *websocket.Conn, x session, q url.Values) (int, error) {
	ctx, cancel := context.WithCancel(connected)
	defer cancel()
	in, feed := io.Pipe()
	defer in.Close()
	command := runtime.Exec{
		Args: words(x.command), Stdin: in,
		Stdout: frames{connected, conn, frameOut}, Stderr: frames{connected, conn, frameErr},
	}
	sizes := make(chan runtime.Size, 1)
	if q.Get(queryTTY) == "1" {
		command.TTY, command.Resize = true, sizes
		if term := q.Get(queryTerm); term != "" {
			command.Env = []string{"TERM=" + term}
		}
	}
	go func() {
		defer feed.Close()
		for {
			// Not with ctx: a read that is cancelled closes the connection,
			// which has still to carry the exit code.
			_, b, err := conn.Read(connected)
			if err != nil {
				cancel() // the client has gone, and the command with it
				return
			}
			switch {
			case len(b) == 1 && b[0] == frameIn:
				_ = feed.Close()
			case len(b) > 1 && b[0] == frameIn:
				_, _ = feed.Write(b[1:])
			case len(b) == 5 && b[0] == frameSize:
				latest(sizes, runtime.Size{Rows: binary.BigEndian.Uint16(b[1:]), Columns: binary.BigEndian.Uint16(b[3:])})
			}
		}
	}()
	code, err := s.exec(ctx, x.task, x.container, command)
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return code, err
}

// latest leaves in c the newest size alone: nobody needs the others. Only one
// goroutine sends.
func latest(c chan runtime.Size, size runtime.Size) {
	select {
	case <-c:
	default:
	}
	c <- size
}

// frames writes bytes as frames of one kind.
type frames struct {
	ctx  context.Context
	conn *websocket.Conn
	kind byte
}

func (f frames) Write(b []byte) (int, error) {
	if err := f.conn.Write(f.ctx, websocket.MessageBinary, append([]byte{f.kind}, b...)); err != nil {
		return 0, err
	}
	return len(b), nil
}
