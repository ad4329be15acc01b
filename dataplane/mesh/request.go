package mesh

import (
	"connectrpc.com/connect"

	"github.com/slipway-dev/slipway/api/xdsapi"
)

// request is what a client says, in either variant of the protocol.
type request struct {
	node  *xdsapi.Node
	url   string // of the type it is about
	nonce string // of the response that it answers
	fault string // why the client refuses that; empty when it does not
	// names are all that the client wants (state of the world); subscribe, unsubscribe and versions what changes, and what it
	// has from streams before (incremental).
	incremental            bool
	names                  []string
	subscribe, unsubscribe []string
	versions               map[string]string
}

// update is what there is to tell about one type.
type update struct {
	url     string
	nonce   string
	version string      // of all that the client is to have
	all     []*resource // that, in order of names
	changed []*resource // of those, what it has not
	gone    []string
}

// wire is one variant of the protocol on one stream.
type wire interface {
	receive() (request, error)
	send(update) error
}

type (
	stateStream       = connect.BidiStream[xdsapi.DiscoveryRequest, xdsapi.DiscoveryResponse]
	incrementalStream = connect.BidiStream[xdsapi.DeltaDiscoveryRequest, xdsapi.DeltaDiscoveryResponse]
)

// stateOfTheWorld is the variant in which both sides name all there is.
type stateOfTheWorld struct{ stream *stateStream }

func (w stateOfTheWorld) receive() (request, error) {
	m, err := w.stream.Receive()
	return stateRequest(m), err
}

func stateRequest(m *xdsapi.DiscoveryRequest) request {
	return request{node: m.GetNode(), url: m.GetTypeUrl(), nonce: m.GetResponseNonce(), fault: faultOf(m.GetErrorDetail()), names: m.GetResourceNames()}
}

// send tells all listeners or clusters, since one that is missing is gone; of
// other types what changed is enough.
func (w stateOfTheWorld) send(u update) error {
	tell := u.changed
	if wholesale(u.url) {
		tell = u.all
	}
	m := &xdsapi.DiscoveryResponse{VersionInfo: u.version, TypeUrl: u.url, Nonce: u.nonce}
	for _, r := range tell {
		m.Resources = append(m.Resources, r.body)
	}
	return w.stream.Send(m)
}

// incremental is the variant in which both sides name what changes.
type incremental struct{ stream *incrementalStream }

func (w incremental) receive() (request, error) {
	m, err := w.stream.Receive()
	return deltaRequest(m), err
}

func deltaRequest(m *xdsapi.DeltaDiscoveryRequest) request {
	return request{
		node: m.GetNode(), url: m.GetTypeUrl(), nonce: m.GetResponseNonce(), fault: faultOf(m.GetErrorDetail()), incremental: true,
		subscribe: m.GetResourceNamesSubscribe(), unsubscribe: m.GetResourceNamesUnsubscribe(), versions: m.GetInitialResourceVersions(),
	}
}

func (w incremental) send(u update) error {
	m := &xdsapi.DeltaDiscoveryResponse{SystemVersionInfo: u.version, TypeUrl: u.url, Nonce: u.nonce, RemovedResources: u.gone}
	for _, r := range u.changed {
		m.Resources = append(m.Resources, &xdsapi.Resource{Name: r.name, Version: r.version, Resource: r.body})
	}
	return w.stream.Send(m)
}

func faultOf(s *xdsapi.Status) string {
	if s == nil {
		return ""
	}
	if s.GetMessage() == "" {
		return "refused without a reason"
	}
	return s.GetMessage()
}
