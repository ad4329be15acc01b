package engine

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/node/agent"
)

// handler serves everything that has the API's address: the AWS APIs, the
// image registry, sessions of ECS Exec, and the engine's own health and
// metrics.
func (e *Engine) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v2/", e.ecr.Handler())
	mux.Handle("GET "+sessionPath+"{id}", e.sessions)
	mux.HandleFunc("GET /_slipway/health", e.health)
	mux.Handle("GET /_slipway/metrics", e.mux.MetricsHandler())
	mux.HandleFunc("GET /_slipway/coverage", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, awsapi.Coverage(e.apis...))
	})
	mux.Handle(resetPath, e.mux.Guard(e.reset))
	mux.Handle(forwardPath, e.mux.GuardRead(e.forward))
	mux.Handle(agent.CallbackPath, e.callbacks)
	e.chaosHandlers(mux)
	e.meshHandlers(mux)
	mux.Handle("/", e.mux)
	return mux
}

// Health is what GET /_slipway/health answers.
type Health struct {
	Status    string    `json:"status"` // ok
	Version   string    `json:"version"`
	Runtime   string    `json:"runtime"` // runc, simulated
	Rootless  bool      `json:"rootless"`
	Limits    bool      `json:"limits"` // CPU and memory limits hold
	StartedAt time.Time `json:"startedAt"`
	AnyAuth   bool      `json:"anyAuth,omitempty"`
}

func (e *Engine) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, e.state)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client has gone: nobody to tell
}

// server answers on a listener until it is closed. Requests have to arrive in
// time; answers may take as long as they need (log tails, image layers).
func (e *Engine) server() *http.Server {
	return &http.Server{
		Handler:           e.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

// clientAddress is what clients put into URLs: a name for the usual address,
// since the names below localhost that some operations want resolve too. An engine that
// listens everywhere is in a container whose port is published.
func clientAddress(listen string) string {
	at, err := netip.ParseAddrPort(listen)
	if err == nil && (at.Addr() == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || at.Addr().IsUnspecified()) {
		return net.JoinHostPort("localhost", strconv.Itoa(int(at.Port())))
	}
	return listen
}
