package elbv2

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy/health"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
)

// probing is what the health loop remembers of a target between probes. It
// is rebuilt from the row after a restart.
type probing struct {
	since   time.Time // when this registration was first seen
	state   health.State
	next    time.Time // of the next probe
	checked bool
}

// healthLoop keeps the health of targets true: one key per target, one probe
// at a time, the next one an interval later. The first probes of a target
// come at once and close together, so that a task serves as soon as it can:
// 100 ms apart, then an eighth of the time waited so far, up to the interval.
// Such early failures count as a failed check only once per interval.
func (s *Service) healthLoop() loop.Loop {
	return loop.Loop{
		Name:    "target health",
		Workers: 256,
		List:    targetKeys,
		Keys: func(snap *store.Snapshot, c store.Change) []string {
			switch c.Table {
			case Targets.Name():
				return []string{c.Key}
			case Rules.Name(), Listeners.Name(): // a group may have become used or unused
				return targetKeys(snap)
			case TargetGroups.Name():
				var keys []string
				for t := range Targets.By(snap, "group", c.Key) {
					keys = append(keys, Targets.Key(t))
				}
				return keys
			}
			return nil
		},
		Reconcile: s.checkTarget,
	}
}

func (s *Service) checkTarget(ctx context.Context, key string) (time.Duration, error) {
	snap := s.store.Snapshot()
	t, err := Targets.Get(snap, key)
	g, errGroup := TargetGroups.Get(snap, t.GroupARN)
	if err != nil || errGroup != nil || t.State == Draining {
		s.forget(key)
		return 0, nil //nolint:nilerr // gone, or no longer probed
	}
	balancers := balancersOf(snap, t.GroupARN)
	if used := len(balancers) > 0; used == (t.State == Unused) {
		s.forget(key)
		return 0, s.setHealth(key, t, func(row *Target) { row.registering(used) })
	}
	if len(balancers) == 0 {
		return 0, nil
	}
	now := time.Now()
	p := s.remember(key, t, now)
	if wait := p.next.Sub(now); wait > 0 {
		return wait, nil
	}
	b, err := LoadBalancers.Get(snap, balancers[0])
	if err != nil {
		return 0, nil //nolint:nilerr // gone
	}
	check := g.probe(t, s.scaled)
	result := health.Probe(ctx, s.prober(b), check)
	if ctx.Err() != nil {
		return 0, nil
	}
	interval := s.scaled(g.Health.Interval)
	now = time.Now()
	p.state = p.state.Next(result, health.Thresholds{Healthy: g.Health.Healthy, Unhealthy: g.Health.Unhealthy, Interval: interval}, now)
	p.checked = true
	wait := interval
	if p.state.Status == health.Initial {
		wait = min(interval, max(100*time.Millisecond, now.Sub(p.since)/8))
	}
	p.next = now.Add(wait)
	return wait, s.setHealth(key, t, func(row *Target) { row.judge(p.state, now) })
}

// judge writes what the probes say into the row.
func (t *Target) judge(st health.State, now time.Time) {
	switch st.Status {
	case health.Healthy:
		if t.State != Healthy {
			t.HealthyAt = now
		}
		t.State, t.Reason, t.Description = Healthy, "", ""
	case health.Unhealthy:
		t.State, t.Reason, t.Description = Unhealthy, st.Reason, st.Description
	default:
		t.State, t.Reason, t.Description = Initial, "Elb.InitialHealthChecking", "Initial health checks in progress"
	}
}

// setHealth writes a change of the registration that was read as old, and
// nothing when nothing changes.
func (s *Service) setHealth(key string, old Target, change func(*Target)) error {
	row := old
	if change(&row); row == old {
		return nil
	}
	return s.store.Update(func(tx *store.Tx) error {
		row, err := Targets.Get(tx, key)
		if err != nil || row.State == Draining || !row.RegisteredAt.Equal(old.RegisteredAt) {
			return nil //nolint:nilerr // another registration, or none
		}
		change(&row)
		Targets.Put(tx, row)
		return nil
	})
}

// remember is the memory of a target's probes, made from its row when there
// is none.
func (s *Service) remember(key string, t Target, now time.Time) *probing {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.probes[key]
	if p == nil {
		p = &probing{since: now}
		switch t.State {
		case Healthy:
			p.state.Status = health.Healthy
		case Unhealthy:
			p.state = health.State{Status: health.Unhealthy, Reason: t.Reason, Description: t.Description}
		}
		s.probes[key] = p
	}
	return p
}

func (s *Service) forget(key string) {
	s.mu.Lock()
	delete(s.probes, key)
	s.mu.Unlock()
}

// probe is the probe of a target.
func (g TargetGroup) probe(t Target, scaled func(time.Duration) time.Duration) health.Check {
	h := g.Health
	port := t.Port
	if h.Port != trafficPort {
		port = atoi(h.Port)
	}
	c := health.Check{
		Protocol: health.Protocol(h.Protocol), Addr: net.JoinHostPort(t.ID, strconv.Itoa(port)), Path: h.Path, Matcher: h.Matcher,
		Agent: "ELB-HealthChecker/2.0", Timeout: max(scaled(h.Timeout), min(h.Timeout, time.Second)),
		HTTP2: g.ProtocolVersion == "HTTP2" || g.ProtocolVersion == "GRPC", GRPC: g.ProtocolVersion == "GRPC",
	}
	return c
}

// prober dials from the load balancer's own address, so that security groups
// hold for probes as for requests.
func (s *Service) prober(b LoadBalancer) health.Dial {
	vpc, source, _ := strings.Cut(b.origin(), "/")
	ip, _ := netip.ParseAddr(source)
	dial := s.cfg.Network.Dialer(vpc, ip)
	return func(ctx context.Context, addr string) (net.Conn, error) { return dial(ctx, "tcp4", addr) }
}
