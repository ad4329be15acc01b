package elbv2

import (
	"context"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// balancerProperties are those of AWS::ElasticLoadBalancingV2::LoadBalancer. Ref is the ARN.
type balancerProperties struct {
	Name                   string `cfn:"createOnly"`
	Scheme                 string `cfn:"createOnly"`
	Type                   string `cfn:"createOnly"`
	IpAddressType          string
	Subnets                []string
	SubnetMappings         []elbv2api.SubnetMapping
	SecurityGroups         []string `cfn:"attribute"`
	LoadBalancerAttributes []elbv2api.LoadBalancerAttribute
	Tags                   []cfn.Tag
	LoadBalancerArn        string `cfn:"id,readOnly"`
	DNSName                string `cfn:"readOnly"`
	LoadBalancerFullName   string `cfn:"readOnly"`
	LoadBalancerName       string `cfn:"readOnly"`
	CanonicalHostedZoneID  string `cfn:"readOnly"`
}

type balancerResource struct{ *Service }

func (r balancerResource) Create(ctx context.Context, p *balancerProperties) error {
	req, _ := cfn.From(ctx)
	if p.Name == "" {
		p.Name = req.Name(32)
	}
	out, err := r.CreateLoadBalancer(ctx, &elbv2api.CreateLoadBalancerInput{
		Name: &p.Name, Scheme: elbv2api.LoadBalancerSchemeEnum(p.Scheme), Type: elbv2api.LoadBalancerTypeEnum(p.Type), IpAddressType: elbv2api.IpAddressType(p.IpAddressType),
		Subnets: p.Subnets, SubnetMappings: p.SubnetMappings, SecurityGroups: p.SecurityGroups, Tags: tagset.List[elbv2api.Tag](req.AllTags(p.Tags)),
	})
	if err != nil {
		return err
	}
	p.LoadBalancerArn = *out.LoadBalancers[0].LoadBalancerArn
	if len(p.LoadBalancerAttributes) > 0 {
		if _, err := r.ModifyLoadBalancerAttributes(ctx, &elbv2api.ModifyLoadBalancerAttributesInput{LoadBalancerArn: &p.LoadBalancerArn, Attributes: p.LoadBalancerAttributes}); err != nil {
			return err
		}
	}
	return r.Read(ctx, p)
}

func (r balancerResource) Read(_ context.Context, p *balancerProperties) error {
	b, err := LoadBalancers.Get(r.store.Snapshot(), p.LoadBalancerArn)
	if err != nil {
		return store.ErrNotFound
	}
	p.Name, p.LoadBalancerName, p.Scheme, p.Type, p.IpAddressType = b.Name, b.Name, string(b.Scheme), "application", "ipv4"
	p.SecurityGroups, p.DNSName, p.CanonicalHostedZoneID = b.SecurityGroups, b.DNSName, zoneID
	p.LoadBalancerFullName = fullName(b.ARN, "loadbalancer/")
	for i, a := range p.LoadBalancerAttributes {
		p.LoadBalancerAttributes[i].Value = new(valueOf(balancerAttributes, b.Attributes, val(a.Key)))
	}
	p.Subnets, p.Tags = nil, cfn.TagsOf(b.Tags)
	for _, n := range b.Nodes {
		p.Subnets = append(p.Subnets, n.Subnet)
	}
	return nil
}

// fullName is the part of an ARN that CloudWatch uses as a dimension:
// app/name/id of a load balancer, targetgroup/name/id of a target group.
func fullName(id, cut string) string {
	return strings.TrimPrefix(id[strings.LastIndexByte(id, ':')+1:], cut)
}

func (r balancerResource) Update(ctx context.Context, before, after *balancerProperties) error {
	id := &after.LoadBalancerArn
	if len(after.SecurityGroups) > 0 && !slices.Equal(before.SecurityGroups, after.SecurityGroups) {
		if _, err := r.SetSecurityGroups(ctx, &elbv2api.SetSecurityGroupsInput{LoadBalancerArn: id, SecurityGroups: after.SecurityGroups}); err != nil {
			return err
		}
	}
	if !slices.Equal(before.Subnets, after.Subnets) || len(after.SubnetMappings) > 0 {
		if _, err := r.SetSubnets(ctx, &elbv2api.SetSubnetsInput{LoadBalancerArn: id, Subnets: after.Subnets, SubnetMappings: after.SubnetMappings}); err != nil {
			return err
		}
	}
	attributes := resets(before.LoadBalancerAttributes, after.LoadBalancerAttributes, balancerAttributes,
		func(a elbv2api.LoadBalancerAttribute) string { return val(a.Key) },
		func(k, v string) elbv2api.LoadBalancerAttribute {
			return elbv2api.LoadBalancerAttribute{Key: &k, Value: &v}
		})
	if len(attributes) > 0 {
		if _, err := r.ModifyLoadBalancerAttributes(ctx, &elbv2api.ModifyLoadBalancerAttributesInput{LoadBalancerArn: id, Attributes: attributes}); err != nil {
			return err
		}
	}
	return r.setTags(ctx, *id, after.Tags)
}

// Settled is true once the load balancer is active.
func (r balancerResource) Settled(_ context.Context, p *balancerProperties) (bool, error) {
	b, err := LoadBalancers.Get(r.store.Snapshot(), p.LoadBalancerArn)
	if err != nil {
		return false, store.ErrNotFound
	}
	return b.State == "active", nil
}

func (r balancerResource) Delete(ctx context.Context, p *balancerProperties) error {
	_, err := r.DeleteLoadBalancer(ctx, &elbv2api.DeleteLoadBalancerInput{LoadBalancerArn: &p.LoadBalancerArn})
	return err
}

// resets is after, with the defaults of what only before had.
func resets[A any](before, after []A, known []attribute, key func(A) string, build func(k, v string) A) []A {
	out := slices.Clone(after)
	for _, a := range before {
		if k := key(a); !slices.ContainsFunc(after, func(b A) bool { return key(b) == k }) {
			out = append(out, build(k, valueOf(known, nil, k)))
		}
	}
	return out
}

// setTags makes a resource's tags the stack's and its own.
func (s *Service) setTags(ctx context.Context, id string, own []cfn.Tag) error {
	req, _ := cfn.From(ctx)
	return s.retag(ctx, []string{id}, func(m map[string]string) {
		clear(m)
		for k, v := range req.AllTags(own) {
			m[k] = v
		}
	})
}
