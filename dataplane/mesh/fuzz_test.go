package mesh

import (
	"log/slog"
	"net/netip"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/slipway-dev/slipway/api/xdsapi"
)

// sink is a stream whose client takes whatever comes.
type sink struct{ updates []update }

func (s *sink) receive() (request, error) { panic("nobody asks") }

func (s *sink) send(u update) error {
	s.updates = append(s.updates, u)
	return nil
}

// sessionOf is a stream of the node order before its first request.
func sessionOf(t testing.TB, b *book, nodeID string) *session {
	t.Helper()
	p, err := placeOf(nodeID, scope)
	if err != nil {
		t.Skip(err)
	}
	return &session{
		server: &Server{cfg: Config{Log: slog.New(slog.DiscardHandler)}}, book: b, caller: Caller{Scope: scope, Task: "aaa", IP: netip.MustParseAddr("10.0.3.5")},
		place: p, key: proxyKey{gateway: p.gateway, name: p.name}, types: map[string]*subscription{}, warned: map[string]bool{}, wake: make(chan struct{}, 1),
	}
}

// Whatever a client sends, it is answered or refused, each response tells only
// of what there is, and nothing falls over.
func FuzzRequests(f *testing.F) {
	seed := func(incremental bool, m proto.Message) {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(incremental, b, b)
	}
	for _, url := range order {
		seed(false, &xdsapi.DiscoveryRequest{TypeUrl: url, ResourceNames: []string{paymentCluster, "default", everyName}, ResponseNonce: "1", ErrorDetail: &xdsapi.Status{Code: 3}})
		seed(true, &xdsapi.DeltaDiscoveryRequest{
			TypeUrl: url, ResourceNamesSubscribe: []string{paymentCluster, "ROOTCA"}, ResourceNamesUnsubscribe: []string{everyName},
			InitialResourceVersions: map[string]string{paymentCluster: "1"}, ResponseNonce: "1",
		})
	}
	m := shop(f, strict)
	f.Fuzz(func(t *testing.T, incremental bool, first, second []byte) {
		b := newBook(m, 0, nil)
		s := sessionOf(t, b, nodeARN("order"))
		out := &sink{}
		for _, body := range [][]byte{first, second, first} {
			r, ok := decodeRequest(incremental, body)
			if !ok {
				return
			}
			if r.url == xdsapi.SecretType {
				return // certificates cost too much to be made that often
			}
			if err := s.take(r); err != nil {
				return
			}
			if _, err := s.step(out, incremental); err != nil {
				t.Fatal(err)
			}
		}
		for _, u := range out.updates {
			for _, res := range u.all {
				if res.body != nil && res.body.TypeUrl != u.url {
					t.Errorf("a %s among %s", short(res.body.TypeUrl), short(u.url))
				}
			}
		}
		if len(out.updates) > 3*len(order) {
			t.Errorf("%d responses to three requests", len(out.updates))
		}
	})
}

func decodeRequest(incremental bool, body []byte) (request, bool) {
	if incremental {
		m := &xdsapi.DeltaDiscoveryRequest{}
		err := proto.Unmarshal(body, m)
		return deltaRequest(m), err == nil
	}
	m := &xdsapi.DiscoveryRequest{}
	err := proto.Unmarshal(body, m)
	return stateRequest(m), err == nil
}

func FuzzNodeID(f *testing.F) {
	f.Add(nodeARN("order"))
	f.Add("mesh/shop/virtualGateway/in")
	f.Add("arn:aws:appmesh:::mesh//virtualNode/")
	f.Fuzz(func(t *testing.T, id string) {
		if p, err := placeOf(id, scope); err == nil && (p.mesh == "" || p.arn == "") {
			t.Errorf("%q: %+v", id, p)
		}
	})
}

func FuzzPairs(f *testing.F) {
	f.Add("15080=8080,15081=8081")
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range pairsOf(text) {
			if p.at < 1 || p.at > 65535 || p.to < 1 || p.to > 65535 {
				t.Errorf("%v", p)
			}
		}
	})
}
