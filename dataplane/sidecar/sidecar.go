// Package sidecar is the proxy beside an application: it follows a mesh's
// control plane over xDS and makes dataplane/proxy do what that says, with
// the environment and the admin port that users of Envoy know. It knows
// nothing of App Mesh or of this platform: any xDS v3 server will do that
// speaks incremental ADS and keeps to what the translation understands.
//
// A state of resources (state.go) is turned into the proxy's configuration by
// a pure function (translate.go). What was understood is acknowledged; a
// resource that cannot be served is refused with the reason, and what was
// served before stays. Secrets go into a vault that TLS looks into at each
// handshake, so a rotation touches no connection.
//
// Invariants: without the control plane all goes on as it last said; a
// listener serves only when everything it names has come.
package sidecar

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/api/xdsapi"
	"github.com/slipway-dev/slipway/dataplane/proxy"
)

// Config is what a sidecar is made of.
type Config struct {
	Node     *xdsapi.Node
	Endpoint string // host:port of the control plane
	Admin    string // host:port of the admin server; empty: none
	Version  string
	Log      *slog.Logger
	Level    *slog.LevelVar // what POST /logging changes; may be nil
	Access   io.Writer      // access logs of /dev/stdout; nil: none
	Threads  int            // that carry traffic; 0: one a processor
	Labels   string         // of every figure for Prometheus, as they are written: a="b",c="d"
}

// Sidecar runs. Use New.
type Sidecar struct {
	cfg     Config
	proxy   *proxy.Server
	vault   *vault
	started time.Time
	client  *http.Client
	stream  streamStats
	failed  atomic.Bool // by POST /healthcheck/fail
	closing atomic.Bool
	help    []string
	own     []netip.Addr
	logs    *logs
	stop    context.CancelFunc

	mu       sync.Mutex // guards what follows
	state    state
	versions map[string]map[string]string // of resources, by type and name
	names    map[string][]string          // addresses of host names
	missing  []string                     // what the configuration still waits for
	applied  bool                         // listeners and clusters have come once
	heard    map[string]bool              // types that were answered at least once
	rejected map[string]string            // by type: what was wrong with what came last
	config   proxy.Config
}

// New makes a sidecar that serves nothing until Run.
func New(cfg Config) (*Sidecar, error) {
	if cfg.Endpoint == "" || cfg.Node.GetId() == "" {
		return nil, errors.New("sidecar: Config.Endpoint and Config.Node are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Sidecar{
		cfg: cfg, vault: newVault(), started: time.Now(), client: newClient(), own: ownAddresses(), logs: &logs{stdout: cfg.Access, files: map[string]io.Writer{}},
		versions: map[string]map[string]string{}, names: map[string][]string{}, heard: map[string]bool{}, rejected: map[string]string{},
	}
	p, err := proxy.New(proxy.Options{
		Listen: func(ctx context.Context, addr string) (net.Listener, error) {
			return (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		},
		Dial: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		},
		Finish: true,
		Log:    cfg.Log,
	})
	s.proxy = p
	return s, err
}

// Run serves until ctx ends, then lets requests in flight end.
func (s *Sidecar) Run(ctx context.Context) error {
	ctx, s.stop = context.WithCancel(ctx)
	defer s.stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.follow(ctx) })
	group.Go(func() error { return s.resolveNames(ctx) })
	if s.cfg.Admin != "" {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.cfg.Admin)
		if err != nil {
			return err
		}
		admin := &http.Server{Handler: s.admin(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
		group.Go(func() error { return admin.Serve(l) })
		group.Go(func() error { <-ctx.Done(); return admin.Close() })
	}
	group.Go(func() error {
		<-ctx.Done()
		s.closing.Store(true)
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		return s.proxy.Close(drain)
	})
	err := group.Wait()
	if errors.Is(err, context.Canceled) || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// drainTime is how long requests in flight may go on when the sidecar ends.
const drainTime = 5 * time.Second

// Ready reports whether all that the control plane said is served, and what
// is missing.
func (s *Sidecar) Ready() (bool, []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.applied && len(s.missing) == 0 && !s.closing.Load(), slices.Clone(s.missing)
}

// accept takes a response in: the state changes, and with it what is served.
// An error refuses the response; nothing of it is kept.
func (s *Sidecar) accept(ctx context.Context, typeURL string, came []resource, gone []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := s.state.with(typeURL, came, gone)
	rotated := typeURL == xdsapi.SecretType && len(gone) == 0
	if err == nil && typeURL == xdsapi.SecretType {
		for _, r := range came {
			err = errors.Join(err, s.vault.put(next.secrets[r.name]))
			rotated = rotated && s.state.secrets[r.name] != nil
		}
	}
	var cfg proxy.Config
	var missing []string
	if err == nil && !rotated { // else the vault has it, and nothing else is different
		cfg, missing, err = translate(next, s.vault, s.names, s.own, s.logs)
	}
	if err != nil {
		s.rejected[typeURL] = err.Error()
		return err
	}
	delete(s.rejected, typeURL)
	s.state, s.heard[typeURL] = next, true
	if !rotated {
		s.serve(ctx, cfg, missing)
	}
	return nil
}

// apply serves the present state. The caller holds the lock.
func (s *Sidecar) apply(ctx context.Context) {
	cfg, missing, _ := translate(s.state, s.vault, s.names, s.own, s.logs)
	s.serve(ctx, cfg, missing)
}

// serve serves what a state was translated to. The caller holds the lock.
func (s *Sidecar) serve(ctx context.Context, cfg proxy.Config, missing []string) {
	s.missing = missing
	s.applied = s.applied || s.heard[xdsapi.ListenerType] && s.heard[xdsapi.ClusterType]
	if !s.heard[xdsapi.ListenerType] {
		return // clusters alone serve nothing yet
	}
	s.config = cfg
	if err := s.proxy.Apply(ctx, cfg); err != nil && ctx.Err() == nil {
		s.cfg.Log.Error("configuration not served as it is", "err", err)
		s.missing = append(s.missing, strings.Split(err.Error(), "\n")...)
	}
}
