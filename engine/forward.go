package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/node/agent"
)

// forwardPath is where a connection into a task is had: a WebSocket per connection,
// whose binary messages are its bytes; an empty one ends a direction. AWS does so by
// the ECS container's agent and ssm:StartSession. Query: task, an ARN; port.
const forwardPath = "/_slipway/forward"

// forward joins a WebSocket to a port of a task, as a program inside of it would reach it: at
// 127.0.0.1, else at the task's own address. Security groups have no say.
func (e *Engine) forward(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	port, err := strconv.ParseUint(q.Get("port"), 10, 16)
	if err != nil || port == 0 {
		refuse(w, http.StatusBadRequest, "ValidationException", fmt.Sprintf("Port %q is none between 1 and 65535.", q.Get("port")))
		return
	}
	t, err := agent.Tasks.Get(e.store.Snapshot(), q.Get("task"))
	if err != nil || t.Scope != awsapi.CallerOf(r.Context()).Scope {
		refuse(w, http.StatusNotFound, "InvalidParameterException", fmt.Sprintf("Task %q is not found.", q.Get("task")))
		return
	}
	to, err := e.dialInside(r.Context(), t, int(port))
	if err != nil {
		refuse(w, http.StatusBadGateway, "TargetNotConnectedException", fmt.Sprintf("Nothing answers at port %d of task %s: %v.", port, t.ID, err))
		return
	}
	defer to.Close()
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(1 << 20)
	if err := relay(r.Context(), conn, to); err == nil {
		_ = conn.Close(websocket.StatusNormalClosure, "")
	}
}

// dialInside connects from inside a task's network.
func (e *Engine) dialInside(ctx context.Context, t agent.Task, port int) (*net.TCPConn, error) {
	var errs []error
	for _, host := range []string{"127.0.0.1", t.IP} {
		c, err := e.node.network.DialTask(ctx, t.VPC, t.Interface, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if tcp, ok := c.(*net.TCPConn); ok && err == nil {
			return tcp, nil
		}
		errs = append(errs, err)
	}
	return nil, errs[0]
}

// relay carries bytes both ways until both directions have ended.
func relay(ctx context.Context, conn *websocket.Conn, to *net.TCPConn) error {
	group, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() { _ = to.Close() })
	defer stop()
	group.Go(func() error {
		for {
			_, b, err := conn.Read(ctx)
			if err == nil && len(b) == 0 {
				return to.CloseWrite()
			}
			if err == nil {
				_, err = to.Write(b)
			}
			if err != nil {
				return err
			}
		}
	})
	group.Go(func() error {
		b := make([]byte, 32<<10)
		for {
			n, err := to.Read(b)
			if n > 0 {
				if err := conn.Write(ctx, websocket.MessageBinary, b[:n]); err != nil {
					return err
				}
			}
			if errors.Is(err, io.EOF) {
				return conn.Write(ctx, websocket.MessageBinary, nil)
			}
			if err != nil {
				return err
			}
		}
	})
	return group.Wait()
}
