package ec2

import (
	"context"
	"testing"

	"github.com/slipway-dev/slipway/kernel/cfn"
)

// A subnet's association with a route table is replaced in its place, twice, and given back when the update is undone, as the stack engine does it.
func TestAssociationIsReplaced(t *testing.T) {
	run(t, func(s *Service, ctx context.Context) {
		k := newStack(t, s, ctx)
		k.reference()
		typ, subnet := k.types["AWS::EC2::SubnetRouteTableAssociation"], k.made["Private0"].ID
		beside := func(id string, in cfn.Instance) context.Context {
			r, _ := cfn.From(k.request(id))
			r.Beside = in
			return cfn.With(k.request(id), r)
		}
		table := func() string {
			sub, _ := Subnets.Get(s.store.Snapshot(), scope.Key(subnet))
			return tableOf(s.store.Snapshot(), sub).ID
		}
		first := k.made["Private0Association"]
		replace := func(id, to string, before cfn.Instance) cfn.Instance {
			t.Helper()
			var made cfn.Instance
			for range 2 { // the second time as after a crash
				in, err := typ.Create(beside(id, before), props{"SubnetId": subnet, "RouteTableId": k.made[to].ID})
				if err != nil || (made.ID != "" && made.ID != in.ID) {
					t.Fatal(in.ID, err)
				}
				made = in
			}
			if table() != k.made[to].ID {
				t.Fatalf("the subnet is at %s, not at %s", table(), to)
			}
			return made
		}
		second := replace("second", "Public0Table", first)
		third := replace("third", "Private1Table", second)
		for _, undone := range []cfn.Instance{second, third} {
			if err := typ.Delete(beside("back", first), undone); err != nil {
				t.Fatal(err)
			}
		}
		if table() != k.made["Private0Table"].ID {
			t.Fatalf("after the way back the subnet is at %s", table())
		}
		if _, err := typ.Read(k.request("Private0Association"), first); err != nil {
			t.Fatal("what was given back is not known:", err)
		}
		fourth := replace("fourth", "Public0Table", first)
		if err := typ.Delete(beside("cleanup", fourth), first); err != nil || table() != k.made["Public0Table"].ID {
			t.Fatal("the clean-up of the association that was replaced:", table(), err)
		}
	})
}

// The gateway of a network is exchanged in place.
func TestGatewayIsExchanged(t *testing.T) {
	run(t, func(s *Service, ctx context.Context) {
		k := newStack(t, s, ctx)
		vpc, old, fresh := k.create("Vpc", "VPC", props{"CidrBlock": "10.0.0.0/16"}), k.create("Old", "InternetGateway", nil), k.create("New", "InternetGateway", nil)
		k.create("Attachment", "VPCGatewayAttachment", props{"VpcId": vpc, "InternetGatewayId": old})
		attached := func() string {
			for g := range InternetGateways.By(s.store.Snapshot(), "vpc", scope.Key(vpc)) {
				return g.ID
			}
			return ""
		}
		k.update("Attachment", props{"VpcId": vpc, "InternetGatewayId": fresh})
		if attached() != fresh || k.attribute("Attachment", "AttachmentType") != "IGW" {
			t.Fatalf("attached: %s", attached())
		}
		typ := k.types["AWS::EC2::VPCGatewayAttachment"]
		if _, err := typ.Update(k.request("Attachment"), k.made["Attachment"], props{"VpcId": vpc, "InternetGatewayId": "igw-0"}); err == nil || attached() != fresh {
			t.Fatal("a gateway that is not there:", err, attached())
		}
		k.update("Attachment", props{"VpcId": vpc, "InternetGatewayId": old})
		if attached() != old {
			t.Fatalf("attached: %s", attached())
		}
	})
}
