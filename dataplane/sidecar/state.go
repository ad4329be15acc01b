package sidecar

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/slipway-dev/slipway/api/xdsapi"
)

// state is what the control plane has said so far, by name. It is never
// changed in place.
type state struct {
	listeners map[string]*xdsapi.Listener
	routes    map[string]*xdsapi.RouteConfiguration
	clusters  map[string]*xdsapi.Cluster
	endpoints map[string]*xdsapi.ClusterLoadAssignment
	secrets   map[string]*xdsapi.Secret
}

// resource is one that came, still packed.
type resource struct {
	name string
	body *anypb.Any
}

// with is the state after resources of one type came and others went.
func (s state) with(typeURL string, came []resource, gone []string) (state, error) {
	var err error
	switch typeURL {
	case xdsapi.ListenerType:
		s.listeners, err = updated(s.listeners, came, gone)
	case xdsapi.RouteType:
		s.routes, err = updated(s.routes, came, gone)
	case xdsapi.ClusterType:
		s.clusters, err = updated(s.clusters, came, gone)
	case xdsapi.EndpointType:
		s.endpoints, err = updated(s.endpoints, came, gone)
	case xdsapi.SecretType:
		s.secrets, err = updated(s.secrets, came, gone)
	default:
		err = fmt.Errorf("resources of type %s were never asked for", typeURL)
	}
	return s, err
}

// message is a pointer to a generated message, whose zero value can be made.
type message[T any] interface {
	*T
	proto.Message
}

func updated[T any, M message[T]](have map[string]M, came []resource, gone []string) (map[string]M, error) {
	next := maps.Clone(have)
	if next == nil {
		next = map[string]M{}
	}
	for _, name := range gone {
		delete(next, name)
	}
	for _, r := range came {
		m := M(new(T))
		if err := xdsapi.Unpack(r.body, m); err != nil {
			return have, fmt.Errorf("resource %s: %w", r.name, err)
		}
		next[r.name] = m
	}
	return next, nil
}

// wants are the names of routes, endpoints and secrets that the state's
// listeners and clusters name, sorted, by type.
func (s state) wants() map[string][]string {
	routes, endpoints, secrets := set{}, set{}, set{}
	for _, l := range s.listeners {
		for _, c := range chainsOf(l) {
			if m, err := managerOf(c); err == nil && m.GetRds() != nil {
				routes.add(m.GetRds().GetRouteConfigName())
			}
			if t, err := downstreamOf(c.GetTransportSocket()); err == nil {
				secrets.add(secretsOf(t.GetCommonTlsContext())...)
			}
		}
	}
	for _, c := range s.clusters {
		if c.GetType() == xdsapi.Cluster_EDS {
			endpoints.add(assignmentOf(c))
		}
		if t, err := upstreamOf(c.GetTransportSocket()); err == nil {
			secrets.add(secretsOf(t.GetCommonTlsContext())...)
		}
	}
	return map[string][]string{xdsapi.RouteType: routes.sorted(), xdsapi.EndpointType: endpoints.sorted(), xdsapi.SecretType: secrets.sorted()}
}

type set map[string]bool

func (s set) add(names ...string) {
	for _, n := range names {
		s[n] = true
	}
}

func (s set) sorted() []string { return slices.Sorted(maps.Keys(s)) }

// chainsOf are all filter chains of a listener, the default one last.
func chainsOf(l *xdsapi.Listener) []*xdsapi.FilterChain {
	all := slices.Clone(l.GetFilterChains())
	if d := l.GetDefaultFilterChain(); d != nil {
		all = append(all, d)
	}
	return all
}

// assignmentOf is the name of a cluster's endpoints.
func assignmentOf(c *xdsapi.Cluster) string {
	if n := c.GetEdsClusterConfig().GetServiceName(); n != "" {
		return n
	}
	return c.GetName()
}
