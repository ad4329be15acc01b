package synth

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// network renders the VPC: a public and a private subnet a zone, each with its own route table, the internet gateway and the NAT gateways.
func (r *renderer) network() {
	n := r.m.Network
	r.add("Vpc", "AWS::EC2::VPC", Object{{"CidrBlock", n.CIDR}, {"EnableDnsHostnames", true}, r.tagged("vpc")})
	r.add("InternetGateway", "AWS::EC2::InternetGateway", Object{r.tagged("igw")})
	r.add("InternetGatewayAttachment", "AWS::EC2::VPCGatewayAttachment", Object{{"VpcId", ref("Vpc")}, {"InternetGatewayId", ref("InternetGateway")}})
	for i := range n.Zones {
		id := r.subnet("Public", i, subnet(n.CIDR, i))
		r.public = append(r.public, id)
		// A route to a gateway that is not attached yet is refused; nothing refers to the attachment.
		r.add(id+"DefaultRoute", "AWS::EC2::Route", Object{
			{"RouteTableId", ref(id + "RouteTable")}, {"DestinationCidrBlock", "0.0.0.0/0"}, {"GatewayId", ref("InternetGateway")},
		}, "InternetGatewayAttachment")
	}
	gateways := map[string]int{"none": 0, "single": 1, "zone": n.Zones}[n.NAT]
	for i := range gateways {
		r.nat(i)
	}
	for i := range n.Zones {
		id := r.subnet("Private", i, subnet(n.CIDR, n.Zones+i))
		r.private = append(r.private, id)
		if gateways > 0 {
			r.add(id+"DefaultRoute", "AWS::EC2::Route", Object{
				{"RouteTableId", ref(id + "RouteTable")}, {"DestinationCidrBlock", "0.0.0.0/0"}, {"NatGatewayId", ref(natID(i % gateways))},
			})
			r.outward = append(r.outward, id+"DefaultRoute")
		}
		r.outward = append(r.outward, id+"RouteTableAssociation")
	}
}

// subnet renders one subnet with its route table and returns its id, such as PublicSubnet1.
func (r *renderer) subnet(side string, i int, cidr string) string {
	id := fmt.Sprintf("%sSubnet%d", side, i+1)
	name := fmt.Sprintf("%s-%d", strings.ToLower(side), i+1)
	r.add(id, "AWS::EC2::Subnet", Object{
		{"VpcId", ref("Vpc")}, {"CidrBlock", cidr}, {"AvailabilityZone", zone(i)}, {"MapPublicIpOnLaunch", unless(side == "Public", false)}, r.tagged(name),
	})
	r.add(id+"RouteTable", "AWS::EC2::RouteTable", Object{{"VpcId", ref("Vpc")}, r.tagged(name)})
	r.add(id+"RouteTableAssociation", "AWS::EC2::SubnetRouteTableAssociation", Object{{"SubnetId", ref(id)}, {"RouteTableId", ref(id + "RouteTable")}})
	return id
}

func natID(i int) string { return fmt.Sprintf("NatGateway%d", i+1) }

func (r *renderer) nat(i int) {
	id, name := natID(i), fmt.Sprintf("nat-%d", i+1)
	// An address of a VPC can be taken only while an internet gateway is attached, and must be given back before it is detached.
	r.add(id+"Address", "AWS::EC2::EIP", Object{{"Domain", "vpc"}, r.tagged(name)}, "InternetGatewayAttachment")
	r.add(id, "AWS::EC2::NatGateway", Object{
		{"AllocationId", attribute(id+"Address", "AllocationId")}, {"SubnetId", ref(r.public[i])}, r.tagged(name),
	}, r.public[i]+"DefaultRoute", r.public[i]+"RouteTableAssociation")
}

// subnet is the n-th range of a VPC's range: eight bits longer than it, /28 at most.
func subnet(cidr string, n int) string {
	p := netip.MustParsePrefix(cidr) // the manifest is checked
	bits := min(p.Bits()+8, 28)
	base := p.Addr().As4()
	address := binary.BigEndian.Uint32(base[:]) + uint32(n)<<(32-bits)
	return netip.PrefixFrom(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, address))), bits).String()
}
