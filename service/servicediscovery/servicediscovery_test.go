package servicediscovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	api "github.com/slipway-dev/slipway/api/servicediscoveryapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/ec2"
)

var here = arn.Scope{Account: "123456789012", Region: "eu-central-1"}

// world is the service behind a real endpoint, with a client that signs.
type world struct {
	t       *testing.T
	store   *store.Store
	service *Service
	client  *awsapi.Client
}

func newWorld(t *testing.T) *world {
	st, err := store.Open(store.Config{}, append(Tables(), ec2.Tables()...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Update(func(tx *store.Tx) error {
		for _, id := range []string{"vpc-1", "vpc-2"} {
			ec2.VPCs.Put(tx, ec2.VPC{Meta: ec2.Meta{Scope: here, ID: id}})
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: st}
	w.service = New(Config{Store: st})
	cred := awsapi.Credential{AccessKey: "AKID", SecretKey: "s", Account: here.Account}
	mux := awsapi.NewMux(awsapi.Config{Credentials: func(string) (awsapi.Credential, bool) { return cred, true }}, w.service.API())
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.client = awsapi.NewClient(awsapi.ClientConfig{Endpoint: server.URL, Region: here.Region, AccessKey: "AKID", SecretKey: "s"})
	return w
}

func call[O, I any](w *world, op string, in *I, code string) *O {
	w.t.Helper()
	out, err := awsapi.Call[I, O](w.t.Context(), w.client, "servicediscovery", op, in)
	got := ""
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		got = e.Code
	} else if err != nil {
		got = err.Error()
	}
	if got != code {
		w.t.Fatalf("%s: %v, want code %q", op, err, code)
	}
	return out
}

// private makes a namespace and answers its id, as a client finds it.
func (w *world) private(name, vpc string) string {
	op := call[api.CreatePrivateDnsNamespaceOutput](w, "CreatePrivateDnsNamespace", &api.CreatePrivateDnsNamespaceInput{Name: &name, Vpc: &vpc}, "").OperationId
	done := call[api.GetOperationOutput](w, "GetOperation", &api.GetOperationInput{OperationId: op}, "").Operation
	if done.Status != api.OperationStatusSuccess {
		w.t.Fatalf("%+v", done)
	}
	return done.Targets["NAMESPACE"]
}

func (w *world) dns(namespace, name string) *api.Service {
	return call[api.CreateServiceOutput](w, "CreateService", &api.CreateServiceInput{
		Name: &name, NamespaceId: &namespace, HealthCheckCustomConfig: &api.HealthCheckCustomConfig{},
		DnsConfig: &api.DnsConfig{DnsRecords: []api.DnsRecord{{Type: api.RecordTypeA, TTL: new(int64(60))}}},
	}, "").Service
}

func (w *world) update(fn func(*store.Tx) error) {
	w.t.Helper()
	if err := w.store.Update(fn); err != nil {
		w.t.Fatal(err)
	}
}

func TestServiceIsFoundByName(t *testing.T) {
	w := newWorld(t)
	ns := w.private("dev.local", "vpc-1")
	w.private("dev.local", "vpc-2") // another VPC may have the same name
	svc := w.dns(ns, "payment")
	for i, ip := range []string{"10.0.0.1", "10.0.1.1"} {
		id := fmt.Sprintf("task%d", i)
		w.update(func(tx *store.Tx) error {
			return RegisterInstance(tx, *svc.Arn, id, map[string]string{AttributeIPv4: ip})
		})
	}
	snap := w.store.Snapshot()
	for _, name := range []string{"payment.dev.local", "Payment.DEV.local."} {
		ips, ttl, ok := Resolve(snap, "vpc-1", name)
		if len(ips) != 2 || ttl != time.Minute || !ok {
			t.Errorf("%s: %v %v %v", name, ips, ttl, ok)
		}
	}
	if ips, _, ok := Resolve(snap, "vpc-1", "nobody.dev.local"); len(ips) != 0 || !ok {
		t.Error("an unknown name of the namespace is not ours to pass on")
	}
	if _, _, ok := Resolve(snap, "vpc-1", "example.com"); ok {
		t.Error("a foreign name was taken")
	}
	if ips, _, _ := Resolve(snap, "vpc-2", "payment.dev.local"); len(ips) != 0 {
		t.Error("a name leaked into another VPC")
	}

	w.update(func(tx *store.Tx) error { return SetHealth(tx, *svc.Id, "task0", false) })
	if ips, _, _ := Resolve(w.store.Snapshot(), "vpc-1", "payment.dev.local"); len(ips) != 1 || ips[0].String() != "10.0.1.1" {
		t.Errorf("%v", ips)
	}
	found := call[api.DiscoverInstancesOutput](w, "DiscoverInstances", &api.DiscoverInstancesInput{NamespaceName: new("dev.local"), ServiceName: new("payment")}, "").Instances
	if len(found) != 1 || *found[0].InstanceId != "task1" || found[0].HealthStatus != api.HealthStatusHealthy {
		t.Errorf("%+v", found)
	}
	w.update(func(tx *store.Tx) error { return SetHealth(tx, *svc.Id, "task1", false) })
	if ips, _, _ := Resolve(w.store.Snapshot(), "vpc-1", "payment.dev.local"); len(ips) != 2 {
		t.Errorf("when none is healthy all are answered, not %v", ips)
	}

	call[api.DeleteServiceOutput](w, "DeleteService", &api.DeleteServiceInput{Id: svc.Id}, "ResourceInUse")
	call[api.DeleteNamespaceOutput](w, "DeleteNamespace", &api.DeleteNamespaceInput{Id: &ns}, "ResourceInUse")
	for _, id := range []string{"task0", "task1"} {
		call[api.DeregisterInstanceOutput](w, "DeregisterInstance", &api.DeregisterInstanceInput{ServiceId: svc.Id, InstanceId: &id}, "")
	}
	call[api.DeregisterInstanceOutput](w, "DeregisterInstance", &api.DeregisterInstanceInput{ServiceId: svc.Id, InstanceId: new("task0")}, "InstanceNotFound")
	call[api.DeleteServiceOutput](w, "DeleteService", &api.DeleteServiceInput{Id: svc.Id}, "")
	call[api.DeleteNamespaceOutput](w, "DeleteNamespace", &api.DeleteNamespaceInput{Id: &ns}, "")
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	ns := w.private("dev.local", "vpc-1")
	svc := w.dns(ns, "order")
	call[api.CreatePrivateDnsNamespaceOutput](w, "CreatePrivateDnsNamespace", &api.CreatePrivateDnsNamespaceInput{Name: new("dev.local"), Vpc: new("vpc-1")}, "NamespaceAlreadyExists")
	call[api.CreatePrivateDnsNamespaceOutput](w, "CreatePrivateDnsNamespace", &api.CreatePrivateDnsNamespaceInput{Name: new("not a name"), Vpc: new("vpc-1")}, "InvalidInput")
	call[api.CreatePrivateDnsNamespaceOutput](w, "CreatePrivateDnsNamespace", &api.CreatePrivateDnsNamespaceInput{Name: new("x.local"), Vpc: new("vpc-gone")}, "InvalidInput")
	call[api.CreateServiceOutput](w, "CreateService", &api.CreateServiceInput{Name: new("ORDER"), NamespaceId: &ns, DnsConfig: &api.DnsConfig{DnsRecords: []api.DnsRecord{{Type: "A", TTL: new(int64(1))}}}}, "ServiceAlreadyExists")
	call[api.CreateServiceOutput](w, "CreateService", &api.CreateServiceInput{Name: new("x"), NamespaceId: new("ns-none")}, "NamespaceNotFound")
	call[api.CreateServiceOutput](w, "CreateService", &api.CreateServiceInput{Name: new("x"), NamespaceId: &ns}, "InvalidInput")
	for name, attributes := range map[string]map[string]string{"no address": {"a": "b"}, "not an address": {AttributeIPv4: "10.0.0"}, "odd health": {AttributeIPv4: "10.0.0.1", AttributeHealth: "GREAT"}} {
		t.Run(name, func(*testing.T) {
			call[api.RegisterInstanceOutput](w, "RegisterInstance", &api.RegisterInstanceInput{ServiceId: svc.Id, InstanceId: new("i"), Attributes: attributes}, "InvalidInput")
		})
	}
	call[api.RegisterInstanceOutput](w, "RegisterInstance", &api.RegisterInstanceInput{ServiceId: new("srv-none"), InstanceId: new("i"), Attributes: map[string]string{"a": "b"}}, "ServiceNotFound")
	call[api.GetOperationOutput](w, "GetOperation", &api.GetOperationInput{OperationId: new("none")}, "OperationNotFound")
	call[api.GetOperationOutput](w, "GetOperation", &api.GetOperationInput{}, "InvalidInput")
	call[api.CreatePublicDnsNamespaceOutput](w, "CreatePublicDnsNamespace", &api.CreatePublicDnsNamespaceInput{Name: new("example.com")}, "UnknownOperationException")
	call[api.ListTagsForResourceOutput](w, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceARN: new(here.ARN("servicediscovery", "service/srv-none"))}, "ResourceNotFoundException")
	call[api.TagResourceOutput](w, "TagResource", &api.TagResourceInput{ResourceARN: svc.Arn, Tags: []api.Tag{{Key: new("k"), Value: new("v")}}}, "")
	if tags := call[api.ListTagsForResourceOutput](w, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceARN: svc.Arn}, "").Tags; len(tags) != 1 {
		t.Errorf("%+v", tags)
	}
}

func TestDiscoverByAttributes(t *testing.T) {
	w := newWorld(t)
	op := call[api.CreateHttpNamespaceOutput](w, "CreateHttpNamespace", &api.CreateHttpNamespaceInput{Name: new("apps")}, "").OperationId
	ns := call[api.GetOperationOutput](w, "GetOperation", &api.GetOperationInput{OperationId: op}, "").Operation.Targets["NAMESPACE"]
	svc := call[api.CreateServiceOutput](w, "CreateService", &api.CreateServiceInput{Name: new("web"), NamespaceId: &ns}, "").Service
	for _, color := range []string{"blue", "green"} {
		call[api.RegisterInstanceOutput](w, "RegisterInstance", &api.RegisterInstanceInput{ServiceId: svc.Id, InstanceId: &color, Attributes: map[string]string{"color": color, "stage": "prod"}}, "")
	}
	for _, c := range []struct {
		query, optional map[string]string
		want            int
	}{{nil, nil, 2}, {map[string]string{"color": "blue"}, nil, 1}, {map[string]string{"color": "red"}, nil, 0}, {nil, map[string]string{"color": "green"}, 1}, {nil, map[string]string{"color": "red"}, 2}} {
		out := call[api.DiscoverInstancesOutput](w, "DiscoverInstances", &api.DiscoverInstancesInput{NamespaceName: new("apps"), ServiceName: new("web"), QueryParameters: c.query, OptionalParameters: c.optional}, "")
		if len(out.Instances) != c.want || *out.InstancesRevision != 2 {
			t.Errorf("%v %v: %d at revision %d", c.query, c.optional, len(out.Instances), *out.InstancesRevision)
		}
	}
	call[api.DiscoverInstancesOutput](w, "DiscoverInstances", &api.DiscoverInstancesInput{NamespaceName: new("none"), ServiceName: new("web")}, "NamespaceNotFound")
	call[api.DiscoverInstancesOutput](w, "DiscoverInstances", &api.DiscoverInstancesInput{NamespaceName: new("apps"), ServiceName: new("none")}, "ServiceNotFound")
}

// TestAnswersAreRegisteredInstances registers and deregisters at random and
// wants every answer to be made of what is there: all of it up to eight.
func TestAnswersAreRegisteredInstances(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		svc := w.dns(w.private("a.b", "vpc-1"), "s")
		there := map[string]bool{}
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			n := rapid.IntRange(1, 12).Draw(r, "instance")
			ip := fmt.Sprintf("10.0.0.%d", n)
			w.update(func(tx *store.Tx) error {
				if there[ip] {
					return DeregisterInstance(tx, *svc.Id, ip)
				}
				return RegisterInstance(tx, *svc.Id, ip, map[string]string{AttributeIPv4: ip})
			})
			there[ip] = !there[ip]
			count := 0
			for _, in := range there {
				if in {
					count++
				}
			}
			ips, _, ok := Resolve(w.store.Snapshot(), "vpc-1", "s.a.b")
			if !ok || len(ips) != min(count, 8) {
				r.Fatalf("%d of %d answered", len(ips), count)
			}
			for _, a := range ips {
				if !there[a.String()] {
					r.Fatalf("%s is not registered", a)
				}
			}
		}
	})
}

func TestServiceRecords(t *testing.T) {
	w := newWorld(t)
	ns := w.private("dev.local", "vpc-1")
	svc := call[api.CreateServiceOutput](w, "CreateService", &api.CreateServiceInput{Name: new("_web._tcp"), NamespaceId: &ns, DnsConfig: &api.DnsConfig{DnsRecords: []api.DnsRecord{{Type: api.RecordTypeSrv, TTL: new(int64(10))}}}}, "").Service
	w.update(func(tx *store.Tx) error {
		return RegisterInstance(tx, *svc.Id, "t1", map[string]string{AttributeIPv4: "10.0.0.9", AttributePort: "8080"})
	})
	targets, ttl, ok := ResolveSRV(w.store.Snapshot(), "vpc-1", "_web._tcp.dev.local")
	if len(targets) != 1 || targets[0] != (Target{"t1._web._tcp.dev.local", 8080}) || ttl != 10*time.Second || !ok {
		t.Fatalf("%v %v %v", targets, ttl, ok)
	}
	if ips, _, _ := Resolve(w.store.Snapshot(), "vpc-1", targets[0].Name); len(ips) != 1 || ips[0].String() != "10.0.0.9" {
		t.Errorf("%v", ips)
	}
}

func TestStackResources(t *testing.T) {
	w := newWorld(t)
	types := map[string]cfn.Type{}
	for _, typ := range w.service.Resources() {
		types[typ.Name()] = typ
	}
	request := func(logical string) context.Context {
		ctx := awsapi.WithCaller(t.Context(), awsapi.Caller{Scope: here})
		ctx = awsapi.WithToken(ctx, logical)
		return cfn.With(ctx, cfn.Request{StackID: "stack", StackName: "dev", LogicalID: logical, Token: logical, Tags: map[string]string{cfn.TagStackID: "stack", cfn.TagLogicalID: logical}})
	}
	create := func(typ, logical string, properties map[string]any) (cfn.Instance, error) {
		return types["AWS::ServiceDiscovery::"+typ].Create(request(logical), properties)
	}
	var first, again cfn.Instance
	for _, in := range []*cfn.Instance{&first, &again} { // a crash repeats the creation
		var err error
		if *in, err = create("PrivateDnsNamespace", "Ns", map[string]any{"Name": "dev.local", "Vpc": "vpc-1"}); err != nil {
			t.Fatal(err)
		}
	}
	if first.ID != again.ID || !strings.HasPrefix(first.ID, "ns-") {
		t.Errorf("%s then %s", first.ID, again.ID)
	}
	properties := map[string]any{"Name": "order", "NamespaceId": first.ID, "DnsConfig": map[string]any{"DnsRecords": []any{map[string]any{"Type": "A", "TTL": "60"}}}, "HealthCheckCustomConfig": map[string]any{"FailureThreshold": json.Number("1")}}
	svc, err := create("Service", "Svc", properties)
	if err != nil {
		t.Fatal(err)
	}
	typ := types["AWS::ServiceDiscovery::Service"]
	if a, ok := typ.Attribute(svc, "Arn"); !ok || a != here.ARN("servicediscovery", "service/"+svc.ID) {
		t.Errorf("%v", a)
	}
	properties["DnsConfig"] = map[string]any{"DnsRecords": []any{map[string]any{"Type": "A", "TTL": 10}}}
	if svc, err = typ.Update(request("Svc"), svc, properties); err != nil {
		t.Fatal(err)
	}
	if got := call[api.GetServiceOutput](w, "GetService", &api.GetServiceInput{Id: &svc.ID}, "").Service; *got.DnsConfig.DnsRecords[0].TTL != 10 {
		t.Errorf("%+v", got.DnsConfig)
	}
	if _, err := typ.Read(request("Svc"), svc); err != nil {
		t.Error(err)
	}
	for range 2 { // deleting what is gone is fine
		if err := typ.Delete(request("Svc"), svc); err != nil {
			t.Error(err)
		}
		if err := types["AWS::ServiceDiscovery::PrivateDnsNamespace"].Delete(request("Ns"), first); err != nil {
			t.Error(err)
		}
	}
	if _, err := typ.Read(request("Svc"), svc); err == nil {
		t.Error("a deleted service was read")
	}
}

func TestOperationsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, err := store.Open(store.Config{}, Tables()...)
		if err != nil {
			t.Fatal(err)
		}
		s := New(Config{Store: st})
		ctx, stop := context.WithCancel(awsapi.WithCaller(t.Context(), awsapi.Caller{Scope: here}))
		go s.Loops()[0].Run(ctx, st, s.log)
		out, err := s.CreateHttpNamespace(ctx, &api.CreateHttpNamespaceInput{Name: new("x")})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(29 * 24 * time.Hour)
		if _, err := s.GetOperation(ctx, &api.GetOperationInput{OperationId: out.OperationId}); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * 24 * time.Hour)
		synctest.Wait()
		if _, err := s.GetOperation(ctx, &api.GetOperationInput{OperationId: out.OperationId}); err == nil {
			t.Error("an operation of a month ago is still there")
		}
		stop()
		synctest.Wait()
	})
}
