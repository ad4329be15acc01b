package servicediscovery

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	api "github.com/slipway-dev/slipway/api/servicediscoveryapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

func TestEndpoints(t *testing.T) {
	w := newWorld(t)
	ns := w.private("dev.local", "vpc-1")
	w.private("dev.local", "vpc-2") // has no such service
	svc := w.dns(ns, "payment")
	register := func(id, ip string, more ...string) {
		attributes := map[string]string{AttributeIPv4: ip}
		for i := 0; i < len(more); i += 2 {
			attributes[more[i]] = more[i+1]
		}
		w.update(func(tx *store.Tx) error { return RegisterInstance(tx, *svc.Id, id, attributes) })
	}
	register("c", "10.0.0.3", AttributeZone, "eu-central-1b", "ECS_SERVICE_NAME", "blue", "ECS_CLUSTER_NAME", "x")
	register("a", "10.0.0.1", AttributeZone, "eu-central-1a", "ECS_SERVICE_NAME", "blue", AttributePort, "8080")
	register("b", "10.0.0.2", "ECS_SERVICE_NAME", "green")
	register("d", "10.0.0.4", "ECS_SERVICE_NAME", "green", AttributeHealth, "UNHEALTHY")
	end := func(id, ip string, port uint16, zone string) Endpoint {
		return Endpoint{InstanceID: id, IP: netip.MustParseAddr(ip), Port: port, Zone: zone}
	}
	a, b, c := end("a", "10.0.0.1", 8080, "eu-central-1a"), end("b", "10.0.0.2", 0, ""), end("c", "10.0.0.3", 0, "eu-central-1b")
	other := here
	other.Region = "us-east-1"
	for _, q := range []struct {
		what, namespace, service string
		scope                    arn.Scope
		attributes               map[string]string
		want                     []Endpoint
	}{
		{"all that are well", "dev.local", "payment", here, nil, []Endpoint{a, b, c}},
		{"whatever the case", "DEV.local", "Payment", here, nil, []Endpoint{a, b, c}},
		{"one attribute", "dev.local", "payment", here, map[string]string{"ECS_SERVICE_NAME": "blue"}, []Endpoint{a, c}},
		{"all attributes", "dev.local", "payment", here, map[string]string{"ECS_SERVICE_NAME": "blue", "ECS_CLUSTER_NAME": "x"}, []Endpoint{c}},
		{"nobody", "dev.local", "payment", here, map[string]string{"ECS_SERVICE_NAME": "red"}, nil},
		{"another service", "dev.local", "order", here, nil, nil},
		{"another namespace", "prod.local", "payment", here, nil, nil},
		{"another region", "dev.local", "payment", other, nil, nil},
	} {
		if got := Endpoints(w.store.Snapshot(), q.scope, q.namespace, q.service, q.attributes); !reflect.DeepEqual(got, q.want) {
			t.Errorf("%s: %v, want %v", q.what, got, q.want)
		}
	}
	for _, id := range []string{"a", "b", "c"} {
		w.update(func(tx *store.Tx) error { return SetHealth(tx, *svc.Id, id, false) })
	}
	if got := Endpoints(w.store.Snapshot(), here, "dev.local", "payment", nil); got != nil {
		t.Errorf("of sick ones: %v", got)
	}
}

// Whatever is registered and however it fares: the endpoints are those that
// DiscoverInstances finds healthy.
func TestEndpointsAreWhatIsDiscovered(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		svc := w.dns(w.private("a.b", "vpc-1"), "s")
		colors := rapid.SampledFrom([]string{"blue", "green"})
		for n := range rapid.IntRange(0, 8).Draw(r, "instances") {
			id, color, healthy := fmt.Sprintf("i%d", n), colors.Draw(r, "color"), rapid.Bool().Draw(r, "healthy")
			w.update(func(tx *store.Tx) error {
				if err := RegisterInstance(tx, *svc.Id, id, map[string]string{AttributeIPv4: fmt.Sprintf("10.0.0.%d", n+1), "color": color}); err != nil {
					return err
				}
				return SetHealth(tx, *svc.Id, id, healthy)
			})
		}
		query := map[string]string{}
		if rapid.Bool().Draw(r, "query") {
			query["color"] = colors.Draw(r, "asked")
		}
		want := map[string]bool{}
		for _, i := range call[api.DiscoverInstancesOutput](w, "DiscoverInstances", &api.DiscoverInstancesInput{
			NamespaceName: new("a.b"), ServiceName: new("s"), QueryParameters: query, HealthStatus: "HEALTHY",
		}, "").Instances {
			want[*i.InstanceId] = true
		}
		got := map[string]bool{}
		for _, e := range Endpoints(w.store.Snapshot(), here, "a.b", "s", query) {
			got[e.InstanceID] = true
		}
		if !reflect.DeepEqual(got, want) {
			r.Fatalf("endpoints %v, discovered %v", got, want)
		}
	})
}

func TestAliases(t *testing.T) {
	w := newWorld(t)
	ns := w.private("dev.local", "vpc-1")
	svc := call[api.CreateServiceOutput](w, "CreateService", &api.CreateServiceInput{Name: new("db"), NamespaceId: &ns, DnsConfig: &api.DnsConfig{
		RoutingPolicy: "WEIGHTED", DnsRecords: []api.DnsRecord{{Type: "CNAME", TTL: new(int64(30))}},
	}}, "").Service
	if target, _, ok := ResolveAlias(w.store.Snapshot(), "vpc-1", "db.dev.local"); target != "" || !ok {
		t.Errorf("without instances: %q %v", target, ok)
	}
	names := map[string]bool{"one.example.com": true, "two.example.com": true}
	for name := range names {
		w.update(func(tx *store.Tx) error {
			return RegisterInstance(tx, *svc.Id, name, map[string]string{AttributeCNAME: name})
		})
	}
	if target, ttl, ok := ResolveAlias(w.store.Snapshot(), "vpc-1", "DB.dev.local."); !names[target] || ttl != 30*time.Second || !ok {
		t.Errorf("%q %v %v", target, ttl, ok)
	}
	if ips, _, ok := Resolve(w.store.Snapshot(), "vpc-1", "db.dev.local"); len(ips) > 0 || !ok {
		t.Errorf("addresses: %v %v", ips, ok)
	}
	if target, _, ok := ResolveAlias(w.store.Snapshot(), "vpc-2", "db.dev.local"); target != "" || ok {
		t.Errorf("in another VPC: %q %v", target, ok)
	}
}

func TestWhatCannotBeRegistered(t *testing.T) {
	w := newWorld(t)
	svc := w.dns(w.private("dev.local", "vpc-1"), "payment")
	many := map[string]string{AttributeIPv4: "10.0.0.1"}
	for n := range 30 {
		many[fmt.Sprint("k", n)] = "v"
	}
	for name, attributes := range map[string]map[string]string{
		"too many attributes": many,
		"an alias":            {"AWS_ALIAS_DNS_NAME": "web.elb.localhost"},
		"an EC2 instance":     {AttributeIPv4: "10.0.0.1", "AWS_EC2_INSTANCE_ID": "i-1"},
	} {
		t.Run(name, func(*testing.T) {
			call[api.RegisterInstanceOutput](w, "RegisterInstance", &api.RegisterInstanceInput{ServiceId: svc.Id, InstanceId: new("i"), Attributes: attributes}, "InvalidInput")
		})
	}
	call[api.DiscoverInstancesOutput](w, "DiscoverInstances", &api.DiscoverInstancesInput{NamespaceName: new("dev.local"), ServiceName: new("payment"), OwnerAccount: new("999999999999")}, "NamespaceNotFound")
}
