package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	"github.com/slipway-dev/slipway/api/xdsapi"
)

// Waits between attempts to reach the control plane.
const (
	firstWait = 20 * time.Millisecond
	longWait  = 2 * time.Second
)

// streamStats is what is known of the connection to the control plane.
type streamStats struct {
	connected atomic.Bool
	connects  atomic.Int64
	accepted  counters
	rejected  counters
}

// counters are by type of resource.
type counters struct{ listener, route, cluster, endpoint, secret atomic.Int64 }

func (c *counters) of(typeURL string) *atomic.Int64 {
	switch typeURL {
	case xdsapi.ListenerType:
		return &c.listener
	case xdsapi.RouteType:
		return &c.route
	case xdsapi.ClusterType:
		return &c.cluster
	case xdsapi.EndpointType:
		return &c.endpoint
	}
	return &c.secret
}

func (c *counters) named(kind string) *atomic.Int64 {
	for _, t := range []string{xdsapi.ListenerType, xdsapi.RouteType, xdsapi.ClusterType, xdsapi.EndpointType} {
		if strings.HasPrefix(kindOf(t), kind) {
			return c.of(t)
		}
	}
	return &c.secret
}

// newClient speaks HTTP/2 without TLS. Pings find a connection that has died
// silently.
func newClient() *http.Client {
	t := &http.Transport{
		Protocols: new(http.Protocols),
		HTTP2:     &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
	}
	t.Protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: t}
}

// follow keeps a stream to the control plane open as long as ctx lives.
func (s *Sidecar) follow(ctx context.Context) error {
	wait := firstWait
	for ctx.Err() == nil {
		began := time.Now()
		err := s.session(ctx)
		s.stream.connected.Store(false)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > longWait {
			wait = firstWait
		}
		level := s.cfg.Log.Warn
		if wait < longWait/4 && !refused(err) {
			level = s.cfg.Log.Debug // a restart of the control plane is over before this
		}
		level("no connection to the control plane; what it said last goes on", "endpoint", s.cfg.Endpoint, "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(wait + rand.N(wait/2)):
		}
		wait = min(wait*2, longWait)
	}
	return nil
}

// refused reports whether the control plane said no, rather than nothing.
func refused(err error) bool {
	switch connect.CodeOf(err) {
	case connect.CodePermissionDenied, connect.CodeUnauthenticated, connect.CodeNotFound, connect.CodeInvalidArgument, connect.CodeUnimplemented:
		return true
	}
	return false
}

// stream is one ADS stream. All is done by the goroutine that receives: what
// is sent always answers something that came, but for the beginning.
type stream struct {
	*connect.BidiStreamForClient[xdsapi.DeltaDiscoveryRequest, xdsapi.DeltaDiscoveryResponse]
	subscribed map[string]set
}

// session follows one stream to its end.
func (s *Sidecar) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := connect.NewClient[xdsapi.DeltaDiscoveryRequest, xdsapi.DeltaDiscoveryResponse](
		s.client, "http://"+s.cfg.Endpoint+xdsapi.DeltaPath, connect.WithGRPC(),
	)
	st := &stream{c.CallBidiStream(ctx), map[string]set{}}
	// net/http sees that a request was cancelled only when it is not waiting for more of its body.
	defer context.AfterFunc(ctx, func() { _ = st.CloseRequest() })()
	defer func() { cancel(); _ = st.CloseRequest(); _ = st.CloseResponse() }()
	// The requests that begin a stream say which versions are known, so that
	// after a restart of the control plane nothing is sent twice.
	for _, t := range []string{xdsapi.ClusterType, xdsapi.ListenerType} {
		if err := st.Send(&xdsapi.DeltaDiscoveryRequest{Node: s.cfg.Node, TypeUrl: t, InitialResourceVersions: s.known(t)}); err != nil {
			return streamErr(st, err)
		}
	}
	if err := s.subscribe(st, true); err != nil {
		return streamErr(st, err)
	}
	for first := true; ; first = false {
		r, err := st.Receive()
		if err != nil {
			return err
		}
		if first {
			s.stream.connected.Store(true)
			s.stream.connects.Add(1)
		}
		if err := s.receive(ctx, st, r); err != nil {
			return streamErr(st, err)
		}
	}
}

// streamErr is the reason of the server when sending failed: gRPC tells it to
// the receiver only.
func streamErr(st *stream, err error) error {
	if errors.Is(err, io.EOF) {
		if _, rerr := st.Receive(); rerr != nil {
			return rerr
		}
	}
	return err
}

func (s *Sidecar) known(typeURL string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.versions[typeURL])
}

// receive takes one response in and answers it.
func (s *Sidecar) receive(ctx context.Context, st *stream, r *xdsapi.DeltaDiscoveryResponse) error {
	came := make([]resource, 0, len(r.GetResources()))
	for _, x := range r.GetResources() {
		came = append(came, resource{x.GetName(), x.GetResource()})
	}
	answer := &xdsapi.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()}
	if err := s.accept(ctx, r.GetTypeUrl(), came, r.GetRemovedResources()); err != nil {
		s.stream.rejected.of(r.GetTypeUrl()).Add(1)
		s.cfg.Log.Warn("refused what the control plane sent", "type", kindOf(r.GetTypeUrl()), "err", err)
		answer.ErrorDetail = &xdsapi.Status{Code: 3, Message: err.Error()} // INVALID_ARGUMENT
	} else {
		s.stream.accepted.of(r.GetTypeUrl()).Add(1)
		s.note(r)
	}
	if err := st.Send(answer); err != nil {
		return err
	}
	return s.subscribe(st, false)
}

// note keeps the versions of what was accepted.
func (s *Sidecar) note(r *xdsapi.DeltaDiscoveryResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.versions[r.GetTypeUrl()]
	if v == nil {
		v = map[string]string{}
		s.versions[r.GetTypeUrl()] = v
	}
	for _, x := range r.GetResources() {
		v[x.GetName()] = x.GetVersion()
	}
	for _, name := range r.GetRemovedResources() {
		delete(v, name)
	}
}

// subscribe asks for what the state names and is not asked for yet, and no
// longer for what it names no more.
func (s *Sidecar) subscribe(st *stream, begin bool) error {
	s.mu.Lock()
	wants := s.state.wants()
	s.mu.Unlock()
	for _, t := range []string{xdsapi.EndpointType, xdsapi.SecretType, xdsapi.RouteType} {
		now := set{}
		now.add(wants[t]...)
		var more, less []string
		for _, n := range wants[t] {
			if !st.subscribed[t][n] {
				more = append(more, n)
			}
		}
		for n := range st.subscribed[t] {
			if !now[n] {
				less = append(less, n)
			}
		}
		if len(more)+len(less) == 0 {
			continue
		}
		slices.Sort(less)
		st.subscribed[t] = now
		q := &xdsapi.DeltaDiscoveryRequest{TypeUrl: t, ResourceNamesSubscribe: more, ResourceNamesUnsubscribe: less}
		if begin {
			q.InitialResourceVersions = s.known(t)
		}
		if err := st.Send(q); err != nil {
			return fmt.Errorf("subscribe to %s: %w", kindOf(t), err)
		}
		if len(less) > 0 {
			s.forget(t, less)
		}
	}
	return nil
}

// forget drops what nothing names any more.
func (s *Sidecar) forget(typeURL string, names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range names {
		delete(s.versions[typeURL], n)
	}
	s.state, _ = s.state.with(typeURL, nil, names)
}
