package sidecar

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/slipway-dev/slipway/api/xdsapi"
	"github.com/slipway-dev/slipway/dataplane/proxy"
)

// cluster adds the proxy's group for a cluster.
func (t *translation) cluster(c *xdsapi.Cluster) error {
	g := proxy.Group{ID: c.GetName(), ConnectTimeout: duration(c.GetConnectTimeout(), 5*time.Second)}
	switch c.GetLbPolicy() {
	case xdsapi.Cluster_LEAST_REQUEST:
		g.Balance = proxy.TwoChoice
	case xdsapi.Cluster_RANDOM:
		g.Balance = proxy.Random
	}
	version, err := versionOf(c)
	if err != nil {
		return fmt.Errorf("cluster %s: %w", c.GetName(), err)
	}
	g.Version = version
	up, err := upstreamOf(c.GetTransportSocket())
	if err != nil {
		return fmt.Errorf("cluster %s: %w", c.GetName(), err)
	}
	if up != nil {
		if g.TLS, err = t.vault.client(up); err != nil {
			return fmt.Errorf("cluster %s: %w", c.GetName(), err)
		}
		t.has(xdsapi.SecretType, secretsOf(up.GetCommonTlsContext())...)
	}
	if o := c.GetOutlierDetection(); o != nil {
		g.Outlier = &proxy.Outlier{
			Errors: number(o.GetConsecutive_5Xx(), 5), Interval: duration(o.GetInterval(), 10*time.Second),
			Ejection: duration(o.GetBaseEjectionTime(), 30*time.Second), MaxPercent: number(o.GetMaxEjectionPercent(), 10),
		}
	}
	for _, th := range c.GetCircuitBreakers().GetThresholds() {
		if th.GetPriority() == xdsapi.RoutingPriority_ROUTINGPRIORITY_DEFAULT {
			g.Limits = proxy.Limits{
				Conns: number(th.GetMaxConnections(), 0), Pending: number(th.GetMaxPendingRequests(), 0), Requests: number(th.GetMaxRequests(), 0),
			}
		}
	}
	switch c.GetType() {
	case xdsapi.Cluster_ORIGINAL_DST:
		g.Original = true
	case xdsapi.Cluster_EDS:
		if t.has(xdsapi.EndpointType, assignmentOf(c)) {
			err = t.targets(&g, t.state.endpoints[assignmentOf(c)])
		}
	default: // static, or by names that are resolved
		err = t.targets(&g, c.GetLoadAssignment())
	}
	if err != nil {
		return fmt.Errorf("cluster %s: %w", c.GetName(), err)
	}
	if g.TLS != nil {
		g.Targets = t.others(g.Targets)
	}
	t.cfg.Groups = append(t.cfg.Groups, g)
	return nil
}

// others leaves out the task itself, if there are others: a connection to one's
// own address is not intercepted (ECS, proxyConfiguration: what comes from
// elsewhere is), so TLS would be begun with the application.
func (t *translation) others(all []proxy.Target) []proxy.Target {
	rest := slices.DeleteFunc(slices.Clone(all), func(target proxy.Target) bool {
		at, err := netip.ParseAddrPort(target.Addr)
		return err == nil && slices.Contains(t.own, at.Addr())
	})
	if !slices.ContainsFunc(rest, func(target proxy.Target) bool { return target.State == proxy.Healthy }) {
		return all
	}
	return rest
}

// ownAddresses are those at which others reach this task.
func ownAddresses() (own []netip.Addr) {
	all, _ := net.InterfaceAddrs() // without them all targets are others
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLoopback() {
			own = append(own, p.Addr().Unmap())
		}
	}
	return own
}

// versionOf is the protocol that a cluster speaks. Peers that may agree by
// themselves carry many requests on one connection of HTTP/2, which costs a third
// less than HTTP/1.1 on many.
func versionOf(c *xdsapi.Cluster) (proxy.Version, error) {
	o, err := optional[xdsapi.UpstreamHttpOptions](c.GetTypedExtensionProtocolOptions()[xdsapi.HTTPOptionsKey])
	switch explicit := o.GetExplicitHttpConfig(); {
	case err != nil:
		return proxy.HTTP1, err
	case explicit.GetHttp2ProtocolOptions() != nil:
		return proxy.HTTP2, nil
	case o.GetAutoConfig() != nil && c.GetTransportSocket() != nil:
		return proxy.Any, nil
	}
	return proxy.HTTP1, nil
}

// targets fills a group with endpoints. Those of the lowest priority number
// that are there are used.
func (t *translation) targets(g *proxy.Group, a *xdsapi.ClusterLoadAssignment) error {
	for _, where := range a.GetEndpoints() {
		for _, e := range where.GetLbEndpoints() {
			at := e.GetEndpoint().GetAddress().GetSocketAddress()
			if at == nil {
				return fmt.Errorf("an endpoint of %s has no socket address", a.GetClusterName())
			}
			target := proxy.Target{Weight: number(e.GetLoadBalancingWeight(), 1)}
			switch e.GetHealthStatus() {
			case xdsapi.HealthStatus_HEALTHSTATUS_UNHEALTHY:
				target.State = proxy.Unhealthy
			case xdsapi.HealthStatus_HEALTHSTATUS_DRAINING:
				target.State = proxy.Draining
			}
			for _, ip := range t.resolve(at.GetAddress()) {
				target.Addr = net.JoinHostPort(ip, strconv.Itoa(int(at.GetPortValue())))
				g.Targets = append(g.Targets, target)
			}
		}
	}
	return nil
}

// resolve is an address itself, or what a name stands for now.
func (t *translation) resolve(address string) []string {
	if _, err := netip.ParseAddr(address); err == nil {
		return []string{address}
	}
	ips, known := t.names[address]
	if !known {
		t.missing = append(t.missing, "name "+address)
	}
	return ips
}

func number(v *wrapperspb.UInt32Value, otherwise int) int {
	if v == nil {
		return otherwise
	}
	return int(v.GetValue())
}

// hostnames are the names of a cluster's endpoints that have to be resolved.
func hostnames(c *xdsapi.Cluster) (names []string) {
	for _, where := range c.GetLoadAssignment().GetEndpoints() {
		for _, e := range where.GetLbEndpoints() {
			name := e.GetEndpoint().GetAddress().GetSocketAddress().GetAddress()
			if _, err := netip.ParseAddr(name); err != nil && name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}
