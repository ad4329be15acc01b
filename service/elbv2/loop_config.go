package elbv2

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
)

// ours tells whether a change is in a table the data plane depends on.
func ours(c store.Change) bool { return strings.HasPrefix(c.Table, "elbv2/") }

// configLoop keeps the proxy serving what the tables say.
func (s *Service) configLoop() loop.Loop {
	const only = "proxy"
	return loop.Loop{
		Name: "load balancer configuration",
		List: func(*store.Snapshot) []string { return []string{only} },
		Keys: func(_ *store.Snapshot, c store.Change) []string {
			if ours(c) {
				return []string{only}
			}
			return nil
		},
		Reconcile: func(ctx context.Context, _ string) (time.Duration, error) { return s.configure(ctx) },
	}
}

// configure applies the present snapshot: all of it, or only the groups whose
// targets have changed when nothing else has. Listeners whose socket could not
// be opened are tried again.
func (s *Service) configure(ctx context.Context) (time.Duration, error) {
	snap := s.store.Snapshot()
	groups, only := s.changedGroups(snap)
	s.configured = nil
	var again time.Duration
	var err error
	if only {
		err = s.configureGroups(snap, groups)
	} else {
		again = s.configureAll(ctx, snap)
	}
	if again == 0 && err == nil {
		s.configured = new(snap.Revision())
	}
	return again, err
}

// changedGroups are the groups whose targets have changed since the proxy was
// configured; ok is false when more has, or may have.
func (s *Service) changedGroups(snap *store.Snapshot) (groups map[string]bool, ok bool) {
	if s.configured == nil {
		return nil, false
	}
	changes, err := s.store.ChangesUntil(snap, *s.configured)
	if err != nil {
		return nil, false // too long ago
	}
	groups = map[string]bool{}
	for _, c := range changes {
		switch {
		case c.Table == Targets.Name():
			groups[groupOfTarget(c.Key)] = true
		case ours(c):
			return nil, false
		}
	}
	return groups, true
}

func (s *Service) configureGroups(snap *store.Snapshot, changed map[string]bool) error {
	p := s.planner(snap)
	var groups []proxy.Group
	for id := range changed {
		owners := balancersOf(snap, id)
		g, err := TargetGroups.Get(snap, id)
		if err != nil || len(owners) == 0 {
			continue // nothing sends to it
		}
		b, err := LoadBalancers.Get(snap, owners[len(owners)-1]) // as plan has it
		if err != nil {
			continue
		}
		groups = append(groups, p.group(g, b))
	}
	return s.proxy.ApplyGroups(groups...)
}

func (s *Service) planner(snap *store.Snapshot) planner {
	return planner{r: snap, scaled: s.scaled, hostAddr: s.hostAddr, hostPort: s.cfg.HostPort, certificate: func(id string, names []string) (tls.Certificate, error) {
		return s.certificate(snap, id, names)
	}}
}

func (s *Service) configureAll(ctx context.Context, snap *store.Snapshot) (again time.Duration) {
	cfg, errs := s.planner(snap).plan()
	err := errors.Join(append(errs, s.proxy.Apply(ctx, cfg))...)
	faults := map[string]string{}
	collect(err, func(e *proxy.ListenError) {
		if !strings.Contains(e.Listener, "@") { // sockets inside the VPC follow when its interfaces are there
			faults[e.Listener] = e.Err.Error()
		}
	})
	s.mu.Lock()
	for id, why := range faults {
		if s.faults[id] != why {
			s.log.Error("listener cannot be served", "listener", id, "err", why)
		}
	}
	s.faults = faults
	s.mu.Unlock()
	if err != nil {
		return 500 * time.Millisecond
	}
	return 0
}

// collect calls fn for each ListenError joined in err.
func collect(err error, fn func(*proxy.ListenError)) {
	if err == nil {
		return
	}
	if e, ok := err.(*proxy.ListenError); ok { //nolint:errorlint // walking the tree by hand
		fn(e)
		return
	}
	if j, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // walking the tree by hand
		for _, e := range j.Unwrap() {
			collect(e, fn)
		}
	}
}

// Fault is why a listener cannot be served, empty when it can.
func (s *Service) Fault(listenerARN string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults[listenerARN]
}

// stateLoop makes load balancers active once they have their interfaces.
func (s *Service) stateLoop() loop.Loop {
	return loop.Loop{
		Name: "load balancer state",
		List: func(snap *store.Snapshot) (keys []string) {
			for b := range LoadBalancers.List(snap, "") {
				keys = append(keys, b.ARN)
			}
			return keys
		},
		Keys: func(_ *store.Snapshot, c store.Change) []string {
			if c.Table == LoadBalancers.Name() {
				return []string{c.Key}
			}
			return nil
		},
		Reconcile: func(_ context.Context, key string) (time.Duration, error) {
			if b, err := LoadBalancers.Get(s.store.Snapshot(), key); err != nil || b.State != "provisioning" {
				return 0, nil //nolint:nilerr // gone
			}
			return 0, s.store.Update(func(tx *store.Tx) error {
				b, err := LoadBalancers.Get(tx, key)
				if err != nil || len(b.Nodes) == 0 {
					return nil //nolint:nilerr // gone
				}
				b.State = "active"
				LoadBalancers.Put(tx, b)
				return nil
			})
		},
	}
}
