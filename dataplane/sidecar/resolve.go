package sidecar

import (
	"context"
	"net"
	"slices"
	"time"
)

// refresh is how often host names of endpoints are resolved (Envoy's
// dns_refresh_rate).
const refresh = 5 * time.Second

// resolveNames keeps the addresses of host names that clusters name. A name
// that cannot be resolved keeps the addresses it had.
func (s *Sidecar) resolveNames(ctx context.Context) error {
	tick := time.NewTicker(refresh / 10)
	defer tick.Stop()
	asked := map[string]time.Time{}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		for _, name := range s.hostnames() {
			if time.Since(asked[name]) < refresh {
				continue
			}
			asked[name] = time.Now()
			ips, err := net.DefaultResolver.LookupHost(ctx, name)
			if err != nil {
				s.cfg.Log.Debug("resolve", "name", name, "err", err)
			}
			slices.Sort(ips)
			s.learn(ctx, name, ips)
		}
	}
}

func (s *Sidecar) hostnames() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := set{}
	for _, c := range s.state.clusters {
		names.add(hostnames(c)...)
	}
	return names.sorted()
}

func (s *Sidecar) learn(ctx context.Context, name string, ips []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, known := s.names[name]
	if known && (len(ips) == 0 || slices.Equal(was, ips)) {
		return
	}
	s.names[name] = ips
	s.apply(ctx)
}
