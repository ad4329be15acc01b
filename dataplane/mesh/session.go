package mesh

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/slipway-dev/slipway/api/xdsapi"
)

// session is one stream of one proxy. All but what is below mu belongs to the
// goroutine of run.
type session struct {
	server *Server
	book   *book
	caller Caller
	place  place
	key    proxyKey
	since  time.Time
	types  map[string]*subscription
	nonces int
	warned map[string]bool // of secrets that it gets not
	wake   chan struct{}   // holds one wake-up: something may have changed

	mu     sync.Mutex
	status Proxy
}

// run answers a stream until it ends. first is its first request.
func (s *session) run(ctx context.Context, w wire, first request) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	requests := make(chan request)
	go func() {
		defer cancel()
		for {
			r, err := w.receive()
			if err != nil {
				return // the client has gone
			}
			select {
			case requests <- r:
			case <-ctx.Done():
				return
			}
		}
	}()
	if err := s.take(first); err != nil {
		return err
	}
	for {
		renew, err := s.step(w, first.incremental)
		if err != nil {
			return err
		}
		var timer <-chan time.Time
		if !renew.IsZero() {
			timer = time.After(time.Until(renew))
		}
		select {
		case <-ctx.Done():
			return nil
		case r := <-requests:
			if err := s.take(r); err != nil {
				return err
			}
		case <-s.wake:
		case <-timer:
		}
	}
}

// take takes in a request. Types that the mesh does not serve are not answered,
// as those that have no resources.
func (s *session) take(r request) error {
	if !slices.Contains(order, r.url) {
		return nil
	}
	for _, names := range [][]string{r.names, r.subscribe, r.unsubscribe, slices.Collect(maps.Keys(r.versions))} {
		if len(names) > mostNames || slices.ContainsFunc(names, func(n string) bool { return len(n) > mostName }) {
			return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("more than %d names, or one of more than %d characters", mostNames, mostName))
		}
	}
	sub := s.types[r.url]
	if sub == nil {
		sub = newSubscription()
		s.types[r.url] = sub
	}
	first := sub.pending // of perhaps many answers to the same
	fresh := sub.answered(r.nonce, r.fault)
	if fresh && first && r.fault != "" {
		s.server.cfg.Log.Warn("a proxy refuses its configuration", "mesh", s.book.name, "proxy", s.place.name, "task", s.caller.Task,
			"type", short(r.url), "version", sub.version, "err", r.fault)
	}
	switch {
	case r.incremental:
		sub.change(r.url, r.subscribe, r.unsubscribe, r.versions)
	case fresh:
		sub.replace(r.url, r.names)
	}
	if len(sub.names) > mostNames {
		return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("more than %d names", mostNames))
	}
	return nil
}

// step sends what there is to be sent now, and says when there will be more
// without anything happening: when the certificate is to be renewed.
//
// New configuration comes in order, each type when what it refers to was
// answered: clusters, their endpoints, listeners, routes. What the client asks
// for is answered at once. Clusters that are no longer needed stay until
// listeners and routes were taken.
func (s *session) step(w wire, incremental bool) (renew time.Time, err error) {
	cfg, ok := s.book.config(s.key)
	if !ok {
		return renew, s.notFound()
	}
	own := s.secrets(cfg)
	want := map[string]set{}
	for _, url := range order {
		if sub := s.types[url]; sub != nil {
			want[url] = s.wanted(url, sub, cfg, own)
		}
	}
	blocked := false
	for _, url := range order {
		sub := s.types[url]
		if sub == nil {
			continue
		}
		have := want[url]
		if url == xdsapi.ClusterType && !s.settled(want) {
			have = with(have, sub.sent)
		}
		u := sub.look(url, have)
		if incremental {
			u.gone = append(u.gone, sub.lacking(have)...)
		}
		asked := sub.due || s.asks(sub, u)
		news := len(u.changed) > 0 || len(u.gone) > 0 && (incremental || wholesale(url))
		if asked || news && !blocked && !sub.pending {
			if err := s.send(w, sub, u); err != nil {
				return renew, err
			}
		}
		blocked = blocked || sub.pending && url != xdsapi.SecretType
	}
	s.report(want, own)
	return own.renew(), nil
}

// asks says whether an update has something that the client asked for and never got.
func (s *session) asks(sub *subscription, u update) bool {
	return slices.ContainsFunc(u.changed, func(r *resource) bool { return sub.names[r.name] && sub.sent[r.name] == nil })
}

func (s *session) send(w wire, sub *subscription, u update) error {
	s.nonces++
	u.nonce = strconv.Itoa(s.nonces)
	if endpoints := s.types[xdsapi.EndpointType]; u.url == xdsapi.ClusterType && endpoints != nil {
		for _, r := range u.changed { // a cluster that changes waits for its endpoints anew
			delete(endpoints.sent, r.name)
		}
	}
	sub.tell(u)
	return w.send(u)
}

// settled says whether listeners and routes are such that no other clusters
// than those of the new configuration can be needed: the client took them all.
func (s *session) settled(want map[string]set) bool {
	for _, url := range []string{xdsapi.ListenerType, xdsapi.RouteType} {
		sub := s.types[url]
		if sub == nil {
			continue
		}
		if u := sub.look(url, want[url]); sub.pending || sub.fault != "" || len(u.changed) > 0 || wholesale(url) && len(u.gone) > 0 {
			return false
		}
	}
	return true
}

// with is a set, and of another what it lacks.
func with(s, other set) set {
	out := maps.Clone(s)
	for name, r := range other {
		if out[name] == nil && r.body != nil {
			out[name] = r
		}
	}
	return out
}

// wanted is what a client is to have of a type, by what it subscribed to.
func (s *session) wanted(url string, sub *subscription, cfg *config, own secrets) set {
	var all, named func(name string) *resource
	var every set
	switch url {
	case xdsapi.ListenerType:
		every = cfg.listeners
		named = func(n string) *resource { return cfg.named[n] }
	case xdsapi.ClusterType:
		every = cfg.clusters
	case xdsapi.RouteType:
		every = cfg.routes
	case xdsapi.EndpointType:
		named = func(n string) *resource { return s.book.assignment(cfg, n) }
	case xdsapi.SecretType:
		named = own.get
	}
	all = func(n string) *resource { return every[n] }
	out := set{}
	if sub.wild {
		maps.Copy(out, every)
	}
	for n := range sub.names {
		r := all(n)
		if r == nil && named != nil {
			r = named(n)
		}
		if r != nil {
			out[n] = r
		} else if url == xdsapi.SecretType {
			s.warn(n)
		}
	}
	return out
}

// warn says once that a client waits for a secret in vain.
func (s *session) warn(secret string) {
	if s.warned[secret] {
		return
	}
	s.warned[secret] = true
	why := "the mesh has none of that name"
	if !s.place.gateway && !s.caller.Intercepted {
		why = "certificates of virtual nodes are for tasks with a proxyConfiguration"
	}
	s.server.cfg.Log.Warn("a proxy asks for a secret that it does not get", "mesh", s.book.name, "proxy", s.place.name, "task", s.caller.Task, "secret", secret, "why", why)
}

func (s *session) notFound() error {
	return connect.NewError(connect.CodeNotFound, fmt.Errorf("there is no %s %s in mesh %s", s.place.kind(), s.place.name, s.book.name))
}

// nudge wakes the session; it does not wait.
func (s *session) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
