package synth_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/slipway-dev/slipway/manifest"
	"github.com/slipway-dev/slipway/synth"
)

// at follows keys and indexes into a value read from JSON; nil where there is nothing.
func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, one := range list {
		out = append(out, one.(string))
	}
	return out
}

// Who may call whom is what the manifest says, on both sides, and nothing more.
func TestBothSidesKnowWhoMayCallWhom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"a", "b", "c", "d"}
		var text strings.Builder
		text.WriteString("version: 1\nname: shop\nmesh: {enabled: true}\nservices:\n")
		calls := map[string][]string{}
		for i, name := range names {
			for _, other := range names {
				if rapid.Bool().Draw(t, name+other) {
					calls[name] = append(calls[name], other)
				}
			}
			fmt.Fprintf(&text, "  %s: {image: nginx, port: %d, calls: [%s]}\n", name, 80+i, strings.Join(calls[name], ", "))
		}
		m, err := manifest.Parse("slipway.yaml", []byte(text.String()), manifest.Options{})
		if err != nil {
			t.Fatal(err)
		}
		template, err := synth.Render(m)
		if err != nil {
			t.Fatal(err)
		}
		g := graphOf(t, template.Body())
		for _, name := range names {
			spec := g.Resources[strings.ToUpper(name)+"Node"].Properties["Spec"]
			listener := at(spec, "Listeners", 0, "TLS")
			want := []string{}
			for _, caller := range names {
				if slices.Contains(calls[caller], name) {
					want = append(want, caller+".dev.local")
				}
			}
			if len(want) == 0 {
				want = []string{name + ".dev.local"} // nobody else, and not anybody
			}
			if got := texts(at(listener, "Validation", "SubjectAlternativeNames", "Match", "Exact")); !slices.Equal(got, want) || at(listener, "Mode") != "STRICT" {
				t.Errorf("%s is open to %v, want %v", name, got, want)
			}
			var backends []string
			list, _ := at(spec, "Backends").([]any)
			for _, b := range list {
				backend := at(b, "VirtualService", "VirtualServiceName").(string)
				policy := at(b, "VirtualService", "ClientPolicy", "TLS")
				if got := texts(at(policy, "Validation", "SubjectAlternativeNames", "Match", "Exact")); !slices.Equal(got, []string{backend}) {
					t.Errorf("%s takes %v for %s", name, got, backend)
				}
				if at(policy, "Certificate", "SDS", "SecretName") != "default" || at(policy, "Validation", "Trust", "SDS", "SecretName") != "ROOTCA" || at(policy, "Enforce") == false {
					t.Errorf("%s calls %s with %v", name, backend, policy)
				}
				backends = append(backends, strings.TrimSuffix(backend, ".dev.local"))
			}
			if !slices.Equal(backends, calls[name]) {
				t.Errorf("%s may call %v, want %v", name, backends, calls[name])
			}
		}
	})
}

// A load balancer has no certificate: what it reaches, and what peers reach, are apart, and nothing else is reached at all.
func TestLoadBalancerAndPeersHaveDoorsOfTheirOwn(t *testing.T) {
	g := graphOf(t, render(t, reference(t, true)).Body())
	var doors []string
	for id, r := range g.Resources {
		if r.Type == "AWS::EC2::SecurityGroupIngress" {
			doors = append(doors, fmt.Sprintf("%s: %v %v-%v", id, r.Properties["IpProtocol"], r.Properties["FromPort"], r.Properties["ToPort"]))
		}
	}
	slices.Sort(doors)
	if want := []string{"AlbToTask15080: tcp 15080-15080", "TaskToTask8080: tcp 8080-8082"}; !slices.Equal(doors, want) {
		t.Errorf("doors %q, want %q", doors, want)
	}
	for _, s := range []struct {
		name string
		port float64
	}{{"Payment", 8080}, {"Order", 8081}, {"Notification", 8082}} {
		balancer := at(g.Resources[s.name+"Service"].Properties["LoadBalancers"], 0)
		if at(balancer, "ContainerName") != "envoy" || at(balancer, "ContainerPort") != 15080.0 {
			t.Errorf("%s: %v", s.name, balancer)
		}
		if got := at(g.Resources[s.name+"Node"].Properties["Spec"], "Listeners", 0, "PortMapping", "Port"); got != s.port {
			t.Errorf("peers reach %s at %v", s.name, got)
		}
		task := g.Resources[s.name+"TaskDefinition"].Properties
		settings := map[any]any{}
		list := at(task["ProxyConfiguration"], "ProxyConfigurationProperties").([]any)
		for _, p := range list {
			settings[at(p, "Name")] = at(p, "Value")
		}
		want := map[any]any{
			"IgnoredUID": "1337", "ProxyIngressPort": "15000", "ProxyEgressPort": "15001", "AppPorts": fmt.Sprint(s.port),
			"EgressIgnoredIPs": "169.254.170.2,169.254.169.254",
		}
		if !maps.Equal(settings, want) {
			t.Errorf("%s is intercepted by %v, want %v", s.name, settings, want)
		}
		if at(task["ContainerDefinitions"], 0, "DependsOn", 0, "ContainerName") != "envoy" || at(task["ContainerDefinitions"], 1, "User") != "1337" {
			t.Errorf("%s does not wait for its sidecar: %v", s.name, task["ContainerDefinitions"])
		}
		role, _ := json.Marshal(g.Resources[s.name+"TaskRole"].Properties)
		if want := `{"Action":"appmesh:StreamAggregatedResources","Effect":"Allow","Resource":{"Ref":"` + s.name + `Node"}}`; strings.Count(string(role), "appmesh:") != 1 || !strings.Contains(string(role), want) {
			t.Errorf("tasks of %s may %s", s.name, role)
		}
	}
}

// TLS can be had less strictly, and egress opened; each is one word.
func TestModesOfTheMesh(t *testing.T) {
	for _, c := range []struct{ tls, mode, egress, filter string }{
		{"strict", `"Mode":"STRICT"`, "drop", "DROP_ALL"}, {"permissive", `"Mode":"PERMISSIVE"`, "allow", "ALLOW_ALL"}, {"disabled", "", "drop", "DROP_ALL"},
	} {
		m := reference(t, true)
		m.Mesh.TLS, m.Mesh.Egress = c.tls, c.egress
		body := string(render(t, m).Body())
		if !strings.Contains(body, c.mode) || strings.Contains(body, `"TLS":`) != (c.mode != "") || !strings.Contains(body, c.filter) {
			t.Errorf("%+v", c)
		}
	}
}

// Without a mesh nothing of it is there.
func TestWithoutAMesh(t *testing.T) {
	body := string(render(t, reference(t, false)).Body())
	for _, trace := range []string{"AppMesh", "envoy", "ProxyConfiguration", "15080", "MeshName", "appmesh:"} {
		if strings.Contains(body, trace) {
			t.Errorf("the template speaks of %s", trace)
		}
	}
}
