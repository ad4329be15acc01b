// Package peer is how the example services reach each other: other services through their private names, with timeouts, retries and
// idempotency keys, and the other replicas of the service itself, which hold the records this one does not.
//
// Invariants: only requests that may be repeated are (they carry an idempotency key, or are reads); every call ends by its context's end;
// the request id and the trace it belongs to travel along.
package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/examples/internal/server"
)

// KeyHeader carries the idempotency key. Source: draft-ietf-httpapi-idempotency-key-header.
const KeyHeader = "Idempotency-Key"

const (
	attempts       = 6
	attemptTimeout = 2 * time.Second
	firstPause     = 50 * time.Millisecond
	longestPause   = time.Second
	maxAnswer      = 1 << 20
)

// Client calls other services.
type Client struct {
	HTTP *http.Client
	Log  *slog.Logger
}

// NewClient makes a client whose connections follow the private names: an idle one is kept for a few seconds only, so that calls spread over
// replicas that came later.
func NewClient(log *slog.Logger) *Client {
	dialer := &net.Dialer{Timeout: time.Second}
	return &Client{Log: log, HTTP: &http.Client{Transport: &http.Transport{
		DialContext: dialer.DialContext, MaxIdleConnsPerHost: 32, IdleConnTimeout: 5 * time.Second, ResponseHeaderTimeout: attemptTimeout,
	}}}
}

// StatusError is an answer that repeating would not change.
type StatusError struct {
	URL    string
	Status int
	Detail string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s answered %d: %s", e.URL, e.Status, e.Detail)
}

// transient are the statuses after which the same request may succeed: still being made, too many, gateway trouble, draining.
var transient = []int{
	http.StatusConflict, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
}

// Post creates something at url under an idempotency key, repeating the request while the other side cannot be reached, with growing,
// randomised pauses. out receives the answer.
func (c *Client) Post(ctx context.Context, url, key string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("call %s: %w", url, err)
	}
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err = c.post(ctx, url, key, body, out)
		var status *StatusError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &status) && !slices.Contains(transient, status.Status):
			return err
		case attempt == attempts:
			return fmt.Errorf("gave up after %d attempts: %w", attempt, err)
		}
		wait := pause/2 + rand.N(pause)
		c.Log.Warn("call failed, will repeat", "url", url, "request", server.RequestID(ctx), "attempt", attempt, "pause", wait.String(), "error", err.Error())
		select {
		case <-ctx.Done():
			return fmt.Errorf("call %s: %w (last: %w)", url, ctx.Err(), err)
		case <-time.After(wait):
		}
		pause = min(2*pause, longestPause)
	}
}

func (c *Client) post(ctx context.Context, url, key string, body []byte, out any) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(KeyHeader, key)
	server.PassOn(ctx, r.Header)
	answer, err := c.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		var problem server.Problem
		_ = json.Unmarshal(data, &problem) // no problem document: the status alone has to do
		return &StatusError{URL: url, Status: answer.StatusCode, Detail: problem.Detail}
	}
	return json.Unmarshal(data, out)
}
