package server_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/examples/internal/server"
)

func quiet() server.Env { return server.Env{Service: "note", Log: slog.New(slog.DiscardHandler)} }

// A request that was accepted before SIGTERM gets its answer; then the server is gone.
func TestDrainAnswersWhatWasAccepted(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	began, release := make(chan struct{}), make(chan struct{})
	slow := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-release
		_, _ = io.WriteString(w, "answered")
	})
	ctx, terminate := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener, quiet(), slow) }()
	body := make(chan string, 1)
	go func() {
		answer, err := http.Get(url + "/slow")
		if err != nil {
			body <- err.Error()
			return
		}
		defer answer.Body.Close()
		data, _ := io.ReadAll(answer.Body)
		body <- string(data)
	}()
	<-began
	terminate()
	for { // the listener closes soon after
		connection, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			break
		}
		connection.Close()
	}
	close(release)
	if got := <-body; got != "answered" {
		t.Errorf("accepted request: %s", got)
	}
	if err := <-served; err != nil {
		t.Errorf("drain: %v", err)
	}
}

func TestHealthAnswersOnBothPathsUntilDraining(t *testing.T) {
	draining := false
	handler := server.Wrap(quiet(), http.NotFoundHandler(), func() bool { return draining })
	for _, path := range []string{"/health", "/note/health"} {
		if got := ask(handler, path, nil); got.status != 200 || !strings.Contains(got.body, `"ok"`) {
			t.Errorf("%s: %+v", path, got)
		}
	}
	draining = true
	if got := ask(handler, "/health", nil); got.status != 503 {
		t.Errorf("while draining: %+v", got)
	}
}

func TestRequestIDIsKeptOrMade(t *testing.T) {
	handler := server.Wrap(quiet(), http.NotFoundHandler(), func() bool { return false })
	for sent, kept := range map[string]bool{"abc-1": true, "": false, "a b": false, strings.Repeat("a", 200): false, "x\"y": false} {
		got := ask(handler, "/health", http.Header{"X-Request-Id": {sent}}).header.Get("X-Request-Id")
		if got == "" || (got == sent) != kept {
			t.Errorf("sent %q, got %q", sent, got)
		}
	}
}

func TestAPanicIsOneRequestsProblem(t *testing.T) {
	handler := server.Wrap(quiet(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh") }), func() bool { return false })
	got := ask(handler, "/any", nil)
	if got.status != 500 || !strings.Contains(got.body, `"status":500`) {
		t.Errorf("%+v", got)
	}
}

type reply struct {
	status int
	body   string
	header http.Header
}

// ask calls a handler in memory.
func ask(handler http.Handler, path string, header http.Header) reply {
	r, _ := http.NewRequest(http.MethodGet, path, nil)
	for key, values := range header {
		r.Header[key] = values
	}
	w := &page{header: http.Header{}}
	handler.ServeHTTP(w, r)
	return reply{w.status, w.String(), w.header}
}

type page struct {
	strings.Builder
	header http.Header
	status int
}

func (p *page) Header() http.Header    { return p.header }
func (p *page) WriteHeader(status int) { p.status = status }

// The processor is burned only where that was asked for, and never for long.
func TestBurnIsThereWhenAskedFor(t *testing.T) {
	for path, want := range map[string]int{"/note/burn?for=1ms": 200, "/note/burn": 200, "/note/burn?for=2s": 400, "/note/burn?for=x": 400} {
		for _, on := range []bool{true, false} {
			env := quiet()
			env.Get = func(string) string {
				if on {
					return "on"
				}
				return ""
			}
			w := httptest.NewRecorder()
			server.Wrap(env, http.NotFoundHandler(), func() bool { return false }).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			if !on {
				want = http.StatusNotFound
			}
			if w.Code != want {
				t.Errorf("%s with BURN %t: %d, want %d", path, on, w.Code, want)
			}
		}
	}
}
