package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy"
)

// policy makes the world's one rule forward by f.
func (w *world) policy(f proxy.Forward) *world {
	f.Groups = []proxy.Weighted{{Group: "g", Weight: 1}}
	w.cfg.Listeners[0].Rules = []proxy.Rule{{ID: "r", Action: proxy.Action{Forward: &f}}}
	return w
}

// A request is tried again when its policy says so, with its body, and
// answered by the target that was meant to.
func TestRetries(t *testing.T) {
	const hangs = 0
	quick := func(r proxy.Retry) proxy.Forward {
		r.Backoff = time.Millisecond
		return proxy.Forward{Retry: &r}
	}
	medium, long := strings.Repeat("0123456789", 4000), strings.Repeat("0123456789", 10_000)
	for name, c := range map[string]struct {
		forward proxy.Forward
		first   int // status that the first target answers with, hangs, or -1: it ends the connection
		method  string
		body    string
		chunked bool
		want    int
		retries int64
		reach   int64 // requests that reached a target
	}{
		"answer 503":                 {quick(proxy.Retry{Max: 1, Status: []int{503}}), 503, "GET", "", false, 200, 1, 2},
		"answer 503, with a body":    {quick(proxy.Retry{Max: 1, Status: []int{503}}), 503, "POST", "body", false, 200, 1, 2},
		"a body of some reads":       {quick(proxy.Retry{Max: 1, Status: []int{5}}), 500, "POST", medium, false, 200, 1, 2},
		"the same in chunks":         {quick(proxy.Retry{Max: 1, Status: []int{5}}), 500, "POST", medium, true, 200, 1, 2},
		"a body too long to be kept": {quick(proxy.Retry{Max: 1, Status: []int{503}}), 503, "POST", long, false, 503, 0, 1},
		"another answer":             {quick(proxy.Retry{Max: 1, Status: []int{503}}), 500, "GET", "", false, 500, 0, 1},
		"no policy":                  {proxy.Forward{}, 503, "GET", "", false, 503, 0, 1},
		"no retries":                 {quick(proxy.Retry{Max: 0, Status: []int{503}, Reset: true}), 503, "GET", "", false, 503, 0, 1},
		"reset":                      {quick(proxy.Retry{Max: 1, Reset: true}), -1, "POST", "body", false, 200, 1, 2},
		"reset after a long body":    {quick(proxy.Retry{Max: 1, Reset: true}), -1, "POST", medium, false, 200, 1, 2},
		"reset, by answers only":     {quick(proxy.Retry{Max: 1, Status: []int{5}}), -1, "GET", "", false, 502, 0, 1},
		"try takes too long":         {quick(proxy.Retry{Max: 1, Reset: true, PerTry: 100 * time.Millisecond}), hangs, "POST", "body", false, 200, 1, 2},
		"its body is long":           {quick(proxy.Retry{Max: 1, Reset: true, PerTry: 100 * time.Millisecond}), hangs, "POST", medium, true, 200, 1, 2},
		"time of tries alone":        {quick(proxy.Retry{Max: 1, PerTry: 50 * time.Millisecond}), hangs, "GET", "", false, 504, 0, 1},
		"time of the exchange":       {proxy.Forward{Timeout: 50 * time.Millisecond}, hangs, "GET", "", false, 504, 0, 1},
		"the same with a long body":  {proxy.Forward{Timeout: 50 * time.Millisecond}, hangs, "POST", long, false, 504, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var reach atomic.Int64
			h := func(rw http.ResponseWriter, r *http.Request) {
				b, err := io.ReadAll(r.Body)
				switch n := reach.Add(1); {
				case err != nil:
					t.Error(err)
				case n > 1:
					fmt.Fprintf(rw, "%s", b)
				case c.first == hangs:
					<-r.Context().Done()
				case c.first == -1:
					nc, _, _ := rw.(http.Hijacker).Hijack()
					_ = nc.Close()
				default:
					rw.WriteHeader(c.first)
					_, _ = io.WriteString(rw, "no")
				}
			}
			w.policy(c.forward).targets(w.target(h), w.target(h))
			var body io.Reader = strings.NewReader(c.body)
			if c.chunked {
				body = struct{ io.Reader }{body}
			}
			resp, got := w.do(c.method, "/", body)
			if resp.StatusCode != c.want || c.want == 200 && got != c.body {
				t.Errorf("%d with %d bytes", resp.StatusCode, len(got))
			}
			st := w.s.Groups()["g"]
			if st.Retries != c.retries || reach.Load() != c.reach || st.RetriesOK != c.retries {
				t.Errorf("%d requests, %d retries of which %d did well", reach.Load(), st.Retries, st.RetriesOK)
			}
			// The next on the same connections goes well.
			if resp, _ := w.get("/"); resp.StatusCode != 200 {
				t.Errorf("the next: %d", resp.StatusCode)
			}
		})
	}
}

// What is counted when it did not help.
func TestRetriesThatFail(t *testing.T) {
	w := newWorld(t)
	var reach atomic.Int64
	bad := func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(503)
		fmt.Fprint(rw, reach.Add(1))
	}
	f := proxy.Forward{Retry: &proxy.Retry{Max: 3, Status: []int{503}, Connect: true, Backoff: time.Microsecond}}
	w.policy(f).targets(w.target(bad), w.target(bad))
	if resp, body := w.get("/"); resp.StatusCode != 503 || body != "4" {
		t.Errorf("%d %s: want the last answer", resp.StatusCode, body)
	}
	eventually(t, func() bool {
		st := w.s.Groups()["g"]
		return st.Retries == 3 && st.RetriesOK == 0 && st.RetriesExhausted == 1 && st.Targets[0].Errors+st.Targets[1].Errors == 4 && st.Requests == 1
	})
	w.policy(f).targets(closed(t))
	if resp, _ := w.get("/"); resp.StatusCode != 502 {
		t.Errorf("%d", resp.StatusCode)
	}
	if st := w.s.Groups()["g"]; st.Retries != 6 || st.Targets[0].ConnectFailures != 4 {
		t.Errorf("%d retries, %+v", st.Retries, st.Targets)
	}
}

// Timeouts of a response that has begun end the connection: there is nothing
// else to tell the client.
func TestTimeoutInTheMiddle(t *testing.T) {
	w := newWorld(t)
	w.policy(proxy.Forward{Timeout: 100 * time.Millisecond}).targets(w.target(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(rw, "some")
		_ = http.NewResponseController(rw).Flush()
		<-r.Context().Done()
	}))
	resp, err := noRedirect.Get("http://" + w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err == nil || string(b) != "some" {
		t.Errorf("%q %v", b, err)
	}
	eventually(t, func() bool { return w.s.Groups()["g"].Timeouts == 1 })
}

// Requests come slower than their timeout, one after the other on one
// connection: a deadline of an earlier one must not end a later one.
func TestDeadlinesAreOfTheirOwnRequest(t *testing.T) {
	w := newWorld(t)
	hold := make(chan struct{})
	w.policy(proxy.Forward{Timeout: 300 * time.Millisecond}).targets(w.target(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-hold
		}
		ok(rw, r)
	}))
	for range 5 {
		w.get("/")
		next := time.AfterFunc(200*time.Millisecond, func() { hold <- struct{}{} })
		if resp, _ := w.get("/slow"); resp.StatusCode != 200 {
			t.Fatalf("%d", resp.StatusCode)
		}
		next.Stop()
	}
	if n := w.dials.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}
