package ec2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/vpc"
)

// stack deploys resources by their CloudFormation types, as the stack engine
// does: each under a token of its own.
type stack struct {
	t     testing.TB
	s     *Service
	ctx   context.Context
	types map[string]cfn.Type
	order []string
	made  map[string]cfn.Instance
	kinds map[string]string
}

func newStack(t testing.TB, s *Service, ctx context.Context) *stack {
	k := &stack{t: t, s: s, ctx: ctx, types: map[string]cfn.Type{}, made: map[string]cfn.Instance{}, kinds: map[string]string{}}
	for _, typ := range s.Resources() {
		k.types[typ.Name()] = typ
	}
	return k
}

func (k *stack) request(id string) context.Context {
	token := "token-" + id
	return awsapi.WithToken(cfn.With(k.ctx, cfn.Request{
		StackID: "arn:aws:cloudformation:us-east-1:123456789012:stack/TapStackdev/1", StackName: "TapStackdev", LogicalID: id, Token: token,
		Tags: map[string]string{"Environment": "dev", cfn.TagStackName: "TapStackdev", cfn.TagLogicalID: id},
	}), token)
}

// create makes a resource twice, as after a crash, and expects one.
func (k *stack) create(id, typ string, properties map[string]any) string {
	k.t.Helper()
	t := k.types["AWS::EC2::"+typ]
	first, err := t.Create(k.request(id), properties)
	if err != nil {
		k.t.Fatalf("create %s: %v", id, err)
	}
	second, err := t.Create(k.request(id), properties)
	if err != nil || second.ID != first.ID {
		k.t.Fatalf("create %s again: %s, then %s: %v", id, first.ID, second.ID, err)
	}
	for n := 0; ; n++ {
		done, in, err := t.Settled(k.request(id), first)
		if err != nil {
			k.t.Fatalf("settle %s: %v", id, err)
		}
		if first = in; done {
			break
		}
		if n > 100 {
			k.t.Fatalf("%s does not settle", id)
		}
		time.Sleep(time.Millisecond)
	}
	read, err := t.Read(k.request(id), first)
	if err != nil || read.ID != first.ID {
		k.t.Fatalf("read %s: %v", id, err)
	}
	k.made[id], k.kinds[id] = first, "AWS::EC2::"+typ
	k.order = append(k.order, id)
	return first.ID
}

func (k *stack) attribute(id, name string) string {
	k.t.Helper()
	v, ok := k.types[k.kinds[id]].Attribute(k.made[id], name)
	if !ok {
		k.t.Fatalf("%s has no attribute %s", id, name)
	}
	return fmt.Sprint(v)
}

func (k *stack) update(id string, properties map[string]any) {
	k.t.Helper()
	in, err := k.types[k.kinds[id]].Update(k.request(id), k.made[id], properties)
	if err != nil {
		k.t.Fatalf("update %s: %v", id, err)
	}
	k.made[id] = in
}

// remove deletes everything in reverse order, twice, waiting for what takes a while.
func (k *stack) remove() {
	k.t.Helper()
	for _, id := range slices.Backward(k.order) {
		t := k.types[k.kinds[id]]
		for range 2 {
			if err := t.Delete(k.request(id), k.made[id]); err != nil {
				k.t.Fatalf("delete %s: %v", id, err)
			}
		}
		for n := 0; ; n++ {
			remains, err := t.Remains(k.request(id), k.made[id])
			if err != nil || n > 100 {
				k.t.Fatalf("%s remains: %v", id, err)
			}
			if !remains {
				break
			}
			time.Sleep(time.Millisecond)
		}
		_, err := t.Read(k.request(id), k.made[id])
		if e, ok := errors.AsType[*awsapi.Error](err); !errors.Is(err, store.ErrNotFound) && !ok {
			k.t.Errorf("read %s after its deletion: %v", id, e)
		}
	}
}

type props = map[string]any

// reference is the network of the reference platform, with two zones.
func (k *stack) reference() {
	v := k.create("Vpc", "VPC", props{"CidrBlock": "10.0.0.0/16", "EnableDnsSupport": true, "EnableDnsHostnames": "true", "Tags": []any{props{"Key": "Name", "Value": "dev-microservices-vpc"}}})
	gateway := k.create("Gateway", "InternetGateway", props{})
	k.create("Attachment", "VPCGatewayAttachment", props{"VpcId": v, "InternetGatewayId": gateway})
	var tables, private []any
	for i, zone := range []string{"us-east-1a", "us-east-1b"} {
		public := fmt.Sprintf("Public%d", i)
		subnet := k.create(public, "Subnet", props{"VpcId": v, "CidrBlock": fmt.Sprintf("10.0.%d.0/24", i), "AvailabilityZone": zone, "MapPublicIpOnLaunch": true})
		table := k.create(public+"Table", "RouteTable", props{"VpcId": v})
		k.create(public+"Association", "SubnetRouteTableAssociation", props{"SubnetId": subnet, "RouteTableId": table})
		k.create(public+"Route", "Route", props{"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway})
	}
	k.create("Address", "EIP", props{"Domain": "vpc"})
	nat := k.create("Nat", "NatGateway", props{"AllocationId": k.attribute("Address", "AllocationId"), "SubnetId": k.made["Public0"].ID})
	for i, zone := range []string{"us-east-1a", "us-east-1b"} {
		id := fmt.Sprintf("Private%d", i)
		subnet := k.create(id, "Subnet", props{"VpcId": v, "CidrBlock": fmt.Sprintf("10.0.%d.0/24", i+3), "AvailabilityZone": zone})
		table := k.create(id+"Table", "RouteTable", props{"VpcId": v})
		k.create(id+"Association", "SubnetRouteTableAssociation", props{"SubnetId": subnet, "RouteTableId": table})
		k.create(id+"Route", "Route", props{"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": nat})
		tables, private = append(tables, table), append(private, subnet)
	}
	group := k.create("EndpointGroup", "SecurityGroup", props{
		"VpcId": v, "GroupDescription": "endpoints", "SecurityGroupIngress": []any{props{"IpProtocol": "tcp", "FromPort": 443, "ToPort": "443", "CidrIp": "10.0.0.0/16"}},
	})
	k.create("S3", "VPCEndpoint", props{"VpcId": v, "ServiceName": "com.amazonaws.us-east-1.s3", "VpcEndpointType": "Gateway", "RouteTableIds": tables})
	k.create("Logs", "VPCEndpoint", props{
		"VpcId": v, "ServiceName": "com.amazonaws.us-east-1.logs", "VpcEndpointType": "Interface", "SubnetIds": private, "SecurityGroupIds": []any{group}, "PrivateDnsEnabled": true,
	})
	task := k.create("TaskGroup", "SecurityGroup", props{"VpcId": v, "GroupDescription": "tasks", "SecurityGroupEgress": []any{props{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}}})
	k.create("TaskToTask", "SecurityGroupIngress", props{"GroupId": task, "IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8082, "SourceSecurityGroupId": task})
	k.create("Out", "SecurityGroupEgress", props{"GroupId": task, "IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "CidrIp": "10.0.0.0/8"})
	k.create("Interface", "NetworkInterface", props{"SubnetId": private[0], "GroupSet": []any{task}})
}

// run runs the service's loops for the time of a test.
func run(t *testing.T, f func(s *Service, ctx context.Context)) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := newService(t)
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan error)
		for _, l := range s.Loops() {
			go func() { done <- l.Run(ctx, s.store, s.log) }()
		}
		f(s, ctx)
		cancel()
		for range s.Loops() {
			<-done
		}
	})
}

func TestReferenceNetwork(t *testing.T) {
	run(t, func(s *Service, ctx context.Context) {
		k := newStack(t, s, ctx)
		k.reference()
		synctest.Wait()
		net := s.network.(*fakeNetwork)
		id := k.made["Vpc"].ID
		c := net.applied[id]
		vpc.Compile(c)                                                                     // must not panic
		if len(c.Subnets) != 4 || len(c.Groups) != 3 || len(c.Interfaces) != 4 || !c.DNS { // NAT, two of the endpoint, one plain
			t.Errorf("%d subnets, %d groups, %d interfaces", len(c.Subnets), len(c.Groups), len(c.Interfaces))
		}
		for _, sub := range c.Subnets {
			want := vpc.Internet
			if sub.ID == k.made["Private0"].ID || sub.ID == k.made["Private1"].ID {
				want = vpc.NAT
			}
			if sub.Routes[0] != (vpc.Route{Dest: netip.MustParsePrefix("0.0.0.0/0"), Target: want}) {
				t.Errorf("%s: %+v", sub.CIDR, sub.Routes)
			}
		}
		if got := k.attribute("Vpc", "DefaultSecurityGroup"); got != defaultGroup(s.store.Snapshot(), scope, id).ID {
			t.Errorf("default security group %s", got)
		}
		if k.attribute("Vpc", "CidrBlock") != "10.0.0.0/16" || k.attribute("Public1", "AvailabilityZone") != "us-east-1b" {
			t.Error("properties that are attributes too")
		}
		if k.attribute("TaskGroup", "GroupId") != k.made["TaskGroup"].ID || k.made["Address"].ID != "203.0.113.1" {
			t.Errorf("group %s, address %s", k.attribute("TaskGroup", "GroupId"), k.made["Address"].ID)
		}
		row, _ := Groups.Get(s.store.Snapshot(), scope.Key(k.made["TaskGroup"].ID))
		if row.Tags["Environment"] != "dev" || row.Tags[cfn.TagLogicalID] != "TaskGroup" {
			t.Errorf("stack tags: %v", row.Tags)
		}
		ips, _, ok := Resolve(s.store.Snapshot(), id, "logs.us-east-1.amazonaws.com")
		if !ok || len(ips) != 2 {
			t.Errorf("private DNS name of the endpoint: %v", ips)
		}

		k.remove()
		synctest.Wait()
		if len(net.applied) != 0 {
			t.Errorf("networks left: %v", net.applied)
		}
		for _, n := range []int{
			len(slices.Collect(VPCs.List(s.store.Snapshot(), ""))), len(slices.Collect(Interfaces.List(s.store.Snapshot(), ""))),
			len(slices.Collect(Rules.List(s.store.Snapshot(), ""))), len(slices.Collect(Addresses.List(s.store.Snapshot(), ""))),
			len(slices.Collect(Subnets.List(s.store.Snapshot(), ""))), len(slices.Collect(cursors.List(s.store.Snapshot(), ""))),
		} {
			if n != 0 {
				t.Errorf("%d rows are left", n)
			}
		}
		if g := slices.Collect(NATGateways.List(s.store.Snapshot(), "")); len(g) != 1 || g[0].State != "deleted" {
			t.Errorf("NAT gateway after its deletion: %+v", g)
		}
		time.Sleep(deletedFor + time.Minute)
		synctest.Wait()
		if g := slices.Collect(NATGateways.List(s.store.Snapshot(), "")); len(g) != 0 {
			t.Errorf("NAT gateway an hour later: %+v", g)
		}
	})
}

func TestUpdates(t *testing.T) {
	run(t, func(s *Service, ctx context.Context) {
		k := newStack(t, s, ctx)
		k.reference()
		group := k.made["EndpointGroup"].ID
		before := slices.Collect(Rules.By(s.store.Snapshot(), "group", scope.Key(group)))
		k.update("EndpointGroup", props{
			"VpcId": k.made["Vpc"].ID, "GroupDescription": "endpoints", "SecurityGroupIngress": []any{
				props{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "10.0.0.0/16", "Description": "https"},
				props{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "10.0.0.0/16"},
			}, "SecurityGroupEgress": []any{props{"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "CidrIp": "10.0.0.0/16"}},
		})
		after := slices.Collect(Rules.By(s.store.Snapshot(), "group", scope.Key(group)))
		if len(before) != 2 || len(after) != 3 {
			t.Errorf("rules: %v, then %v", before, after)
		}
		for _, r := range after {
			if r.Egress && r.Protocol != "icmp" {
				t.Errorf("the rule that lets everything out is still there: %v", r)
			}
			if r.Low == 443 && (r.Description != "https" || !slices.ContainsFunc(before, func(b Rule) bool { return b.ID == r.ID })) {
				t.Errorf("a rule that stays was replaced: %+v", r)
			}
		}
		k.update("Private1Route", props{"RouteTableId": k.made["Private1Table"].ID, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": k.made["Gateway"].ID})
		k.update("Logs", props{
			"VpcId": k.made["Vpc"].ID, "ServiceName": "com.amazonaws.us-east-1.logs", "VpcEndpointType": "Interface", "SubnetIds": []any{k.made["Private1"].ID},
			"SecurityGroupIds": []any{k.made["TaskGroup"].ID}, "PrivateDnsEnabled": false,
		})
		e, _ := Endpoints.Get(s.store.Snapshot(), scope.Key(k.made["Logs"].ID))
		if len(e.Interfaces) != 1 || e.PrivateDNS || e.Groups[0] != k.made["TaskGroup"].ID {
			t.Errorf("endpoint: %+v", e)
		}
		k.update("Vpc", props{"CidrBlock": "10.0.0.0/16", "EnableDnsSupport": false})
		synctest.Wait()
		if s.network.(*fakeNetwork).applied[k.made["Vpc"].ID].DNS {
			t.Error("DNS support was switched off, and the network does not know")
		}
	})
}

// What stands in the way of a task without a way out is said.
func TestReaches(t *testing.T) {
	run(t, func(s *Service, ctx context.Context) {
		k := newStack(t, s, ctx)
		k.reference()
		private, err := Interfaces.Get(s.store.Snapshot(), scope.Key(k.made["Interface"].ID))
		if err != nil {
			t.Fatal(err)
		}
		expect := func(when string, want map[string]bool) {
			t.Helper()
			for service, ok := range want {
				if got, why := private.Reaches(s.store.Snapshot(), service); got != ok || got != (why == "") {
					t.Errorf("%s: private subnet to %s: %v, %q", when, service, got, why)
				}
			}
		}
		expect("with NAT", map[string]bool{"internet": true, "ecr.api": true, "logs": true, "s3": true})
		var public Interface
		if err := s.store.Update(func(tx *store.Tx) (err error) {
			public, err = CreateInterface(tx, scope, InterfaceSpec{ID: "eni-public", SubnetID: k.made["Public0"].ID, PublicIP: true})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if ok, why := public.Reaches(s.store.Snapshot(), "internet"); !ok {
			t.Errorf("public subnet to the internet: %s", why)
		}
		k.update("Private0Route", props{"RouteTableId": k.made["Private0Table"].ID, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": k.made["Gateway"].ID})
		expect("without a public address", map[string]bool{"internet": false})
		must[*ec2api.DeleteRouteOutput](t)(s.DeleteRoute(ctx, &ec2api.DeleteRouteInput{RouteTableId: new(k.made["Private0Table"].ID), DestinationCidrBlock: new("0.0.0.0/0")}))
		expect("with endpoints only", map[string]bool{"internet": false, "ecr.api": false, "logs": true, "s3": true})
		must[*ec2api.RevokeSecurityGroupIngressOutput](t)(s.RevokeSecurityGroupIngress(ctx, &ec2api.RevokeSecurityGroupIngressInput{GroupId: new(k.made["EndpointGroup"].ID), IpPermissions: tcp(443, fromCIDR("10.0.0.0/16"))}))
		expect("with a closed endpoint", map[string]bool{"logs": false, "s3": true})
	})
}

func TestNATGatewayWithoutInternetGatewayFails(t *testing.T) {
	run(t, func(s *Service, ctx context.Context) {
		id := s.testVPC(t, ctx, "10.0.0.0/16")
		sub := s.testSubnet(t, ctx, id, "10.0.0.0/24")
		address := must[*ec2api.AllocateAddressOutput](t)(s.AllocateAddress(ctx, &ec2api.AllocateAddressInput{}))
		made := must[*ec2api.CreateNatGatewayOutput](t)(s.CreateNatGateway(ctx, &ec2api.CreateNatGatewayInput{SubnetId: &sub, AllocationId: address.AllocationId})).NatGateway
		_, err := s.ReleaseAddress(ctx, &ec2api.ReleaseAddressInput{AllocationId: address.AllocationId})
		refused(t, "address in use", err, "InvalidIPAddress.InUse: Address 203.0.113.1 is in use.")
		synctest.Wait()
		g := must[*ec2api.DescribeNatGatewaysOutput](t)(s.DescribeNatGateways(ctx, &ec2api.DescribeNatGatewaysInput{})).NatGateways[0]
		if made.State != "pending" || g.State != "failed" || *g.FailureCode != "Gateway.NotAttached" {
			t.Errorf("%s, then %s", made.State, g.State)
		}
	})
}

func TestNetworksOfAKilledEngineAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := newService(t)
		id := s.testVPC(t, ctx, "10.0.0.0/16")
		net := &fakeNetwork{left: []string{id, "vpc-orphan"}}
		s.network = net
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan error)
		go func() { done <- s.networkLoop().Run(ctx, s.store, s.log) }()
		synctest.Wait()
		cancel()
		<-done
		if !slices.Equal(net.left, []string{id}) || len(net.applied) != 1 {
			t.Errorf("left %v, applied %d", net.left, len(net.applied))
		}
	})
}

// Rows survive the store's encoding: what is read back compiles to the same.
func TestRowsSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	open := func() *store.Store {
		st, err := store.Open(store.Config{Path: path}, Tables()...)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	s := New(Config{Store: open()})
	ctx := awsapi.WithCaller(t.Context(), awsapi.Caller{Scope: scope})
	id := s.testVPC(t, ctx, "10.0.0.0/16")
	sub := s.testSubnet(t, ctx, id, "10.0.0.0/24")
	must[*ec2api.CreateNetworkInterfaceOutput](t)(s.CreateNetworkInterface(ctx, &ec2api.CreateNetworkInterfaceInput{SubnetId: &sub}))
	text := func(st *store.Store) string {
		v, err := VPCs.Get(st.Snapshot(), scope.Key(id))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := json.Marshal(compile(st.Snapshot(), v))
		return string(b)
	}
	before := text(s.store)
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	st := open()
	defer st.Close()
	if after := text(st); after != before {
		t.Errorf("before %s\nafter  %s", before, after)
	}
}
