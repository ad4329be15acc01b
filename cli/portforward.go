package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/kernel/awsapi/sigv4"
)

func (a *app) portForwardCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "port-forward SERVICE|TASK [LOCAL:]REMOTE...", Short: "Reach ports of a running task from this machine",
		Long: "Listen on 127.0.0.1 and carry every connection into a task, from inside of it: at its 127.0.0.1, else at its own address. It may be a port that its security groups " +
			"let nobody reach, such as a debugger's or the sidecar's. Without LOCAL the port is the same, with 0 any that is free.",
		Example:           "  slipway port-forward payment 8080\n  slipway port-forward 1f0c9a2b 0:9901",
		Args:              cobra.MinimumNArgs(2),
		ValidArgsFunction: a.completeServices,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := a.platform()
		if err != nil {
			return err
		}
		var ports []portPair
		for _, word := range args[1:] {
			pair, err := parsePorts(word)
			if err != nil {
				return err
			}
			ports = append(ports, pair)
		}
		t, err := p.taskOf(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		group, ctx := errgroup.WithContext(cmd.Context())
		for _, pair := range ports {
			l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(pair.local)))
			if err != nil {
				return fmt.Errorf("listen for port %d: %w; choose another port of this machine: LOCAL:%d", pair.remote, err, pair.remote)
			}
			defer l.Close()
			if a.json {
				if err := a.print(map[string]any{"address": l.Addr().String(), "task": val(t.TaskArn), "port": pair.remote}); err != nil {
					return err
				}
			} else {
				fmt.Fprintf(a.out, "%s is port %d of task %s\n", l.Addr(), pair.remote, short(val(t.TaskArn)))
			}
			group.Go(func() error { return p.acceptForward(ctx, l, val(t.TaskArn), pair.remote) })
		}
		return group.Wait()
	}
	return cmd
}

type portPair struct{ local, remote int }

func parsePorts(word string) (portPair, error) {
	local, remote, two := strings.Cut(word, ":")
	if !two {
		remote = local
	}
	l, err := strconv.ParseUint(local, 10, 16)
	r, err2 := strconv.ParseUint(remote, 10, 16)
	if err != nil || err2 != nil || r == 0 {
		return portPair{}, usage("%q are no ports; write REMOTE or LOCAL:REMOTE, such as 8080 or 9000:8080", word)
	}
	return portPair{int(l), int(r)}, nil
}

// acceptForward carries connections until ctx ends. One that fails is told, and no reason
// to end.
func (p *platform) acceptForward(ctx context.Context, l net.Listener, task string, port int) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("accept connections at %s: %w", l.Addr(), err)
		}
		go func() {
			defer c.Close()
			if err := p.carry(ctx, c.(*net.TCPConn), task, port); err != nil && ctx.Err() == nil {
				fmt.Fprintf(p.err, "%s: %v\n", p.red("error"), err)
			}
		}()
	}
}

// carry joins one connection to the task's port.
func (p *platform) carry(ctx context.Context, c *net.TCPConn, task string, port int) error {
	path := "/_slipway/forward?" + url.Values{"task": {task}, "port": {strconv.Itoa(port)}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.client.Endpoint+path, http.NoBody)
	if err != nil {
		return err
	}
	sigv4.Sign(r, sigv4.Key{AccessKey: p.client.AccessKey, Secret: p.client.SecretKey}, "slipway", p.client.Region, sigv4.Hash(nil), time.Now())
	//nolint:bodyclose // the package closes it, see websocket.Dial
	conn, resp, err := websocket.Dial(ctx, r.URL.String(), &websocket.DialOptions{HTTPHeader: r.Header})
	if err != nil {
		if resp != nil && resp.Header.Get("X-Amzn-Errortype") != "" {
			var why struct{ Message string }
			_ = json.NewDecoder(io.LimitReader(resp.Body, 4<<10)).Decode(&why) // whatever it is, it refuses
			return fmt.Errorf("the connection is refused: %s", why.Message)
		}
		return fmt.Errorf("reach the task: %w", err)
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(maxFrame)
	group, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	group.Go(func() error {
		b := make([]byte, 32<<10)
		for {
			n, err := c.Read(b)
			if n > 0 {
				if err := conn.Write(ctx, websocket.MessageBinary, b[:n]); err != nil {
					return err
				}
			}
			if errors.Is(err, io.EOF) {
				return conn.Write(ctx, websocket.MessageBinary, nil) // this direction has ended
			}
			if err != nil {
				return err
			}
		}
	})
	group.Go(func() error {
		for {
			_, b, err := conn.Read(ctx)
			if err == nil && len(b) == 0 {
				return c.CloseWrite()
			}
			if err == nil {
				_, err = c.Write(b)
			}
			if err != nil {
				return err
			}
		}
	})
	return group.Wait()
}
