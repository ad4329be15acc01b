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
			p, at := newPlane(t), freePort(t)
			table := routes("in", "app")
			if c.remove != "" {
				table.ResponseHeadersToRemove = []string{c.remove}
			}
			p.set(xdsapi.ClusterType, map[string]proto.Message{"app": &xdsapi.Cluster{
				Name: "app", ClusterDiscoveryType: &xdsapi.Cluster_Type{Type: xdsapi.Cluster_STATIC}, LoadAssignment: endpoints("app", freePort(t)),
			}})
			p.set(xdsapi.RouteType, map[string]proto.Message{"in": table})
			p.set(xdsapi.ListenerType, map[string]proto.Message{"in": &xdsapi.Listener{Name: "in", Address: address(at), FilterChains: []*xdsapi.FilterChain{{
				Filters: []*xdsapi.Filter{{Name: xdsapi.ManagerFilter, ConfigType: &xdsapi.Filter_TypedConfig{TypedConfig: xdsapi.Pack(&xdsapi.HttpConnectionManager{
					RouteSpecifier: &xdsapi.HttpConnectionManager_Rds{Rds: &xdsapi.Rds{RouteConfigName: "in"}}, LocalReplyConfig: c.replies,
				})}}},
			}}}})
			s := start(t, p)
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
