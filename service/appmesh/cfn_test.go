package appmesh

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// stack is the resource types, and what a template's JSON makes of them.
type stack struct {
	*world
	types map[string]cfn.Type
}

func newStack(t *testing.T) *stack {
	s := &stack{newWorld(t), map[string]cfn.Type{}}
	for _, typ := range s.service.Resources() {
		s.types[strings.TrimPrefix(typ.Name(), "AWS::AppMesh::")] = typ
	}
	return s
}

func properties(t *testing.T, doc string) map[string]any {
	var p map[string]any
	if err := json.Unmarshal([]byte(doc), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func (s *stack) create(typ, logical, doc string) cfn.Instance {
	s.t.Helper()
	in, err := s.types[typ].Create(request(s.t, logical, logical), properties(s.t, doc))
	if err != nil {
		s.t.Fatalf("%s: %v", logical, err)
	}
	return in
}

// platform is a mesh with one of each, as a template would spell it.
var platform = []struct{ typ, logical, doc, arn string }{
	{"Mesh", "Mesh", `{"MeshName":"shop","Spec":{"EgressFilter":{"Type":"DROP_ALL"}}}`, "mesh/shop"},
	{"VirtualNode", "Node", `{"MeshName":"shop","VirtualNodeName":"order","Spec":{
		"ServiceDiscovery":{"AWSCloudMap":{"NamespaceName":"dev.local","ServiceName":"order"}},
		"Backends":[{"VirtualService":{"VirtualServiceName":"payment.dev.local","ClientPolicy":{"TLS":{"Enforce":"true","Ports":["443"],
			"Certificate":{"SDS":{"SecretName":"order"}},"Validation":{"Trust":{"File":{"CertificateChain":"/ca"}}}}}}}],
		"Listeners":[{"PortMapping":{"Port":"8443","Protocol":"http"},"ConnectionPool":{"HTTP":{"MaxConnections":10}},"Timeout":{"HTTP":{"PerRequest":{"Unit":"s","Value":15}}},
			"HealthCheck":{"Protocol":"http","Path":"/health","IntervalMillis":30000,"TimeoutMillis":5000,"HealthyThreshold":2,"UnhealthyThreshold":3},
			"TLS":{"Mode":"STRICT","Certificate":{"File":{"CertificateChain":"/c","PrivateKey":"/k"}},
				"Validation":{"Trust":{"File":{"CertificateChain":"/ca"}},"SubjectAlternativeNames":{"Match":{"Exact":["payment.dev.local"]}}}}}]}}`, "mesh/shop/virtualNode/order"},
	{"VirtualRouter", "Router", `{"MeshName":"shop","VirtualRouterName":"order","Spec":{"Listeners":[{"PortMapping":{"Port":80,"Protocol":"http"}}]}}`, "mesh/shop/virtualRouter/order"},
	{"Route", "Route", `{"MeshName":"shop","VirtualRouterName":"order","RouteName":"all","Spec":{"HttpRoute":{"Match":{"Prefix":"/"},
		"Action":{"WeightedTargets":[{"VirtualNode":"order","Weight":1}]},
		"RetryPolicy":{"MaxRetries":2,"PerRetryTimeout":{"Unit":"s","Value":2},"HttpRetryEvents":["gateway-error"]}}}}`, "mesh/shop/virtualRouter/order/route/all"},
	{"VirtualService", "Service", `{"MeshName":"shop","VirtualServiceName":"order.dev.local","Spec":{"Provider":{"VirtualRouter":{"VirtualRouterName":"order"}}}}`, "mesh/shop/virtualService/order.dev.local"},
	{"VirtualGateway", "Gateway", `{"MeshName":"shop","VirtualGatewayName":"in","Spec":{"Listeners":[{"PortMapping":{"Port":9080,"Protocol":"http2"},"ConnectionPool":{"HTTP2":{"MaxRequests":5}}}]}}`, "mesh/shop/virtualGateway/in"},
	{"GatewayRoute", "GatewayRoute", `{"MeshName":"shop","VirtualGatewayName":"in","GatewayRouteName":"order","Spec":{"Http2Route":{"Match":{"Prefix":"/order"},
		"Action":{"Target":{"VirtualService":{"VirtualServiceName":"order.dev.local"}}}}}}`, "mesh/shop/virtualGateway/in/gatewayRoute/order"},
}

// Every type goes through its life: made, made again after a crash, read back
// as the template has it, and deleted, also twice.
func TestStackResources(t *testing.T) {
	s := newStack(t)
	var made []cfn.Instance
	for _, p := range platform {
		in := s.create(p.typ, p.logical, p.doc)
		if again := s.create(p.typ, p.logical, p.doc); again.ID != in.ID || string(again.State) != string(in.State) {
			t.Errorf("%s: a crash makes %s of %s", p.logical, again.State, in.State)
		}
		made = append(made, in)
		if in.ID != here.ARN("appmesh", p.arn) {
			t.Errorf("Ref of %s is %s", p.logical, in.ID)
		}
		typ := s.types[p.typ]
		for name, want := range map[string]string{"Arn": in.ID, "MeshName": "shop", "MeshOwner": here.Account, "ResourceOwner": here.Account} {
			if got, _ := typ.Attribute(in, name); got != want {
				t.Errorf("%s.%s is %v, want %s", p.logical, name, got, want)
			}
		}
		if uid, _ := typ.Attribute(in, "Uid"); len(uid.(string)) != 36 {
			t.Errorf("%s.Uid is %v", p.logical, uid)
		}
		read, err := typ.Read(request(t, p.logical, "read"), cfn.Instance{ID: in.ID})
		if err != nil || string(read.State) != string(in.State) {
			t.Errorf("%s is read as\n%s\nand was made as\n%s\n%v", p.logical, read.State, in.State, err)
		}
	}
	if got, _ := s.types["Route"].Attribute(made[3], "VirtualRouterName"); got != "order" {
		t.Errorf("VirtualRouterName is %v", got)
	}
	for _, last := range []int{6, 5, 4, 3, 2, 1, 0} {
		p := platform[last]
		for range 2 {
			if err := s.types[p.typ].Delete(request(t, p.logical, "delete"), made[last]); err != nil {
				t.Errorf("%s: %v", p.logical, err)
			}
		}
		if _, err := s.types[p.typ].Read(request(t, p.logical, "read"), made[last]); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s is still read: %v", p.logical, err)
		}
	}
}

// A spec changes in place, a name does not.
func TestStackUpdates(t *testing.T) {
	s := newStack(t)
	for _, p := range platform[:4] {
		s.create(p.typ, p.logical, p.doc)
	}
	typ := s.types["Route"]
	before := properties(t, platform[3].doc)
	in, err := typ.Read(request(t, "Route", "read"), cfn.Instance{ID: here.ARN("appmesh", platform[3].arn)})
	if err != nil {
		t.Fatal(err)
	}
	after := properties(t, strings.ReplaceAll(platform[3].doc, `"Weight":1`, `"Weight":7`))
	after["Tags"] = []any{map[string]any{"Key": "team", "Value": "a"}}
	for _, d := range typ.Diff(before, after) {
		if d.Recreation != cfn.Never {
			t.Errorf("%s replaces the route", d.Path)
		}
	}
	if in, err = typ.Update(request(t, "Route", "update"), in, after); err != nil {
		t.Fatal(err)
	}
	row, err := Routes.Get(s.store.Snapshot(), here.Key("shop", "order", "all"))
	if err != nil || *row.Spec.HttpRoute.Action.WeightedTargets[0].Weight != 7 || row.Version != 2 || row.Tags["team"] != "a" || row.Tags[cfn.TagLogicalID] != "Route" {
		t.Errorf("%+v %v", row, err)
	}
	for _, name := range []string{"MeshName", "VirtualRouterName", "RouteName", "MeshOwner"} {
		renamed := properties(t, platform[3].doc)
		renamed[name] = "another"
		if d := typ.Diff(before, renamed); len(d) != 1 || d[0].Recreation != cfn.Always {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if _, err := typ.Update(request(t, "Route", "bad"), in, properties(t, strings.ReplaceAll(platform[3].doc, `"Weight":1`, `"Weight":101`))); err == nil || !strings.Contains(err.Error(), "less than or equal to 100") {
		t.Errorf("a template is held to the model too, not %v", err)
	}
}

func TestStackNamesAndRefusals(t *testing.T) {
	s := newStack(t)
	in := s.create("Mesh", "Mesh", `{}`)
	name, _ := s.types["Mesh"].Attribute(in, "MeshName")
	if !strings.HasPrefix(name.(string), "dev-Mesh-") {
		t.Errorf("%v", name)
	}
	for _, c := range []struct{ typ, doc, wrong string }{
		{"VirtualNode", `{"MeshName":"x","Spec":{"Listeners":[{}]}}`, "required key [PortMapping] not found"},
		{"VirtualNode", `{"MeshName":"x","Spec":{"Listeners":[{"PortMapping":{"Port":1,"Protocol":"http"},"Tls":{}}]}}`, "extraneous key [Tls]"},
		{"VirtualNode", `{"MeshName":"x","Spec":{}}`, "Mesh with name x is not present"},
		{"VirtualRouter", `{"MeshName":"x","MeshOwner":"999999999999","Spec":{}}`, "not shared"},
		{"VirtualGateway", `{"MeshName":"x","Spec":{"Listeners":[{"PortMapping":{"Port":1,"Protocol":"tcp"}}]}}`, "enum value set"},
		{"Mesh", `{"MeshName":"` + name.(string) + `"}`, "already exists"},
	} {
		made, err := s.types[c.typ].Create(request(t, "Other", "other"), properties(t, c.doc))
		if err == nil || !strings.Contains(err.Error(), c.wrong) || made.ID != "" {
			t.Errorf("%s %s: %v, made %q", c.typ, c.doc, err, made.ID)
		}
	}
}
