package ec2

import (
	"context"
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/vpc"
)

// aclEntry is an entry of an ACL in the words of a request.
func aclEntry(acl string, number int32, action ec2api.RuleAction, block string, low, high int32) *ec2api.CreateNetworkAclEntryInput {
	return &ec2api.CreateNetworkAclEntryInput{
		NetworkAclId: &acl, RuleNumber: &number, Egress: new(false), Protocol: new("tcp"), RuleAction: action, CidrBlock: &block,
		PortRange: &ec2api.PortRange{From: &low, To: &high},
	}
}

func (s *Service) testACL(t testing.TB, ctx context.Context, vpcID string) ACL {
	t.Helper()
	out := must[*ec2api.CreateNetworkAclOutput](t)(s.CreateNetworkAcl(ctx, &ec2api.CreateNetworkAclInput{VpcId: &vpcID}))
	return must[ACL](t)(aclKind.get(s.store.Snapshot(), scope, *out.NetworkAcl.NetworkAclId))
}

// A subnet begins with the ACL of its VPC, may be given another, and that is
// what the network is told.
func TestNetworkACLOfASubnet(t *testing.T) {
	s, ctx := newService(t)
	v := s.testVPC(t, ctx, "10.0.0.0/16")
	sub := s.testSubnet(t, ctx, v, "10.0.1.0/24")
	other := s.testSubnet(t, ctx, v, "10.0.2.0/24")
	own := s.testACL(t, ctx, v)
	if len(own.Entries) != 0 || own.Default {
		t.Errorf("a new list: %+v", own)
	}
	for _, in := range []*ec2api.CreateNetworkAclEntryInput{
		aclEntry(own.ID, 200, "allow", "0.0.0.0/0", 0, 65535), aclEntry(own.ID, 100, "deny", "10.0.2.9/24", 8080, 8082),
	} {
		must[*ec2api.CreateNetworkAclEntryOutput](t)(s.CreateNetworkAclEntry(ctx, in))
	}
	association := func(subnet string) (acl, id string) {
		t.Helper()
		out := must[*ec2api.DescribeNetworkAclsOutput](t)(s.DescribeNetworkAcls(ctx, &ec2api.DescribeNetworkAclsInput{
			Filters: []ec2api.Filter{{Name: new("association.subnet-id"), Values: []string{subnet}}},
		}))
		if len(out.NetworkAcls) != 1 {
			t.Fatalf("%s has %d lists", subnet, len(out.NetworkAcls))
		}
		for _, x := range out.NetworkAcls[0].Associations {
			if *x.SubnetId == subnet {
				return *x.NetworkAclId, *x.NetworkAclAssociationId
			}
		}
		t.Fatal("no association")
		return "", ""
	}
	first, id := association(sub)
	must[*ec2api.ReplaceNetworkAclAssociationOutput](t)(s.ReplaceNetworkAclAssociation(ctx, &ec2api.ReplaceNetworkAclAssociationInput{AssociationId: &id, NetworkAclId: &own.ID}))
	if got, _ := association(sub); got != own.ID {
		t.Errorf("the subnet has %s", got)
	}
	if got, _ := association(other); got != first {
		t.Errorf("the other subnet has %s", got)
	}
	_, err := s.ReplaceNetworkAclAssociation(ctx, &ec2api.ReplaceNetworkAclAssociationInput{AssociationId: &id, NetworkAclId: &own.ID})
	refused(t, "an association that has been replaced", err, "InvalidAssociationID.NotFound: The association ID '"+id+"' does not exist")

	row := must[VPC](t)(vpcKind.get(s.store.Snapshot(), scope, v))
	c := compile(s.store.Snapshot(), row)
	for _, got := range c.Subnets {
		if want := map[string]string{sub: own.ID, other: first}[got.ID]; got.ACL != want {
			t.Errorf("the network has %s of %s, want %s", got.ACL, got.ID, want)
		}
	}
	for _, a := range c.ACLs {
		if a.ID == own.ID && (len(a.Egress) != 0 || len(a.Ingress) != 2 || a.Ingress[0] != (vpc.Entry{Protocol: vpc.TCP, From: 8080, To: 8082, CIDR: netip.MustParsePrefix("10.0.2.0/24")})) {
			t.Errorf("the network is told %+v", a)
		}
	}

	_, err = s.DeleteNetworkAcl(ctx, &ec2api.DeleteNetworkAclInput{NetworkAclId: &own.ID})
	refused(t, "in use", err, "DependencyViolation")
	_, err = s.DeleteNetworkAcl(ctx, &ec2api.DeleteNetworkAclInput{NetworkAclId: &first})
	refused(t, "the default one", err, "InvalidParameterValue")
	must[*ec2api.DeleteSubnetOutput](t)(s.DeleteSubnet(ctx, &ec2api.DeleteSubnetInput{SubnetId: &sub}))
	must[*ec2api.DeleteNetworkAclOutput](t)(s.DeleteNetworkAcl(ctx, &ec2api.DeleteNetworkAclInput{NetworkAclId: &own.ID}))
}

func TestEntriesThatCannotBe(t *testing.T) {
	s, ctx := newService(t)
	own := s.testACL(t, ctx, s.testVPC(t, ctx, "10.0.0.0/16"))
	for what, c := range map[string]struct {
		change func(*ec2api.CreateNetworkAclEntryInput)
		want   string
	}{
		"no number":        {func(in *ec2api.CreateNetworkAclEntryInput) { in.RuleNumber = nil }, "MissingParameter"},
		"the last number":  {func(in *ec2api.CreateNetworkAclEntryInput) { in.RuleNumber = new(int32(32767)) }, "InvalidParameterValue"},
		"no direction":     {func(in *ec2api.CreateNetworkAclEntryInput) { in.Egress = nil }, "MissingParameter"},
		"no block":         {func(in *ec2api.CreateNetworkAclEntryInput) { in.CidrBlock = nil }, "MissingParameter"},
		"two blocks":       {func(in *ec2api.CreateNetworkAclEntryInput) { in.Ipv6CidrBlock = new("::/0") }, "InvalidParameterCombination"},
		"a wrong block":    {func(in *ec2api.CreateNetworkAclEntryInput) { in.CidrBlock = new("10.0.0.0/33") }, "InvalidParameterValue"},
		"another action":   {func(in *ec2api.CreateNetworkAclEntryInput) { in.RuleAction = "maybe" }, "InvalidParameterValue"},
		"a wrong protocol": {func(in *ec2api.CreateNetworkAclEntryInput) { in.Protocol = new("tls") }, "InvalidParameterValue"},
		"no ports":         {func(in *ec2api.CreateNetworkAclEntryInput) { in.PortRange = nil }, "MissingParameter"},
		"ports backwards":  {func(in *ec2api.CreateNetworkAclEntryInput) { in.PortRange.From = new(int32(81)) }, "InvalidParameterValue"},
		"ICMP of no type":  {func(in *ec2api.CreateNetworkAclEntryInput) { in.Protocol = new("1") }, "MissingParameter"},
		"no such list":     {func(in *ec2api.CreateNetworkAclEntryInput) { in.NetworkAclId = new("acl-0") }, "InvalidNetworkAclID.NotFound"},
	} {
		in := aclEntry(own.ID, 100, "allow", "10.0.0.0/8", 80, 80)
		c.change(in)
		_, err := s.CreateNetworkAclEntry(ctx, in)
		refused(t, what, err, c.want)
	}
	_, err := s.ReplaceNetworkAclEntry(ctx, (*ec2api.ReplaceNetworkAclEntryInput)(aclEntry(own.ID, 7, "allow", "10.0.0.0/8", 80, 80)))
	refused(t, "nothing to replace", err, "InvalidNetworkAclEntry.NotFound")
	_, err = s.DeleteNetworkAclEntry(ctx, &ec2api.DeleteNetworkAclEntryInput{NetworkAclId: &own.ID, RuleNumber: new(int32(7)), Egress: new(true)})
	refused(t, "nothing to delete", err, "InvalidNetworkAclEntry.NotFound")
	for n := int32(1); ; n++ {
		_, err = s.CreateNetworkAclEntry(ctx, aclEntry(own.ID, n, "allow", "10.0.0.0/8", 80, 80))
		if err != nil {
			refused(t, "entry "+strconv.Itoa(int(n)), err, "NetworkAclEntryLimitExceeded")
			break
		}
	}
	_, err = s.CreateNetworkAclEntry(ctx, aclEntry(own.ID, 1, "deny", "10.0.0.0/8", 80, 80))
	refused(t, "the same number", err, "NetworkAclEntryAlreadyExists")
}

// What a task asks for itself, such as its image, passes the same lists as its packets.
func TestReachPassesNetworkACLs(t *testing.T) {
	s, ctx := newService(t)
	k := newStack(t, s, ctx)
	k.create("Vpc", "VPC", map[string]any{"CidrBlock": "10.0.0.0/16", "EnableDnsSupport": true, "EnableDnsHostnames": true})
	v := k.made["Vpc"].ID
	k.create("Subnet", "Subnet", map[string]any{"VpcId": v, "CidrBlock": "10.0.1.0/24"})
	k.create("Away", "Subnet", map[string]any{"VpcId": v, "CidrBlock": "10.0.2.0/24"})
	group := s.testGroup(t, ctx, v, "open")
	must[*ec2api.AuthorizeSecurityGroupIngressOutput](t)(s.AuthorizeSecurityGroupIngress(ctx, &ec2api.AuthorizeSecurityGroupIngressInput{GroupId: &group, IpPermissions: tcp(443, fromCIDR("10.0.0.0/16"))}))
	endpoint := *must[*ec2api.CreateVpcEndpointOutput](t)(s.CreateVpcEndpoint(ctx, &ec2api.CreateVpcEndpointInput{
		VpcId: &v, ServiceName: new("com.amazonaws.us-east-1.logs"), VpcEndpointType: "Interface", PrivateDnsEnabled: new(true),
		SubnetIds: []string{k.made["Away"].ID}, SecurityGroupIds: []string{group},
	})).VpcEndpoint.VpcEndpointId
	if err := s.store.Update(func(tx *store.Tx) error { // what a loop would say after a while
		e, err := Endpoints.Get(tx, scope.Key(endpoint))
		e.State = "available"
		Endpoints.Put(tx, e)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	k.create("Card", "NetworkInterface", map[string]any{"SubnetId": k.made["Subnet"].ID, "GroupSet": []any{group}})
	reach := func(want string) {
		t.Helper()
		card := must[Interface](t)(Interfaces.Get(s.store.Snapshot(), scope.Key(k.made["Card"].ID)))
		if ok, why := card.Reaches(s.store.Snapshot(), "logs"); ok != (want == "") || !strings.Contains(why, want) {
			t.Errorf("reaches %t, %q; want %q", ok, why, want)
		}
	}
	reach("")
	k.create("Acl", "NetworkAcl", map[string]any{"VpcId": v})
	acl := k.made["Acl"].ID
	k.create("Association", "SubnetNetworkAclAssociation", map[string]any{"SubnetId": k.made["Subnet"].ID, "NetworkAclId": acl})
	reach("does not let requests to 10.0.2.")
	k.create("Out", "NetworkAclEntry", map[string]any{"NetworkAclId": acl, "RuleNumber": 100, "Egress": true, "Protocol": 6, "RuleAction": "allow", "CidrBlock": "10.0.0.0/16", "PortRange": map[string]any{"From": 443, "To": 443}})
	reach("does not let the answers of 10.0.2.")
	k.create("In", "NetworkAclEntry", map[string]any{"NetworkAclId": acl, "RuleNumber": 100, "Protocol": -1, "RuleAction": "allow", "CidrBlock": "10.0.2.0/24"})
	reach("")
	for _, id := range []string{"In", "Out", "Association", "Acl"} {
		if err := k.types[k.kinds[id]].Delete(k.request(id), k.made[id]); err != nil {
			t.Errorf("delete %s: %v", id, err)
		}
	}
	reach("")
}

// A VPC that an engine without entries has made goes on as it did; one whose
// entries were deleted lets nothing pass.
func TestDefaultACLOfAnEarlierEngine(t *testing.T) {
	for row, entries := range map[string]int{
		`{"ID":"acl-1","VPC":"vpc-1","Default":true,"Associations":null}`: 2,
		`{"ID":"acl-1","VPC":"vpc-1","Default":true,"Entries":[]}`:        0,
		`{"ID":"acl-1","VPC":"vpc-1","Default":false}`:                    0,
	} {
		var a ACL
		if err := json.Unmarshal([]byte(row), &a); err != nil || len(a.Entries) != entries || a.ID != "acl-1" || a.VPC != "vpc-1" {
			t.Errorf("%s: %+v, %v", row, a, err)
		}
	}
}
