package main

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"connectrpc.com/connect"

	"github.com/slipway-dev/slipway/api/xdsapi"
)

// follower plays a proxy: it asks for what a sidecar asks for, in the same
// order, and takes all that it is sent, without doing anything with it.
type follower struct {
	node   string     // ARN
	from   netip.Addr // where it connects from
	told   chan<- taken
	stream *connect.BidiStreamForClient[xdsapi.DeltaDiscoveryRequest, xdsapi.DeltaDiscoveryResponse]
	asked  map[string]map[string]bool // names, by type
	lacks  map[string]bool            // of what was asked for: type and name
}

// taken is a response that a follower has acknowledged.
type taken struct {
	at      time.Time
	node    string
	typeURL string
	whole   bool  // it lacks nothing
	err     error // its stream has ended
}

// follow follows a control plane until ctx ends.
func (f *follower) follow(ctx context.Context, plane string) {
	err := f.run(ctx, plane)
	if ctx.Err() == nil {
		f.told <- taken{node: f.node, err: err}
	}
}

func (f *follower) run(ctx context.Context, plane string) error {
	dialer := &net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(f.from, 0))}
	transport := &http.Transport{DialContext: dialer.DialContext, Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	client := connect.NewClient[xdsapi.DeltaDiscoveryRequest, xdsapi.DeltaDiscoveryResponse](&http.Client{Transport: transport}, "http://"+plane+xdsapi.DeltaPath, connect.WithGRPC())
	f.stream = client.CallBidiStream(ctx)
	f.asked, f.lacks = map[string]map[string]bool{}, map[string]bool{}
	node := &xdsapi.Node{Id: f.node, UserAgentName: "slipway-proxy"}
	for _, t := range []string{xdsapi.ClusterType, xdsapi.ListenerType} {
		f.lacks[t] = true
		if err := f.stream.Send(&xdsapi.DeltaDiscoveryRequest{Node: node, TypeUrl: t}); err != nil {
			return err
		}
	}
	for {
		r, err := f.stream.Receive()
		if err != nil {
			return err
		}
		if err := f.take(r); err != nil {
			return err
		}
	}
}

// take takes a response and asks for what it names.
func (f *follower) take(r *xdsapi.DeltaDiscoveryResponse) error {
	if err := f.stream.Send(&xdsapi.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()}); err != nil {
		return err
	}
	now := time.Now()
	delete(f.lacks, r.GetTypeUrl())
	for _, x := range r.GetResources() {
		delete(f.lacks, r.GetTypeUrl()+x.GetName())
		if err := f.names(r.GetTypeUrl(), x); err != nil {
			return err
		}
	}
	for t, names := range f.asked {
		var more []string
		for n, sent := range names {
			if !sent {
				names[n] = true
				more = append(more, n)
			}
		}
		if len(more) == 0 {
			continue
		}
		slices.Sort(more)
		if err := f.stream.Send(&xdsapi.DeltaDiscoveryRequest{TypeUrl: t, ResourceNamesSubscribe: more}); err != nil {
			return err
		}
	}
	f.told <- taken{at: now, node: f.node, typeURL: r.GetTypeUrl(), whole: len(f.lacks) == 0}
	return nil
}

// names notes what a cluster or listener needs besides.
func (f *follower) names(typeURL string, x *xdsapi.Resource) error {
	switch typeURL {
	case xdsapi.ClusterType:
		c := &xdsapi.Cluster{}
		if err := xdsapi.Unpack(x.GetResource(), c); err != nil {
			return err
		}
		if c.GetType() == xdsapi.Cluster_EDS {
			f.want(xdsapi.EndpointType, c.GetName())
		}
		if c.GetTransportSocket() != nil {
			f.want(xdsapi.SecretType, "default")
			f.want(xdsapi.SecretType, "ROOTCA")
		}
	case xdsapi.ListenerType:
		l := &xdsapi.Listener{}
		if err := xdsapi.Unpack(x.GetResource(), l); err != nil {
			return err
		}
		for _, c := range l.GetFilterChains() {
			m := &xdsapi.HttpConnectionManager{}
			if err := xdsapi.Unpack(c.GetFilters()[0].GetTypedConfig(), m); err != nil {
				return err
			}
			f.want(xdsapi.RouteType, m.GetRds().GetRouteConfigName())
		}
	}
	return nil
}

func (f *follower) want(typeURL, name string) {
	if f.asked[typeURL] == nil {
		f.asked[typeURL] = map[string]bool{}
	}
	if _, asked := f.asked[typeURL][name]; !asked {
		f.asked[typeURL][name] = false
		f.lacks[typeURL+name] = true
	}
}
