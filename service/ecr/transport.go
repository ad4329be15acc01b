package ecr

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// Transport answers requests for the registry inside this process, without a
// socket and without credentials: for the agent's pulls. It looks only at the
// path and the host of a URL; every host is served. Callers may use it as a key.
func (s *Service) Transport() http.RoundTripper { return &transport{s.Handler()} }

type transport struct{ handler http.Handler }

// RoundTrip runs the handler beside its reader, so that a blob of any size
// passes through a small buffer.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(context.WithValue(req.Context(), internal{}, true))
	r := req.Clone(ctx)
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	body, pipe := io.Pipe()
	w := &pipeWriter{header: http.Header{}, pipe: pipe, started: make(chan struct{})}
	// A reader that stops must not leave the handler waiting.
	stop := context.AfterFunc(req.Context(), func() { body.CloseWithError(req.Context().Err()) })
	go func() {
		defer cancel()
		defer stop()
		defer r.Body.Close()
		defer func() {
			if p := recover(); p != nil {
				pipe.CloseWithError(fmt.Errorf("registry: panic: %v", p))
				w.WriteHeader(http.StatusInternalServerError)
			}
		}()
		t.handler.ServeHTTP(w, r)
		w.WriteHeader(http.StatusOK)
		pipe.Close()
	}()
	select {
	case <-w.started:
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	res := &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: body, ContentLength: -1, Request: req,
	}
	if n, err := parseLength(w.sent); err == nil {
		res.ContentLength = n
	}
	if req.Method == http.MethodHead {
		body.Close()
		res.Body = http.NoBody
	}
	return res, nil
}

// pipeWriter is a ResponseWriter onto a pipe.
type pipeWriter struct {
	header, sent http.Header
	status       int
	pipe         *io.PipeWriter
	once         sync.Once
	started      chan struct{}
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.started)
	})
}

func (w *pipeWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.pipe.Write(p)
}

func parseLength(h http.Header) (int64, error) {
	return strconv.ParseInt(h.Get("Content-Length"), 10, 64)
}
