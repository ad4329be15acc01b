package health_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy/health"
	"pgregory.net/rapid"
)

func direct(ctx context.Context, addr string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
}

func TestProbe(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			if r.UserAgent() != "ELB-HealthChecker/2.0" {
				w.WriteHeader(499)
			}
		case "/slow":
			<-r.Context().Done()
		default:
			w.WriteHeader(503)
		}
	}))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) }))
	defer secure.Close()
	grpc := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", "12")
	}))
	grpc.Config.Protocols = new(http.Protocols)
	grpc.Config.Protocols.SetUnencryptedHTTP2(true)
	grpc.Start()
	defer grpc.Close()
	addr := func(s *httptest.Server) string { return s.Listener.Addr().String() }
	gone := httptest.NewServer(nil)
	gone.Close()

	for name, c := range map[string]struct {
		check  health.Check
		reason string
		text   string
	}{
		"good":         {health.Check{Protocol: "HTTP", Addr: addr(plain), Path: "/ok", Matcher: "200"}, "", ""},
		"wrong code":   {health.Check{Protocol: "HTTP", Addr: addr(plain), Path: "/", Matcher: "200-299"}, "Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]"},
		"slow":         {health.Check{Protocol: "HTTP", Addr: addr(plain), Path: "/slow", Matcher: "200", Timeout: 50 * time.Millisecond}, "Target.Timeout", "Request timed out"},
		"refused":      {health.Check{Protocol: "HTTP", Addr: addr(gone), Path: "/", Matcher: "200"}, "Target.FailedHealthChecks", "Health checks failed"},
		"TLS":          {health.Check{Protocol: "HTTPS", Addr: addr(secure), Path: "/", Matcher: "200,202"}, "", ""},
		"TLS to plain": {health.Check{Protocol: "HTTPS", Addr: addr(plain), Path: "/ok", Matcher: "200"}, "Target.FailedHealthChecks", "Health checks failed"},
		"TCP":          {health.Check{Protocol: "TCP", Addr: addr(plain)}, "", ""},
		"TCP refused":  {health.Check{Protocol: "TCP", Addr: addr(gone)}, "Target.FailedHealthChecks", "Health checks failed"},
		"gRPC":         {health.Check{Protocol: "HTTP", Addr: addr(grpc), Path: "/AWS.ALB/healthcheck", Matcher: "12", HTTP2: true, GRPC: true}, "", ""},
		"gRPC code":    {health.Check{Protocol: "HTTP", Addr: addr(grpc), Path: "/AWS.ALB/healthcheck", Matcher: "0", HTTP2: true, GRPC: true}, "Target.ResponseCodeMismatch", "Health checks failed with these codes: [12]"},
	} {
		t.Run(name, func(t *testing.T) {
			c.check.Agent = "ELB-HealthChecker/2.0"
			if c.check.Timeout == 0 {
				c.check.Timeout = 5 * time.Second
			}
			r := health.Probe(t.Context(), direct, c.check)
			if r.OK != (c.reason == "") || r.Reason != c.reason || r.Description != c.text {
				t.Errorf("%+v", r)
			}
		})
	}
	dial := func(context.Context, string) (net.Conn, error) { return nil, errors.New("no route") }
	if r := health.Probe(t.Context(), dial, health.Check{Protocol: "HTTP", Addr: "x:1", Timeout: time.Second}); r.Reason != "Target.FailedHealthChecks" {
		t.Errorf("%+v", r)
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		list string
		code int
		want bool
	}{
		{"200", 200, true},
		{"200", 201, false},
		{"200-299", 250, true},
		{"200,202", 202, true},
		{"200, 300-301", 301, true},
		{"", 200, false},
		{strings.Repeat("1,", 5) + "200", 200, true},
	} {
		if health.Match(c.list, c.code) != c.want {
			t.Errorf("%q matches %d: want %t", c.list, c.code, c.want)
		}
	}
}

// The first success makes healthy at once; early failures of a starting
// target count once per interval.
func TestAStartingTarget(t *testing.T) {
	th := health.Thresholds{Healthy: 5, Unhealthy: 2, Interval: 10 * time.Second}
	var s health.State
	now := time.Unix(0, 0)
	for range 50 { // 100 ms apart
		s = s.Next(health.Result{Reason: "Target.FailedHealthChecks"}, th, now)
		now = now.Add(100 * time.Millisecond)
	}
	if s.Status != health.Initial {
		t.Fatalf("five seconds of failures make %v", s)
	}
	if s = s.Next(health.Result{OK: true}, th, now); s.Status != health.Healthy {
		t.Errorf("the first success makes %v", s)
	}
}

// Against the obvious model: after the start, a status changes exactly when
// the last threshold results all say so.
func TestThresholds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		th := health.Thresholds{Healthy: rapid.IntRange(2, 10).Draw(t, "healthy"), Unhealthy: rapid.IntRange(2, 10).Draw(t, "unhealthy"), Interval: time.Second}
		s := health.State{Status: health.Healthy}
		want := health.Healthy
		now := time.Unix(0, 0)
		var history []bool
		for _, ok := range rapid.SliceOfN(rapid.Bool(), 0, 60).Draw(t, "results") {
			now = now.Add(time.Second)
			s = s.Next(health.Result{OK: ok, Reason: "r"}, th, now)
			history = append(history, ok)
			if ends(history, true, th.Healthy) {
				want = health.Healthy
			}
			if ends(history, false, th.Unhealthy) {
				want = health.Unhealthy
			}
			if s.Status != want || (s.Status == health.Unhealthy) != (s.Reason != "") {
				t.Fatalf("after %v: %+v, want %v", history, s, want)
			}
		}
	})
}

func ends(h []bool, with bool, n int) bool {
	if len(h) < n {
		return false
	}
	for _, ok := range h[len(h)-n:] {
		if ok != with {
			return false
		}
	}
	return true
}
