package sidecar

import (
	"crypto/x509"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/slipway-dev/slipway/api/xdsapi"
)

// dumped is a resource with its version, as config dumps show it.
type dumped struct {
	Name    string          `json:"name"`
	Version string          `json:"version_info,omitempty"`
	Body    json.RawMessage `json:"resource"`
}

func dump[M proto.Message](of map[string]M, versions map[string]string) []dumped {
	out := []dumped{}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		body, err := xdsapi.JSON(of[name])
		if err != nil {
			body, _ = json.Marshal(err.Error())
		}
		out = append(out, dumped{name, versions[name], body})
	}
	return out
}

// showConfig shows what the control plane said. Keys are not shown.
func (s *Sidecar) showConfig(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	now, rejected := s.state, maps.Clone(s.rejected)
	versions := map[string]map[string]string{}
	for t, v := range s.versions {
		versions[t] = maps.Clone(v)
	}
	s.mu.Unlock()
	secrets := map[string]*xdsapi.Secret{}
	for name, secret := range now.secrets {
		c := proto.Clone(secret).(*xdsapi.Secret)
		if pair := c.GetTlsCertificate(); pair != nil {
			pair.PrivateKey = &xdsapi.DataSource{Specifier: &xdsapi.DataSource_InlineString{InlineString: "[redacted]"}}
		}
		secrets[name] = c
	}
	writeJSON(w, map[string]any{"configs": map[string]any{
		"dynamic_listeners": dump(now.listeners, versions[xdsapi.ListenerType]), "dynamic_route_configs": dump(now.routes, versions[xdsapi.RouteType]),
		"dynamic_active_clusters": dump(now.clusters, versions[xdsapi.ClusterType]), "dynamic_endpoint_configs": dump(now.endpoints, versions[xdsapi.EndpointType]),
		"dynamic_active_secrets": dump(secrets, versions[xdsapi.SecretType]), "rejected": rejected,
	}})
}

// certificate is one in use, in the words of Envoy's /certs.
type certificate struct {
	Path     string    `json:"path"` // the secret's name
	Serial   string    `json:"serial_number"`
	Names    []string  `json:"subject_alt_names"`
	Days     int       `json:"days_until_expiration"`
	From     time.Time `json:"valid_from"`
	Until    time.Time `json:"expiration_time"`
	Hash     string    `json:"fingerprint_sha256"`
	Rotation int64     `json:"rotations"` // how many others were there before under this name
}

func (s *Sidecar) showCerts(w http.ResponseWriter, _ *http.Request) {
	type entry struct {
		Chain []certificate `json:"cert_chain"`
	}
	all := []entry{}
	for _, c := range s.vault.certificates(time.Now()) {
		all = append(all, entry{[]certificate{c}})
	}
	writeJSON(w, map[string]any{"certificates": all})
}

func described(name string, leaf *x509.Certificate, rotations int64, now time.Time) certificate {
	names := slices.Clone(leaf.DNSNames)
	for _, u := range leaf.URIs {
		names = append(names, u.String())
	}
	return certificate{
		Path: name, Serial: leaf.SerialNumber.Text(16), Names: names, Days: int(leaf.NotAfter.Sub(now).Hours() / 24),
		From: leaf.NotBefore, Until: leaf.NotAfter, Hash: fingerprint(leaf), Rotation: rotations,
	}
}
