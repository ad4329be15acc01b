package synth_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/slipway-dev/slipway/manifest"
	"github.com/slipway-dev/slipway/synth"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func load(t testing.TB, path string) *manifest.Manifest {
	t.Helper()
	m, err := manifest.Load(path, manifest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if path == "../slipway.yaml" {
		m.Architecture = "amd64" // it leaves it open; the golden template is the same on every machine
	}
	return m
}

// reference is the manifest of the reference platform, with a mesh or without.
func reference(t testing.TB, mesh bool) *manifest.Manifest {
	t.Helper()
	m := load(t, "../slipway.yaml")
	m.Mesh.Enabled = mesh
	return m
}

func render(t testing.TB, m *manifest.Manifest) *synth.Template {
	t.Helper()
	template, err := synth.Render(m)
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// The golden templates are checked with cfn-lint in continuous integration (make lint), which knows every property of every type.
func TestTemplatesAreAsTheGoldenOnes(t *testing.T) {
	for name, m := range map[string]*manifest.Manifest{
		"reference": reference(t, false),
		"mesh":      reference(t, true),
		"frugal":    load(t, "testdata/frugal.yaml"),
		"lavish":    load(t, "testdata/lavish.yaml"),
	} {
		file := "testdata/" + name + ".template.json"
		template := render(t, m)
		got := template.JSON()
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs; run go test ./synth -update and read the difference", file)
		}
		t.Logf("%s: %d resources, %d bytes", file, len(template.Resources), len(got))
	}
}

// Whoever sends the template as it is sends JSON; the CDK makes YAML of it first, which is longer. With a mesh the CDK needs a bucket.
func TestReferencePlatformFitsIntoOneRequest(t *testing.T) {
	for _, mesh := range []bool{false, true} {
		body := render(t, reference(t, mesh)).Body()
		written := len(asYAML(t, body))
		if len(body) > synth.MaxInline || written > synth.MaxInline && !mesh {
			t.Errorf("mesh %t: %d bytes, %d as YAML; CloudFormation takes %d without a bucket", mesh, len(body), written, synth.MaxInline)
		}
		t.Logf("mesh %t: %d bytes, %d as YAML", mesh, len(body), written)
	}
}

// asYAML writes a template in the CDK's way: blocks only, two blanks deeper each.
func asYAML(t *testing.T, body []byte) []byte {
	var doc yaml.Node
	if err := yaml.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	blocks(&doc)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func blocks(n *yaml.Node) {
	n.Style = 0
	for _, c := range n.Content {
		blocks(c)
	}
}

// The names users type: commands, scripts and dashboards depend on each of them.
func TestReferencePlatformHasTheNamesUsersType(t *testing.T) {
	template := render(t, reference(t, true))
	property := func(id, key string) any {
		t.Helper()
		r, ok := template.Resource(id)
		if !ok {
			t.Fatalf("no resource %s", id)
		}
		for _, f := range r.Properties {
			if f.Key == key {
				return f.Value
			}
		}
		t.Fatalf("%s has no %s", id, key)
		return nil
	}
	for _, want := range []struct{ id, key, value string }{
		{"Cluster", "ClusterName", "microservices-cluster-dev"},
		{"Namespace", "Name", "dev.local"},
		{"LoadBalancer", "Name", "microservices-dev"},
		{"PaymentService", "ServiceName", "payment-service-dev"},
		{"OrderTaskDefinition", "Family", "order-service-dev"},
		{"NotificationLogGroup", "LogGroupName", "/ecs/notification-service-dev"},
		{"OrderRepository", "RepositoryName", "order-service-dev"},
		{"PaymentDiscovery", "Name", "payment"},
		{"Mesh", "MeshName", "microservices-mesh-dev"},
		{"PaymentNode", "VirtualNodeName", "payment-node-dev"},
		{"OrderVirtualService", "VirtualServiceName", "order.dev.local"},
	} {
		if got := property(want.id, want.key); got != want.value {
			t.Errorf("%s of %s: %v, want %s", want.key, want.id, got, want.value)
		}
	}
	var outputs []string
	for _, o := range template.Outputs {
		outputs = append(outputs, o.ID)
	}
	if got := strings.Join(outputs, " "); got != "VpcId ClusterName MeshName LoadBalancerDns EcrRepoPayment EcrRepoOrder EcrRepoNotification" {
		t.Errorf("outputs: %s", got)
	}
	for _, r := range template.Resources {
		if text, _ := json.Marshal(r.Properties); bytes.Contains(text, []byte(`"Key":"Name"`)) && !bytes.Contains(text, []byte(`"Value":"microservices-dev-`)) {
			t.Errorf("%s: the Name tag does not say microservices", r.ID)
		}
	}
}

func TestFoundationIsTheRepositoriesOfTheWhole(t *testing.T) {
	whole := render(t, load(t, "../slipway.yaml"))
	foundation := synth.Foundation(whole)
	if len(foundation.Resources) != 3 || len(foundation.Outputs) != 3 || len(foundation.Parameters) != 0 {
		t.Fatalf("%d resources, %d outputs, %d parameters", len(foundation.Resources), len(foundation.Outputs), len(foundation.Parameters))
	}
	for _, r := range foundation.Resources {
		same, ok := whole.Resource(r.ID)
		if one, _ := json.Marshal(r.Properties); ok {
			if other, _ := json.Marshal(same.Properties); !bytes.Equal(one, other) {
				t.Errorf("%s would change in the second deployment", r.ID)
			}
		} else {
			t.Errorf("%s would be deleted in the second deployment", r.ID)
		}
	}
}

func TestTooManyServicesAreRefused(t *testing.T) {
	m := load(t, "testdata/lavish.yaml")
	for i := range 60 {
		s := m.Services[1]
		s.Name = "svc" + strings.Repeat("x", i)
		m.Services = append(m.Services, s)
	}
	if _, err := synth.Render(m); err == nil || !strings.Contains(err.Error(), "a stack holds 500") {
		t.Error(err)
	}
}

func BenchmarkRenderReference(b *testing.B) {
	m := load(b, "../slipway.yaml")
	for b.Loop() {
		render(b, m).JSON()
	}
}
