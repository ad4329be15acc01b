package sidecar

import (
	"errors"
	"fmt"
	"net/netip"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/slipway-dev/slipway/api/xdsapi"
	"github.com/slipway-dev/slipway/dataplane/proxy"
)

var errNoManager = errors.New("the filter chain has no HTTP connection manager")

// managerOf is a chain's HTTP connection manager.
func managerOf(c *xdsapi.FilterChain) (*xdsapi.HttpConnectionManager, error) {
	m := &xdsapi.HttpConnectionManager{}
	return m, unpackFilter(c, m, errNoManager)
}

// tcpOf is a chain's TCP proxy.
func tcpOf(c *xdsapi.FilterChain) (*xdsapi.TcpProxy, error) {
	m := &xdsapi.TcpProxy{}
	return m, unpackFilter(c, m, errors.New("the filter chain has neither an HTTP connection manager nor a TCP proxy"))
}

func unpackFilter(c *xdsapi.FilterChain, m protoMessage, missing error) error {
	for _, f := range c.GetFilters() {
		if f.GetTypedConfig().GetTypeUrl() == xdsapi.TypeURL(m) {
			return xdsapi.Unpack(f.GetTypedConfig(), m)
		}
	}
	return missing
}

// optional unpacks what may be absent.
func optional[T any, M message[T]](a *anypb.Any) (M, error) {
	if a == nil {
		return nil, nil
	}
	m := M(new(T))
	return m, xdsapi.Unpack(a, m)
}

// downstreamOf is how a listener's chain ends TLS; nil: it does not.
func downstreamOf(s *xdsapi.TransportSocket) (*xdsapi.DownstreamTlsContext, error) {
	return optional[xdsapi.DownstreamTlsContext](s.GetTypedConfig())
}

// upstreamOf is how connections to a cluster begin TLS; nil: they do not.
func upstreamOf(s *xdsapi.TransportSocket) (*xdsapi.UpstreamTlsContext, error) {
	return optional[xdsapi.UpstreamTlsContext](s.GetTypedConfig())
}

// chains are the proxy's selectors for a filter chain: one for each prefix of
// addresses.
func chains(c *xdsapi.FilterChain, redirected bool) ([]proxy.Chain, error) {
	m := c.GetFilterChainMatch()
	one := proxy.Chain{Redirected: redirected, Port: uint16(m.GetDestinationPort().GetValue()), Plain: m.GetTransportProtocol() == "raw_buffer"}
	if len(m.GetServerNames()) > 0 || len(m.GetApplicationProtocols()) > 0 {
		return nil, fmt.Errorf("filter chain %s matches by server name or application protocol, which this proxy does not do", c.GetName())
	}
	if len(m.GetPrefixRanges()) == 0 {
		return []proxy.Chain{one}, nil
	}
	var all []proxy.Chain
	for _, r := range m.GetPrefixRanges() {
		addr, err := netip.ParseAddr(r.GetAddressPrefix())
		if err != nil {
			return nil, fmt.Errorf("filter chain %s: %w", c.GetName(), err)
		}
		bits := addr.BitLen()
		if r.GetPrefixLen() != nil {
			bits = int(r.GetPrefixLen().GetValue())
		}
		if one.Net, err = addr.Prefix(bits); err != nil {
			return nil, fmt.Errorf("filter chain %s: %w", c.GetName(), err)
		}
		all = append(all, one)
	}
	return all, nil
}

// redirected reports whether connections come to a listener by redirection.
func redirected(l *xdsapi.Listener) bool {
	if l.GetUseOriginalDst().GetValue() {
		return true
	}
	for _, f := range l.GetListenerFilters() {
		if f.GetName() == xdsapi.OriginalDstFilter || f.GetTypedConfig().GetTypeUrl() == xdsapi.TypeURL(&xdsapi.OriginalDst{}) {
			return true
		}
	}
	return false
}
