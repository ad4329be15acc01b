package ec2

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// vpcEndpointProps is AWS::EC2::VPCEndpoint.
type vpcEndpointProps struct {
	Id                  string `cfn:"id,readOnly"`         //nolint:revive // AWS's name
	VpcId               string `cfn:"required,createOnly"` //nolint:revive // AWS's name
	ServiceName         string `cfn:"createOnly"`
	VpcEndpointType     string `cfn:"createOnly"`
	PolicyDocument      any
	PrivateDnsEnabled   *bool
	RouteTableIds       []string
	SecurityGroupIds    []string
	SubnetIds           []string
	Tags                []cfn.Tag
	CreationTimestamp   string   `cfn:"readOnly"`
	DnsEntries          []string `cfn:"readOnly"`
	NetworkInterfaceIds []string `cfn:"readOnly"`
}

// policy is the policy document as text; absent: nil.
func (p *vpcEndpointProps) policy() (*string, error) {
	if p.PolicyDocument == nil {
		return nil, nil
	}
	if text, ok := p.PolicyDocument.(string); ok {
		return &text, nil
	}
	b, err := json.Marshal(p.PolicyDocument)
	return new(string(b)), err
}

type vpcEndpoints struct{ s *Service }

var (
	_ cfn.Updater[vpcEndpointProps] = vpcEndpoints{}
	_ cfn.Settler[vpcEndpointProps] = vpcEndpoints{}
)

func (h vpcEndpoints) Create(ctx context.Context, p *vpcEndpointProps) error {
	policy, err := p.policy()
	if err != nil {
		return err
	}
	private := p.PrivateDnsEnabled
	if private == nil {
		private = new(false) // unlike the API's default
	}
	out, err := h.s.CreateVpcEndpoint(ctx, &ec2api.CreateVpcEndpointInput{
		VpcId: &p.VpcId, ServiceName: opt(p.ServiceName), VpcEndpointType: ec2api.VpcEndpointType(p.VpcEndpointType), PolicyDocument: policy, PrivateDnsEnabled: private,
		RouteTableIds: p.RouteTableIds, SecurityGroupIds: p.SecurityGroupIds, SubnetIds: p.SubnetIds, TagSpecifications: stackTags(ctx, "vpc-endpoint", p.Tags),
	})
	if err != nil {
		return err
	}
	p.Id = *out.VpcEndpoint.VpcEndpointId
	return h.attributes(ctx, p)
}

func (h vpcEndpoints) attributes(ctx context.Context, p *vpcEndpointProps) error {
	snap := h.s.store.Snapshot()
	e, err := endpointKind.get(snap, scopeOf(ctx), p.Id)
	if err != nil {
		return err
	}
	p.CreationTimestamp, p.NetworkInterfaceIds, p.DnsEntries = e.Created.Format(time.RFC3339), e.Interfaces, nil
	for _, d := range e.api(snap).DnsEntries {
		p.DnsEntries = append(p.DnsEntries, *d.HostedZoneId+":"+*d.DnsName)
	}
	return nil
}

func (h vpcEndpoints) Settled(ctx context.Context, p *vpcEndpointProps) (bool, error) {
	e, err := endpointKind.get(h.s.store.Snapshot(), scopeOf(ctx), p.Id)
	return e.State == "available", err
}

func (h vpcEndpoints) Read(ctx context.Context, p *vpcEndpointProps) error {
	e, err := endpointKind.get(h.s.store.Snapshot(), scopeOf(ctx), p.Id)
	if err != nil {
		return err
	}
	p.VpcId, p.ServiceName, p.VpcEndpointType, p.RouteTableIds, p.SubnetIds, p.SecurityGroupIds, p.Tags = e.VPC, e.Service, e.Type, e.RouteTables, e.Subnets, e.Groups, cfnTags(e.Tags)
	p.PrivateDnsEnabled, p.PolicyDocument = &e.PrivateDNS, nil
	if e.Policy != openPolicy {
		if err := json.Unmarshal([]byte(e.Policy), &p.PolicyDocument); err != nil {
			p.PolicyDocument = e.Policy
		}
	}
	return h.attributes(ctx, p)
}

func (h vpcEndpoints) Update(ctx context.Context, before, after *vpcEndpointProps) error {
	policy, err := after.policy()
	if err != nil {
		return err
	}
	in := &ec2api.ModifyVpcEndpointInput{VpcEndpointId: &after.Id, PolicyDocument: policy, ResetPolicy: new(policy == nil), PrivateDnsEnabled: new(val(after.PrivateDnsEnabled))}
	in.AddRouteTableIds, in.RemoveRouteTableIds = difference(after.RouteTableIds, before.RouteTableIds)
	in.AddSubnetIds, in.RemoveSubnetIds = difference(after.SubnetIds, before.SubnetIds)
	in.AddSecurityGroupIds, in.RemoveSecurityGroupIds = difference(after.SecurityGroupIds, before.SecurityGroupIds)
	if _, err := h.s.ModifyVpcEndpoint(ctx, in); err != nil {
		return err
	}
	if err := setTags(ctx, h.s, endpointKind, after.Id, after.Tags); err != nil {
		return err
	}
	return h.attributes(ctx, after)
}

// difference is what a has and b has not, and the other way round.
func difference(a, b []string) (more, less []string) {
	in := func(list []string) func(string) bool {
		return func(v string) bool { return slices.Contains(list, v) }
	}
	return slices.DeleteFunc(slices.Clone(a), in(b)), slices.DeleteFunc(slices.Clone(b), in(a))
}

func (h vpcEndpoints) Delete(ctx context.Context, p *vpcEndpointProps) error {
	_, err := h.s.DeleteVpcEndpoints(ctx, &ec2api.DeleteVpcEndpointsInput{VpcEndpointIds: []string{p.Id}})
	return err
}
