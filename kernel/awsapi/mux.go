package awsapi

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
)

// Config configures a Mux.
type Config struct {
	Credentials  func(accessKeyID string) (Credential, bool) // nil: no key is known
	DefaultScope arn.Scope                                   // for unsigned operations and AnyAuth
	AnyAuth      bool                                        // any or no signature acts as root of DefaultScope.Account
	Log          *slog.Logger                                // nil: discard
	Now          func() time.Time                            // nil: time.Now
	MaxBody      int64                                       // bytes of a request body that is not streamed; 0: 16 MiB
}

// Mux is the HTTP handler of the API endpoint.
type Mux struct{ config Config }

// NewMux makes a Mux that serves the given services.
func NewMux(c Config, services ...*Service) *Mux { return &Mux{config: c} }

// ServeHTTP answers one API request.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	http.Error(w, "not yet", http.StatusNotImplemented)
}
