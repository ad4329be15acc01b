package sidecar

import (
	"errors"
	"maps"
	"net/netip"
	"slices"

	"github.com/slipway-dev/slipway/api/xdsapi"
	"github.com/slipway-dev/slipway/dataplane/proxy"
)

// translation turns a state into the proxy's configuration. What a resource
// refers to and has not come yet is missing: the listener waits for it, as
// Envoy's do (warming).
type translation struct {
	state   state
	vault   *vault
	names   map[string][]string // addresses by host name, as last resolved
	own     []netip.Addr        // of this task
	logs    *logs
	cfg     proxy.Config
	missing []string
	used    set // groups that routes name
}

// translate makes a configuration. Resources that cannot be served are named
// in the error and left out; all others serve.
func translate(s state, v *vault, names map[string][]string, own []netip.Addr, l *logs) (cfg proxy.Config, missing []string, err error) {
	t := &translation{state: s, vault: v, names: names, own: own, logs: l, used: set{}}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(s.clusters)) {
		faults = append(faults, t.cluster(s.clusters[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(s.listeners)) {
		faults = append(faults, t.listener(s.listeners[name]))
	}
	// A route may name a cluster that is gone: such requests are answered 503.
	for _, g := range t.cfg.Groups {
		delete(t.used, g.ID)
	}
	for _, id := range t.used.sorted() {
		t.cfg.Groups = append(t.cfg.Groups, proxy.Group{ID: id})
	}
	slices.Sort(t.missing)
	return t.cfg, slices.Compact(t.missing), errors.Join(faults...)
}

// group notes that a cluster is used.
func (t *translation) group(name string) string {
	t.used.add(name)
	return name
}

// has reports whether resources have come; those that have not are missing.
func (t *translation) has(typeURL string, names ...string) bool {
	all := true
	for _, n := range names {
		ok := false
		switch typeURL {
		case xdsapi.RouteType:
			ok = t.state.routes[n] != nil
		case xdsapi.EndpointType:
			ok = t.state.endpoints[n] != nil
		case xdsapi.SecretType:
			ok = t.state.secrets[n] != nil
		}
		if !ok {
			t.missing = append(t.missing, kindOf(typeURL)+" "+n)
			all = false
		}
	}
	return all
}

// kindOf is a word for a type of resources.
func kindOf(typeURL string) string {
	switch typeURL {
	case xdsapi.ListenerType:
		return "listener"
	case xdsapi.RouteType:
		return "routes"
	case xdsapi.ClusterType:
		return "cluster"
	case xdsapi.EndpointType:
		return "endpoints"
	case xdsapi.SecretType:
		return "secret"
	}
	return typeURL
}
