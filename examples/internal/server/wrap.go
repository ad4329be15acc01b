package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"regexp"
	"runtime/debug"
	"time"
)

// RequestIDHeader carries a request's id from service to service and back to the client.
const RequestIDHeader = "X-Request-Id"

type requestIDKey struct{}

// RequestID is the id of the request that ctx belongs to.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// WithRequestID ties an id to ctx.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// plainID is what a client may choose as a request id; anything else is replaced.
var plainID = regexp.MustCompile(`^[A-Za-z0-9_.:=-]{1,128}$`)

// Wrap adds health answers, request ids, the log line of each request and the recovery from panics to a service's own routes. Health is
// at /health and, since load balancers do not rewrite paths, at /<service>/health too.
func Wrap(env Env, routes http.Handler, draining func() bool) http.Handler {
	mux := http.NewServeMux()
	health := func(w http.ResponseWriter, _ *http.Request) {
		if draining() {
			WriteJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "draining", "service": env.Service})
			return
		}
		WriteJSON(w, http.StatusOK, map[string]string{"status": "ok", "service": env.Service})
	}
	mux.HandleFunc("GET /health", health)
	mux.HandleFunc("GET /"+env.Service+"/health", health)
	if env.variable("BURN") == "on" {
		mux.HandleFunc("GET /"+env.Service+"/burn", burn)
	}
	if env.variable("FAULTS") == "on" {
		f := &faults{}
		mux.HandleFunc("/"+env.Service+"/fault", f.serve)
		routes = f.before(routes)
	}
	mux.Handle("/", routes)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(RequestIDHeader)
		if !plainID.MatchString(id) {
			id = NewID("req")
		}
		w.Header().Set(RequestIDHeader, id)
		began, seen := time.Now(), &recorder{ResponseWriter: w}
		ctx, traced := withTrace(WithRequestID(r.Context(), id), r.Header)
		r = r.WithContext(ctx)
		defer func() {
			if p := recover(); p != nil {
				env.Log.Error("panic", "request", id, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				if seen.status == 0 {
					Fail(seen, r, http.StatusInternalServerError, "the service failed; its log has the reason under this request id")
				}
			}
			logger := env.Log
			if traced != "" {
				logger = logger.With("trace", traced)
			}
			log := logger.Info
			if r.URL.Path == "/health" || r.URL.Path == "/"+env.Service+"/health" {
				log = logger.Debug
			}
			log("request", "request", id, "method", r.Method, "path", r.URL.Path, "status", seen.status, "bytes", seen.bytes,
				"took_ms", float64(time.Since(began).Microseconds())/1000)
		}()
		mux.ServeHTTP(seen, r)
	})
}

// NewID makes a fresh id such as ord_5f0c...: 96 random bits.
func NewID(prefix string) string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return prefix + "_" + hex.EncodeToString(b[:])
}

// recorder notes what was answered.
type recorder struct {
	http.ResponseWriter
	status, bytes int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
