package awsapi

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi/sigv2"
	"github.com/slipway-dev/slipway/kernel/awsapi/sigv4"
)

// Config configures a Mux.
type Config struct {
	Credentials  func(accessKeyID string) (Credential, bool) // nil: no key is known
	DefaultScope arn.Scope                                   // for unsigned operations and AnyAuth
	AnyAuth      bool                                        // any or no signature acts as root: of the account that is its access key id, else of DefaultScope.Account
	Log          *slog.Logger                                // nil: discard
	Now          func() time.Time                            // nil: time.Now
	MaxBody      int64                                       // bytes of a request body that is not streamed; 0: 16 MiB
	Observe      func(Observation)                           // nil: nobody; told of every answered call, by many at once
}

// Mux is the HTTP handler of the API endpoint: all services at one address.
type Mux struct {
	config   Config
	services []*Service
	byScope  map[string]*Service // by the service part of a signature's scope
	byTarget map[string]*Service // by X-Amz-Target's prefix
}

const defaultMaxBody = 16 << 20

// NewMux makes a Mux that serves the given services.
func NewMux(c Config, services ...*Service) *Mux {
	if c.Credentials == nil {
		c.Credentials = func(string) (Credential, bool) { return Credential{}, false }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxBody == 0 {
		c.MaxBody = defaultMaxBody
	}
	m := &Mux{config: c, services: services, byScope: map[string]*Service{}, byTarget: map[string]*Service{}}
	for _, s := range services {
		m.byScope[s.model.Metadata.Scope()] = s
		if t := s.model.Metadata.TargetPrefix; t != "" {
			m.byTarget[t] = s
		}
	}
	return m
}

// Observation is one call of an operation that the API's models have.
type Observation struct {
	Service, Operation string // names of the models
	UserAgent          string
	Implemented        bool
	Err                error // nil: it was answered with its output
}

// ServeHTTP answers one API request.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	x := &exchange{w: w, r: r, id: requestID()}
	err := m.serve(x)
	if err != nil {
		m.fail(x, err)
	}
	if x.operation != nil {
		x.operation.meter.observe(time.Since(start), err)
	}
	if m.config.Observe != nil && x.service != nil && x.service.model.Operations[x.name] != nil {
		m.config.Observe(Observation{x.service.name, x.name, r.UserAgent(), x.operation != nil, err})
	}
}

// serve does all but write an error. A panic below becomes an internal error.
func (m *Mux) serve(x *exchange) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == any(http.ErrAbortHandler) {
			panic(p)
		}
		m.config.Log.Error("operation panicked", "operation", x.name, "request", x.id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		err = errors.New("panic")
	}()
	x.auth, x.authErr = sigv4.Parse(x.r)
	if old, ok := sigv2.Parse(x.r); ok && errors.Is(x.authErr, sigv4.ErrMissing) {
		x.old = &old
		x.auth, x.authErr = sigv4.Auth{AccessKey: old.AccessKey, SessionToken: old.SessionToken, Service: "s3", Presigned: true}, nil
	}
	if err := m.route(x); err != nil {
		return err
	}
	caller, secret, err := m.authenticate(x)
	if err != nil {
		return err
	}
	if x.operation == nil {
		return unimplemented(x)
	}
	in, err := decode(x, secret, m.config.MaxBody)
	if err != nil {
		return err
	}
	ctx := WithCaller(withRequest(withRequestID(x.r.Context(), x.id), x), caller)
	out, err := x.operation.call(ctx, in)
	if err != nil {
		return err
	}
	return m.reply(x, out)
}

// requestID is a random UUID.
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
