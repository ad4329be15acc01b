package collection_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/slipway-dev/slipway/examples/internal/collection"
	"github.com/slipway-dev/slipway/examples/internal/ledger"
	"github.com/slipway-dev/slipway/examples/internal/peer"
	"github.com/slipway-dev/slipway/examples/internal/server"
)

type note struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

type input struct {
	Text string `json:"text"`
}

// replica is one task of a service; several share a port on different loopback addresses, as tasks do on their own.
type replica struct {
	url   string
	stop  func() // may be called again
	made  atomic.Int32
	hold  chan struct{} // when not nil, Make waits for it
	began chan struct{}
	fail  atomic.Bool
}

// fleet starts n replicas that find each other by their addresses.
func fleet(t *testing.T, n int) []*replica { return start(t, n, func([]*replica) string { return "" }) }

// meshed starts n replicas that cannot choose whom they reach: behind the service's name is a sidecar that sends them to any, also to
// themselves, which fails.
func meshed(t *testing.T, n int) []*replica {
	var turn atomic.Int32
	return start(t, n, func(replicas []*replica) string {
		sidecar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			i := int(turn.Add(1)*7) % (n + 1)
			if i == n {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			to, err := url.Parse(strings.TrimSuffix(replicas[i].url, "/note/notes"))
			if err != nil {
				t.Error(err)
			}
			httputil.NewSingleHostReverseProxy(to).ServeHTTP(w, r)
		}))
		t.Cleanup(sidecar.Close)
		return sidecar.URL
	})
}

func start(t *testing.T, n int, name func([]*replica) string) []*replica {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	var addresses []netip.Addr
	for i := range n {
		addresses = append(addresses, netip.AddrFrom4([4]byte{127, 0, 0, byte(i + 1)}))
	}
	port := "0"
	out := make([]*replica, n)
	own := name(out)
	for i, address := range addresses {
		listener, err := net.Listen("tcp", net.JoinHostPort(address.String(), port))
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ = net.SplitHostPort(listener.Addr().String())
		one := &replica{url: "http://" + listener.Addr().String() + "/note/notes", began: make(chan struct{}, 10)}
		out[i] = one
		notes := collection.Collection[input, note]{
			Path: "/note/notes", Prefix: "not", Ledger: ledger.New[note](100),
			Replicas: &peer.Replicas{
				Host: "note.test.local", Port: port, Client: http.DefaultClient, Name: own, ID: address.String(),
				Resolve: func(context.Context, string) ([]netip.Addr, error) { return addresses, nil },
				Self:    func() []netip.Addr { return []netip.Addr{address} },
			},
			Check: func(in input) []server.FieldError {
				if in.Text == "" {
					return []server.FieldError{{Field: "/text", Detail: "is empty"}}
				}
				return nil
			},
			Make: func(_ context.Context, id string, in input) (note, error) {
				one.made.Add(1)
				if one.hold != nil {
					one.began <- struct{}{}
					<-one.hold
				}
				if one.fail.Load() {
					return note{}, &collection.Error{Status: http.StatusServiceUnavailable, Detail: "not now"}
				}
				if in.Text == "broken" {
					return note{}, errors.New("broken")
				}
				return note{ID: id, Text: in.Text}, nil
			},
		}
		mux := http.NewServeMux()
		notes.Register(mux)
		s := &httptest.Server{Listener: listener, Config: &http.Server{
			Handler: server.Wrap(server.Env{Service: "note", Log: log}, mux, func() bool { return false }),
		}}
		s.Start()
		t.Cleanup(s.Close)
		one.stop = s.Close
	}
	return out
}

func post(t *testing.T, url, key, body string) (*http.Response, note) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	return do(t, r)
}

func get(t *testing.T, url string) (*http.Response, note) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, r)
}

func do(t *testing.T, r *http.Request) (*http.Response, note) {
	t.Helper()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var n note
	_ = json.Unmarshal(body, &n) // problems leave it empty
	return answer, n
}

func want(t *testing.T, answer *http.Response, status int) {
	t.Helper()
	if answer.StatusCode != status {
		t.Fatalf("%s %s: %d, want %d", answer.Request.Method, answer.Request.URL, answer.StatusCode, status)
	}
}

// fleets are replicas that find each other in one way or the other.
var fleets = map[string]func(*testing.T, int) []*replica{"by address": fleet, "in a mesh": meshed}

func TestAnyReplicaShowsARecordThatAnotherMade(t *testing.T) {
	for name, fleet := range fleets {
		t.Run(name, func(t *testing.T) { showsWhatAnotherMade(t, fleet(t, 3)) })
	}
}

func showsWhatAnotherMade(t *testing.T, replicas []*replica) {
	made, n := post(t, replicas[0].url, "", `{"text":"hello"}`)
	want(t, made, http.StatusCreated)
	for _, one := range replicas {
		shown, same := get(t, one.url+"/"+n.ID)
		want(t, shown, http.StatusOK)
		if same != n {
			t.Errorf("%s shows %+v, want %+v", one.url, same, n)
		}
	}
	missing, _ := get(t, replicas[1].url+"/not_000000000000000000000000")
	want(t, missing, http.StatusNotFound)
}

// A record that nobody can be asked for may exist: "there is none" would be a lie.
func TestARecordOfAReplicaThatDoesNotAnswerIsNotDenied(t *testing.T) {
	replicas := fleet(t, 3)
	made, n := post(t, replicas[0].url, "", `{"text":"hello"}`)
	want(t, made, http.StatusCreated)
	replicas[0].stop()
	shown, _ := get(t, replicas[1].url+"/"+n.ID)
	want(t, shown, http.StatusServiceUnavailable)
	if shown.Header.Get("Retry-After") == "" {
		t.Error("nothing says when to ask again")
	}
}

func TestAKeyMakesOneRecordWhicheverReplicaIsAsked(t *testing.T) {
	for name, fleet := range fleets {
		t.Run(name, func(t *testing.T) { makesOneRecord(t, fleet(t, 3)) })
	}
}

func makesOneRecord(t *testing.T, replicas []*replica) {
	made, first := post(t, replicas[0].url, "k1", `{"text":"hello"}`)
	want(t, made, http.StatusCreated)
	for _, one := range replicas {
		repeat, n := post(t, one.url, "k1", `{ "text": "hello" }`)
		want(t, repeat, http.StatusCreated)
		if n != first || repeat.Header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("repeat at %s: %+v, want %+v", one.url, n, first)
		}
		other, _ := post(t, one.url, "k1", `{"text":"other"}`)
		want(t, other, http.StatusUnprocessableEntity)
	}
	if total := replicas[0].made.Load() + replicas[1].made.Load() + replicas[2].made.Load(); total != 1 {
		t.Errorf("made %d times", total)
	}
}

func TestAKeyInUseIsAConflictEverywhere(t *testing.T) {
	for name, fleet := range fleets {
		t.Run(name, func(t *testing.T) { isAConflictEverywhere(t, fleet(t, 2)) })
	}
}

func isAConflictEverywhere(t *testing.T, replicas []*replica) {
	replicas[0].hold = make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		made, _ := post(t, replicas[0].url, "k1", `{"text":"slow"}`)
		if made.StatusCode != http.StatusCreated {
			t.Errorf("first request: %d", made.StatusCode)
		}
	})
	<-replicas[0].began
	for _, one := range replicas {
		busy, _ := post(t, one.url, "k1", `{"text":"slow"}`)
		want(t, busy, http.StatusConflict)
	}
	close(replicas[0].hold)
	group.Wait()
	done, _ := post(t, replicas[1].url, "k1", `{"text":"slow"}`)
	want(t, done, http.StatusCreated)
}

func TestAFailureLeavesTheKeyFree(t *testing.T) {
	replicas := fleet(t, 1)
	replicas[0].fail.Store(true)
	failed, _ := post(t, replicas[0].url, "k1", `{"text":"hello"}`)
	want(t, failed, http.StatusServiceUnavailable)
	replicas[0].fail.Store(false)
	repeated, _ := post(t, replicas[0].url, "k1", `{"text":"hello"}`)
	want(t, repeated, http.StatusCreated)
}

func TestBadInputIsAProblemDocument(t *testing.T) {
	url := fleet(t, 1)[0].url
	for _, c := range []struct {
		name, key, body string
		status          int
	}{
		{"empty body", "", ``, 400},
		{"no JSON", "", `{`, 400},
		{"unknown field", "", `{"text":"a","colour":1}`, 400},
		{"wrong type", "", `{"text":1}`, 400},
		{"two documents", "", `{"text":"a"}{}`, 400},
		{"too large", "", `{"text":"` + string(bytes.Repeat([]byte("a"), 70_000)) + `"}`, 413},
		{"invalid", "", `{"text":""}`, 422},
		{"odd key", "a b", `{"text":"a"}`, 400},
		{"internal", "", `{"text":"broken"}`, 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, _ := post(t, url, c.key, c.body)
			want(t, answer, c.status)
			if kind := answer.Header.Get("Content-Type"); kind != "application/problem+json" {
				t.Errorf("Content-Type %s", kind)
			}
			if answer.Header.Get("X-Request-Id") == "" {
				t.Error("no request id")
			}
		})
	}
}
