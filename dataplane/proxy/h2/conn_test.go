package h2

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// pair is two ends of a connection.
func pair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if a, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
	return a, b
}

// between joins a client and a server whose requests h answers.
func between(t testing.TB, cfg Config, h func(*Stream)) (client, server *Conn) {
	t.Helper()
	a, b := pair(t)
	cfg.Handle = func(s *Stream) {
		go func() {
			defer s.Release()
			h(s)
		}()
	}
	client, server = Client(a, Config{}), Server(b, cfg)
	var wg sync.WaitGroup
	wg.Go(func() { _ = client.Serve() })
	wg.Go(func() { _ = server.Serve() })
	t.Cleanup(func() {
		client.Close()
		server.Close()
		wg.Wait()
	})
	return client, server
}

func get(path string) *Request {
	return &Request{Method: []byte("GET"), Authority: []byte("a"), Path: []byte(path), Scheme: "http"}
}

// echo answers with the body of the request, and its sum in the trailers.
func echo(s *Stream) {
	h, err := s.Await()
	if err != nil {
		return
	}
	if err := s.Respond(200, fmt.Appendf(nil, "X-Path: %s\r\nConnection: close\r\n", h.Path), nil, false); err != nil {
		return
	}
	sum, buf := sha256.New(), make([]byte, 5000)
	for {
		n, err := s.Read(buf)
		sum.Write(buf[:n])
		if n > 0 {
			if _, err := s.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			break
		}
	}
	_ = s.End(nil, fmt.Appendf(nil, "X-Sum: %x\r\n", sum.Sum(nil)))
}

// Many streams with bodies of all sizes, far above the windows, at once: each
// gets its own, whole.
func TestStreamsSideBySide(t *testing.T) {
	client, _ := between(t, Config{Streams: 20}, echo)
	first, err := client.Open(get("/first"), nil, true, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Await(); err != nil { // the server's settings have come before it
		t.Fatal(err)
	}
	first.Release()
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(i)))
			body := make([]byte, []int{0, 1, 100, 16 << 10, 65535, 65536, 300_000, 1 << 20}[i%8])
			for j := range body {
				body[j] = byte(rnd.Uint32())
			}
			first := rnd.IntN(len(body) + 1)
			s, err := client.Open(get(fmt.Sprintf("/%d", i)), nil, false, time.Minute)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Release()
			go func() {
				_, _ = s.Write(body[:first])
				_ = s.End(body[first:], nil)
			}()
			h, err := s.Await()
			if err != nil || h.Status != 200 || len(h.Fields) != 1 || string(h.Fields[0].Value) != fmt.Sprintf("/%d", i) {
				t.Errorf("%d: %v %+v", i, err, h)
				return
			}
			got, err := io.ReadAll(s)
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%d: %d bytes of %d: %v", i, len(got), len(body), err)
			}
			if tr := s.Trailers(); tr == nil || string(tr.Fields[0].Value) != fmt.Sprintf("%x", sha256.Sum256(body)) {
				t.Errorf("%d: trailers %+v", i, tr)
			}
		})
	}
	wg.Wait()
}

// A client of another make.
func TestServingNetHTTP(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = Server(nc, Config{Handle: func(s *Stream) { go func() { defer s.Release(); echo(s) }() }}).Serve()
			}()
		}
	}()
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			body := strings.Repeat("x", i*20_000)
			req, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+ln.Addr().String()+"/p", strings.NewReader(body))
			req.Header.Set("Cookie", strings.Repeat("c", 6000))
			resp, err := tr.RoundTrip(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if err != nil || string(b) != body || resp.Trailer.Get("X-Sum") == "" || resp.Header.Get("X-Path") != "/p" {
				t.Errorf("%d bytes of %d, %v, %v", len(b), len(body), resp.Header, err)
			}
		})
	}
	wg.Wait()
}

// A server of another make.
func TestAskingNetHTTP(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hs := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.WriteHeader(http.StatusEarlyHints)
		rw.Header().Set("Trailer", "X-Sum")
		n, _ := io.Copy(rw, r.Body)
		rw.Header().Set("X-Sum", fmt.Sprint(n, r.Header.Get("X-Field"), r.Host, r.URL))
	})}
	hs.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = hs.Serve(ln) }()
	defer hs.Close()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := Client(nc, Config{})
	done := make(chan error, 1)
	go func() { done <- c.Serve() }()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			body := strings.Repeat("y", i*20_000)
			r := get("/q?r")
			r.Fields = []byte("X-Field: v" + strings.Repeat("w", i*2000) + "\r\n")
			s, err := c.Open(r, nil, false, time.Minute)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Release()
			go func() { _ = s.End([]byte(body), nil) }()
			if h, err := s.Await(); err != nil || h.Status != 103 {
				t.Errorf("%+v %v", h, err)
			}
			if h, err := s.Await(); err != nil || h.Status != 200 {
				t.Errorf("%+v %v", h, err)
			}
			got, err := io.ReadAll(s)
			want := fmt.Sprint(len(body), "v"+strings.Repeat("w", i*2000), "a", "/q?r")
			if tr := s.Trailers(); err != nil || string(got) != body || tr == nil || string(tr.Fields[0].Value) != want {
				t.Errorf("%d bytes of %d: %v", len(got), len(body), err)
			}
		})
	}
	wg.Wait()
	c.Shutdown()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Deadlines wake who waits, whichever is set first.
func TestDeadlines(t *testing.T) {
	hold := make(chan struct{})
	client, _ := between(t, Config{}, func(s *Stream) {
		if _, err := s.Await(); err == nil {
			<-hold
			_ = s.Respond(204, nil, nil, true)
		}
	})
	s, err := client.Open(get("/"), nil, true, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_ = s.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := s.Await(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
	_ = s.SetReadDeadline(time.Now().Add(time.Hour))
	go func() { _ = s.SetReadDeadline(time.Unix(1, 0)) }()
	if _, err := s.Await(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	_ = s.SetReadDeadline(time.Time{})
	close(hold)
	if h, err := s.Await(); err != nil || h.Status != 204 || !h.End {
		t.Errorf("%+v %v", h, err)
	}
	s.Release()
	// Nobody reads: sending ends with its deadline, too.
	if s, err = client.Open(get("/"), nil, false, 0); err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	_ = s.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := s.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) && !errors.As(err, new(*StreamError)) {
		t.Errorf("%v", err)
	}
}

// What is in flight when a server shuts down ends well; what comes then is
// refused untouched.
func TestShutdown(t *testing.T) {
	started, hold := make(chan struct{}, 100), make(chan struct{})
	client, server := between(t, Config{}, func(s *Stream) {
		if _, err := s.Await(); err == nil {
			started <- struct{}{}
			<-hold
			_ = s.Respond(200, nil, []byte("ok"), true)
		}
	})
	s, err := client.Open(get("/"), nil, true, 0)
	if err != nil {
		t.Fatal(err)
	}
	<-started
	server.Shutdown()
	for client.Usable() {
		// Some of these still get through: the server has said so, but not from when on.
		if s, err := client.Open(get("/"), nil, true, 0); err == nil {
			defer s.Release()
		}
	}
	if _, err := client.Open(get("/"), nil, true, time.Minute); !errors.Is(err, ErrGone) {
		t.Errorf("opened: %v", err)
	}
	close(hold)
	if h, err := s.Await(); err != nil || h.Status != 200 {
		t.Errorf("%+v %v", h, err)
	}
	if b, err := io.ReadAll(s); string(b) != "ok" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	s.Release()
}

// A peer that is not there any more is found out.
func TestCheck(t *testing.T) {
	a, b := pair(t)
	c := Client(a, Config{})
	done := make(chan error, 1)
	go func() { done <- c.Serve() }()
	s, err := c.Open(get("/"), nil, true, 0)
	if err != nil {
		t.Fatal(err)
	}
	c.Check(20 * time.Millisecond)
	if _, err := s.Await(); !errors.Is(err, ErrSilent) {
		t.Errorf("%v", err)
	}
	<-done
	_ = b.Close()
}

// More streams than the server takes wait their turn, or give up.
func TestStreamLimit(t *testing.T) {
	hold := make(chan struct{})
	client, _ := between(t, Config{Streams: 2}, func(s *Stream) {
		if _, err := s.Await(); err == nil {
			<-hold
			_ = s.Respond(200, nil, nil, true)
		}
	})
	for client.Room() { // until the server's settings have come
		s, err := client.Open(get("/"), nil, true, 0)
		if err != nil {
			break
		}
		defer s.Release()
	}
	if _, err := client.Open(get("/"), nil, true, 10*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%v", err)
	}
	close(hold)
}
