package synth

import (
	"strings"

	"github.com/slipway-dev/slipway/manifest"
)

// endpoints renders the ways to AWS's own services that do not leave the VPC: gateway endpoints in the route table and
// interface endpoints in the range of every private subnet, where the tasks are.
func (r *renderer) endpoints() {
	var tables []any
	for _, id := range r.private {
		tables = append(tables, ref(id+"RouteTable"))
	}
	guarded := false
	for _, service := range r.m.Network.Endpoints {
		id := manifest.Camel(service) + "Endpoint"
		properties := Object{{"VpcId", ref("Vpc")}, {"ServiceName", sub("com.amazonaws.${AWS::Region}." + service)}}
		if service == "s3" || service == "dynamodb" {
			properties = append(properties, Field{"RouteTableIds", tables})
		} else {
			if !guarded {
				r.endpointGroup()
				guarded = true
			}
			properties = append(
				properties, Field{"VpcEndpointType", "Interface"}, Field{"PrivateDnsEnabled", true},
				Field{"SubnetIds", refs(r.private)}, Field{"SecurityGroupIds", []any{ref("EndpointSecurityGroup")}},
			)
		}
		r.add(id, "AWS::EC2::VPCEndpoint", append(properties, r.tagged(strings.ReplaceAll(service, ".", "-"))))
		r.outward = append(r.outward, id)
	}
}

func (r *renderer) endpointGroup() {
	r.add("EndpointSecurityGroup", "AWS::EC2::SecurityGroup", Object{
		{"GroupDescription", "VPC endpoints: HTTPS from the VPC"},
		{"VpcId", ref("Vpc")},
		{"SecurityGroupIngress", []Object{{
			{"IpProtocol", "tcp"}, {"FromPort", 443}, {"ToPort", 443}, {"CidrIp", attribute("Vpc", "CidrBlock")},
		}}},
		r.tagged("endpoints"),
	})
}
