package sidecar

import (
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/slipway-dev/slipway/api/xdsapi"
	"github.com/slipway-dev/slipway/dataplane/proxy"
)

// replies are what a connection manager adds to its own answers.
func replies(flag, header string) *xdsapi.LocalReplyConfig {
	return &xdsapi.LocalReplyConfig{Mappers: []*xdsapi.ResponseMapper{{
		Filter: &xdsapi.AccessLogFilter{FilterSpecifier: &xdsapi.AccessLogFilter_ResponseFlagFilter{
			ResponseFlagFilter: &xdsapi.ResponseFlagFilter{Flags: []string{flag}},
		}},
		HeadersToAdd: []*xdsapi.HeaderValueOption{{Header: &xdsapi.HeaderValue{Key: header, Value: "true"}}},
	}}}
}

// before is a sidecar before one application, that listens at an address.
func before(t *testing.T, app string, table *xdsapi.RouteConfiguration, m *xdsapi.HttpConnectionManager) (s *Sidecar, p *plane, at string) {
	t.Helper()
	p, at = newPlane(t), freePort(t)
	p.set(xdsapi.ClusterType, map[string]proto.Message{"app": &xdsapi.Cluster{
		Name: "app", ClusterDiscoveryType: &xdsapi.Cluster_Type{Type: xdsapi.Cluster_STATIC}, LoadAssignment: endpoints("app", app),
	}})
	p.set(xdsapi.RouteType, map[string]proto.Message{"in": table})
	m.RouteSpecifier = &xdsapi.HttpConnectionManager_Rds{Rds: &xdsapi.Rds{RouteConfigName: "in"}}
	p.set(xdsapi.ListenerType, map[string]proto.Message{"in": &xdsapi.Listener{Name: "in", Address: address(at), FilterChains: []*xdsapi.FilterChain{{
		Filters: []*xdsapi.Filter{{Name: xdsapi.ManagerFilter, ConfigType: &xdsapi.Filter_TypedConfig{TypedConfig: xdsapi.Pack(m)}}},
	}}}})
	return start(t, p), p, at
}

// The application is gone and its sidecar says so where the control plane
// wants that; what the sidecar cannot do it refuses.
func TestAnApplicationThatIsGone(t *testing.T) {
	for name, c := range map[string]struct {
		replies *xdsapi.LocalReplyConfig
		remove  string
		marked  string // the field of the answer
		nack    string
	}{
		"marked":                 {replies("UF", "X-Slipway-Refused"), "x-slipway-refused", "true", ""},
		"not marked":             {nil, "", "", ""},
		"by other flags":         {replies("UC", proxy.RefusedField), "", "", "response flags"},
		"with other headers":     {replies("UF", "x-other"), "", "", "x-other"},
		"without another header": {nil, "server", "", "server"},
	} {
		t.Run(name, func(t *testing.T) {
			table := routes("in", "app")
			if c.remove != "" {
				table.ResponseHeadersToRemove = []string{c.remove}
			}
			s, p, at := before(t, freePort(t), table, &xdsapi.HttpConnectionManager{LocalReplyConfig: c.replies})
			if c.nack != "" {
				if got := <-p.nacks; !strings.Contains(got, c.nack) {
					t.Errorf("refused with %q", got)
				}
				return
			}
			eventually(t, "it serves", func() bool { ready, _ := s.Ready(); return ready })
			resp, err := http.Get("http://" + at)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != 503 || resp.Header.Get(proxy.RefusedField) != c.marked {
				t.Errorf("%d %v", resp.StatusCode, resp.Header)
			}
		})
	}
}
