package server_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/examples/internal/server"
)

// faulty is a service that can be told to misbehave, or cannot.
func faulty(on bool) http.Handler {
	env := quiet()
	env.Get = func(key string) string {
		if key == "FAULTS" && on {
			return "on"
		}
		return ""
	}
	return server.Wrap(env, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "well") }), func() bool { return false })
}

func call(handler http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

// A task misbehaves for as long as it was told to, its health does not, and it can be told to stop.
func TestATaskMisbehavesOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := faulty(true)
		if w := call(h, http.MethodPut, "/note/fault?status=503&delay=100ms&for=10s"); w.Code != 200 || !strings.Contains(w.Body.String(), `"misbehaves":true`) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		began := time.Now()
		if w := call(h, http.MethodGet, "/note/notes"); w.Code != 503 || time.Since(began) != 100*time.Millisecond {
			t.Errorf("%d after %s", w.Code, time.Since(began))
		}
		if w := call(h, http.MethodGet, "/health"); w.Code != 200 {
			t.Errorf("health: %d", w.Code)
		}
		time.Sleep(10 * time.Second) // in the bubble
		if w := call(h, http.MethodGet, "/note/notes"); w.Code != 200 {
			t.Errorf("when it is over: %d", w.Code)
		}
		call(h, http.MethodPut, "/note/fault?status=500")
		call(h, http.MethodDelete, "/note/fault")
		if w := call(h, http.MethodGet, "/note/notes"); w.Code != 200 {
			t.Errorf("when it was taken back: %d", w.Code)
		}
	})
}

func TestHowOftenAndHowARequestFails(t *testing.T) {
	h := faulty(true)
	failed := 0
	for range 1000 {
		if call(h, http.MethodGet, "/note/fault?status=502&rate=0.5").Code == 502 {
			failed++
		}
	}
	if failed < 350 || failed > 650 {
		t.Errorf("%d of 1000 fail, want half", failed)
	}
	for path, want := range map[string]int{
		"/note/fault": 200, "/note/fault?rate=0&status=503": 200, "/note/fault?status=429": 429,
		"/note/fault?status=99": 400, "/note/fault?status=x": 400, "/note/fault?rate=2": 400, "/note/fault?rate=NaN": 400, "/note/fault?delay=1h": 400, "/note/fault?for=-1s": 400,
	} {
		if got := call(h, http.MethodGet, path).Code; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if got := call(h, http.MethodPost, "/note/fault").Code; got != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", got)
	}
	if w := call(faulty(false), http.MethodPut, "/note/fault?status=503"); w.Body.String() != "well" {
		t.Errorf("without FAULTS it takes faults: %d %s", w.Code, w.Body)
	}
}

func TestAConnectionIsCut(t *testing.T) {
	s := httptest.NewServer(faulty(true))
	defer s.Close()
	if answer, err := http.Get(s.URL + "/note/fault?status=reset"); err == nil {
		answer.Body.Close()
		t.Errorf("answered %s", answer.Status)
	}
}

// The trace of a request goes with every request that is made for it, and into the log.
func TestTheTraceTravels(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for sent, passed := range map[string]string{
		parent: parent, "": "", "00-x": "", strings.Replace(parent, "4bf92f3577b34da6a3ce929d0e0e4736", strings.Repeat("0", 32), 1): "",
		strings.Replace(parent, "00-", "ff-", 1): "",
	} {
		var log strings.Builder
		env := quiet()
		env.Log = slog.New(slog.NewJSONHandler(&log, nil))
		out := http.Header{}
		h := server.Wrap(env, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			server.PassOn(r.Context(), out)
			w.WriteHeader(http.StatusNoContent)
		}), func() bool { return false })
		r := httptest.NewRequest(http.MethodGet, "/note/notes", nil)
		r.Header.Set("traceparent", sent)
		r.Header.Set("tracestate", "vendor=1")
		h.ServeHTTP(httptest.NewRecorder(), r)
		state := map[bool]string{true: "vendor=1"}[passed != ""]
		if out.Get("traceparent") != passed || out.Get("tracestate") != state || out.Get("X-Request-Id") == "" {
			t.Errorf("%q went on as %v", sent, out)
		}
		if strings.Contains(log.String(), `"trace":"4bf92f3577b34da6a3ce929d0e0e4736"`) != (passed != "") {
			t.Errorf("%q is logged as %s", sent, log.String())
		}
	}
}
