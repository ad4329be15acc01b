package peer_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/examples/internal/peer"
	"github.com/slipway-dev/slipway/examples/internal/server"
)

type trip func(*http.Request) (*http.Response, error)

func (t trip) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func answer(status int, body string) (*http.Response, error) {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// script answers call after call; the last answer repeats.
func script(calls *int, steps ...func() (*http.Response, error)) *peer.Client {
	return &peer.Client{Log: slog.New(slog.DiscardHandler), HTTP: &http.Client{Transport: trip(func(*http.Request) (*http.Response, error) {
		*calls++
		return steps[min(*calls, len(steps))-1]()
	})}}
}

func refused() (*http.Response, error)  { return nil, errors.New("connection refused") }
func made() (*http.Response, error)     { return answer(201, `{"id":"x"}`) }
func draining() (*http.Response, error) { return answer(503, `{"status":"draining"}`) }
func invalid() (*http.Response, error)  { return answer(422, `{"detail":"no such currency"}`) }

func TestCallsAreRepeatedWhileTheyMaySucceed(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []func() (*http.Response, error)
		calls int
		fails string
	}{
		{"at once", []func() (*http.Response, error){made}, 1, ""},
		{"a replica went away", []func() (*http.Response, error){refused, draining, made}, 3, ""},
		{"refused for good", []func() (*http.Response, error){invalid}, 1, "no such currency"},
		{"nobody there", []func() (*http.Response, error){refused}, 6, "gave up after 6 attempts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls, began := 0, time.Now()
				var out struct{ ID string }
				err := script(&calls, c.steps...).Post(t.Context(), "http://payment", "key", struct{}{}, &out)
				if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
					t.Errorf("error %v, want %q", err, c.fails)
				}
				if calls != c.calls {
					t.Errorf("%d calls, want %d", calls, c.calls)
				}
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		calls := 0
		err := script(&calls, refused).Post(ctx, "http://payment", "key", struct{}{}, nil)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("error %v: want the deadline and the reason", err)
		}
	})
}

func TestKeyAndRequestIDTravelAlong(t *testing.T) {
	client := &peer.Client{Log: slog.New(slog.DiscardHandler), HTTP: &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Idempotency-Key") != "key" || r.Header.Get("X-Request-Id") != "req_1" {
			t.Errorf("headers %v", r.Header)
		}
		return made()
	})}}
	var out struct{ ID string }
	if err := client.Post(server.WithRequestID(t.Context(), "req_1"), "http://payment", "key", struct{}{}, &out); err != nil || out.ID != "x" {
		t.Error(out, err)
	}
}
