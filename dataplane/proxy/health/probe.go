package health

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Protocol of a probe.
type Protocol string

// The protocols. gRPC is HTTP or HTTPS with Check.GRPC.
const (
	TCP   Protocol = "TCP"
	HTTP  Protocol = "HTTP"
	HTTPS Protocol = "HTTPS"
)

// Check is how a target is asked.
type Check struct {
	Protocol Protocol
	Addr     string // ip:port
	Path     string
	Matcher  string // codes: "200", "200-299", "200,202"
	Agent    string // User-Agent
	Timeout  time.Duration
	HTTP2    bool // over HTTP/2, by prior knowledge without TLS
	GRPC     bool // ask the gRPC method Path; Matcher holds gRPC codes
}

// Dial connects to a target.
type Dial func(ctx context.Context, addr string) (net.Conn, error)

// Probe asks once, on a connection of its own.
func Probe(ctx context.Context, dial Dial, c Check) Result {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if c.Protocol == TCP {
		nc, err := dial(ctx, c.Addr)
		if err != nil {
			return failure(err)
		}
		_ = nc.Close()
		return Result{OK: true}
	}
	code, err := c.ask(ctx, dial)
	switch {
	case err != nil:
		return failure(err)
	case !Match(c.Matcher, code):
		return Result{Reason: "Target.ResponseCodeMismatch", Description: fmt.Sprintf("Health checks failed with these codes: [%d]", code)}
	}
	return Result{OK: true}
}

func failure(err error) Result {
	var ne net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &ne) && ne.Timeout() {
		return Result{Reason: "Target.Timeout", Description: "Request timed out"}
	}
	return Result{Reason: "Target.FailedHealthChecks", Description: "Health checks failed"}
}

// ask sends the request and returns the HTTP status or the gRPC status.
func (c Check) ask(ctx context.Context, dial Dial) (int, error) {
	tr := &http.Transport{
		DialContext:        func(ctx context.Context, _, addr string) (net.Conn, error) { return dial(ctx, addr) },
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // as ELB: targets are reached by address, their certificates are not checked
		DisableKeepAlives:  true,
		DisableCompression: true,
		Protocols:          new(http.Protocols),
	}
	defer tr.CloseIdleConnections()
	switch {
	case !c.HTTP2:
		tr.Protocols.SetHTTP1(true)
	case c.Protocol == HTTPS:
		tr.Protocols.SetHTTP2(true)
	default:
		tr.Protocols.SetUnencryptedHTTP2(true)
	}
	method, body := http.MethodGet, io.Reader(nil)
	if c.GRPC {
		method, body = http.MethodPost, strings.NewReader("\x00\x00\x00\x00\x00") // an empty message
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.ToLower(string(c.Protocol))+"://"+c.Addr+c.Path, body)
	if err != nil {
		return 0, err
	}
	req.Header.Set("User-Agent", c.Agent)
	req.Close = !c.HTTP2
	if c.GRPC {
		req.Header.Set("Content-Type", "application/grpc")
		req.Header.Set("Te", "trailers")
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)); err != nil {
		return 0, err
	}
	if !c.GRPC {
		return resp.StatusCode, nil
	}
	status := resp.Trailer.Get("Grpc-Status")
	if status == "" {
		status = resp.Header.Get("Grpc-Status")
	}
	code, err := strconv.Atoi(status)
	if err != nil {
		return 0, fmt.Errorf("answer without gRPC status: %s", resp.Status)
	}
	return code, nil
}

// Match reports whether code is in a list of codes and ranges, such as
// "200,202" or "200-299".
func Match(list string, code int) bool {
	for part := range strings.SplitSeq(list, ",") {
		from, to, ranged := strings.Cut(strings.TrimSpace(part), "-")
		if !ranged {
			to = from
		}
		a, err1 := strconv.Atoi(from)
		b, err2 := strconv.Atoi(to)
		if err1 == nil && err2 == nil && a <= code && code <= b {
			return true
		}
	}
	return false
}
