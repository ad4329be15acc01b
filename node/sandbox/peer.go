package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// peer is one end of a connection between two of the three processes; both ends
// may call the other. Descriptors are plain numbers here: an os.File would join
// the runtime's poller, and Fd would clear O_NONBLOCK for every holder.
type peer struct {
	conn   *net.UnixConn
	serve  handler
	notice func(op string, body json.RawMessage)
	closed chan struct{} // closed when the other end has gone

	mu      sync.Mutex
	seq     uint64
	waiting map[uint64]chan reply
}

// handler answers one call. The descriptor that came with it (or noFD) is the
// handler's; one it returns is closed when it has been sent.
type handler func(ctx context.Context, op string, body json.RawMessage, with int) (out any, fd int, err error)

type reply struct {
	message
	fd int
}

// socketPair returns two close-on-exec ends; one of them goes to a child.
func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "rpc"), os.NewFile(uintptr(fds[1]), "rpc"), nil
}

// newPeer takes f over. notice may be nil; it runs in order and must not block.
func newPeer(f *os.File, serve handler, notice func(string, json.RawMessage)) (*peer, error) {
	c, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return nil, fmt.Errorf("rpc socket: %w", err)
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, errors.New("rpc socket: not a unix socket")
	}
	p := &peer{conn: conn, serve: serve, notice: notice, closed: make(chan struct{}), waiting: map[uint64]chan reply{}}
	go p.readLoop()
	return p, nil
}

func (p *peer) close() { p.conn.Close() }

// notify sends a message that has no reply.
func (p *peer) notify(op string, arg any) error {
	body, err := json.Marshal(arg)
	if err != nil {
		return err
	}
	return message{Op: op, Body: body}.write(p.conn, noFD)
}

// call sends one request and waits for its answer, which goes to out unless that
// is nil. The descriptor is noFD if the answer has none; else it is the caller's.
func (p *peer) call(ctx context.Context, op string, arg, out any) (fd int, err error) {
	return p.callWith(ctx, op, arg, noFD, out)
}

// callWith sends a descriptor, which stays the caller's, with the request.
func (p *peer) callWith(ctx context.Context, op string, arg any, with int, out any) (fd int, err error) {
	body, err := json.Marshal(arg)
	if err != nil {
		return noFD, err
	}
	m := message{Op: op, Body: body}
	if d, ok := ctx.Deadline(); ok {
		m.Timeout = max(time.Until(d), time.Millisecond)
	}
	ch := make(chan reply, 1)
	p.mu.Lock()
	p.seq++
	m.Seq = p.seq
	p.waiting[m.Seq] = ch
	p.mu.Unlock()
	defer p.abandon(m.Seq, ch)
	if err := m.write(p.conn, with); err != nil {
		return noFD, fmt.Errorf("%s: %w", op, err)
	}
	select {
	case r := <-ch:
		return r.result(out)
	case <-ctx.Done():
		return noFD, fmt.Errorf("%s: %w", op, ctx.Err())
	case <-p.closed:
		return noFD, fmt.Errorf("%s: %w", op, net.ErrClosed)
	}
}

// abandon closes a descriptor that arrives for a caller who no longer waits.
func (p *peer) abandon(seq uint64, ch chan reply) {
	p.mu.Lock()
	delete(p.waiting, seq)
	p.mu.Unlock()
	select {
	case r := <-ch:
		closeFDs(r.fd)
	default:
	}
}

func (r reply) result(out any) (int, error) {
	if r.Err != nil {
		closeFDs(r.fd)
		return noFD, r.Err
	}
	if out != nil {
		if err := json.Unmarshal(r.Body, out); err != nil {
			closeFDs(r.fd)
			return noFD, err
		}
	}
	return r.fd, nil
}

func (p *peer) readLoop() {
	defer close(p.closed)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel() // what the other end asked for is of no use any more
	buf := make([]byte, packetMax)
	for {
		m, fd, err := read(p.conn, buf)
		if errors.Is(err, errCut) {
			m.Err = failureOf(err)
		} else if err != nil {
			return
		}
		switch {
		case m.Reply:
			p.deliver(reply{m, fd})
		case m.Seq == 0:
			closeFDs(fd)
			if p.notice != nil {
				p.notice(m.Op, m.Body)
			}
		default:
			go p.answer(ctx, m, fd)
		}
	}
}

func (p *peer) deliver(r reply) {
	p.mu.Lock()
	defer p.mu.Unlock() // also while sending, so that abandon sees the reply
	ch := p.waiting[r.Seq]
	delete(p.waiting, r.Seq)
	if ch == nil {
		closeFDs(r.fd)
		return
	}
	ch <- r
}

func (p *peer) answer(ctx context.Context, m message, with int) {
	if m.Timeout > 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, m.Timeout)
		defer cancel()
	}
	r := message{Seq: m.Seq, Reply: true, Err: m.Err}
	fd := noFD
	if r.Err == nil {
		var out any
		var err error
		if out, fd, err = p.serve(ctx, m.Op, m.Body, with); err == nil {
			r.Body, err = json.Marshal(out)
		}
		if err != nil {
			r.Err = failureOf(err)
		}
	}
	defer closeFDs(fd)
	if err := r.write(p.conn, fd); err != nil && r.Err == nil {
		// No room for the answer, perhaps: say at least that much.
		_ = message{Seq: m.Seq, Reply: true, Err: failureOf(err)}.write(p.conn, noFD)
	}
}
