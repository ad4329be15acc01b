package elbv2

import (
	"context"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// groupProperties are those of AWS::ElasticLoadBalancingV2::TargetGroup. Ref is the ARN.
type groupProperties struct {
	Name                       string  `cfn:"createOnly"`
	Port                       *int32  `cfn:"createOnly"`
	Protocol                   string  `cfn:"createOnly"`
	ProtocolVersion            *string `cfn:"createOnly"`
	TargetType                 string  `cfn:"createOnly"`
	VpcId                      *string `cfn:"createOnly"`
	IpAddressType              string  `cfn:"createOnly"`
	HealthCheckEnabled         *bool
	HealthCheckIntervalSeconds *int32
	HealthCheckPath            *string
	HealthCheckPort            *string
	HealthCheckProtocol        string
	HealthCheckTimeoutSeconds  *int32
	HealthyThresholdCount      *int32
	UnhealthyThresholdCount    *int32
	Matcher                    *elbv2api.Matcher
	TargetGroupAttributes      []elbv2api.TargetGroupAttribute
	Targets                    []elbv2api.TargetDescription
	Tags                       []cfn.Tag
	TargetGroupArn             string   `cfn:"id,readOnly"`
	TargetGroupFullName        string   `cfn:"readOnly"`
	TargetGroupName            string   `cfn:"readOnly"`
	LoadBalancerArns           []string `cfn:"readOnly"`
}

type groupResource struct{ *Service }

func (r groupResource) Create(ctx context.Context, p *groupProperties) error {
	req, _ := cfn.From(ctx)
	if p.Name == "" {
		p.Name = req.Name(32)
	}
	out, err := r.CreateTargetGroup(ctx, &elbv2api.CreateTargetGroupInput{
		Name: &p.Name, Port: p.Port, Protocol: elbv2api.ProtocolEnum(p.Protocol), ProtocolVersion: p.ProtocolVersion, TargetType: elbv2api.TargetTypeEnum(p.TargetType),
		VpcId: p.VpcId, HealthCheckEnabled: p.HealthCheckEnabled, HealthCheckIntervalSeconds: p.HealthCheckIntervalSeconds, HealthCheckPath: p.HealthCheckPath,
		HealthCheckPort: p.HealthCheckPort, HealthCheckProtocol: elbv2api.ProtocolEnum(p.HealthCheckProtocol), HealthCheckTimeoutSeconds: p.HealthCheckTimeoutSeconds,
		HealthyThresholdCount: p.HealthyThresholdCount, UnhealthyThresholdCount: p.UnhealthyThresholdCount, Matcher: p.Matcher,
		IpAddressType: elbv2api.TargetGroupIpAddressTypeEnum(p.IpAddressType), Tags: tagset.List[elbv2api.Tag](req.AllTags(p.Tags)),
	})
	if err != nil {
		return err
	}
	g := out.TargetGroups[0]
	p.TargetGroupArn, p.TargetGroupName = *g.TargetGroupArn, *g.TargetGroupName
	p.TargetGroupFullName = fullName(p.TargetGroupArn, "")
	if len(p.TargetGroupAttributes) > 0 {
		if _, err := r.ModifyTargetGroupAttributes(ctx, &elbv2api.ModifyTargetGroupAttributesInput{TargetGroupArn: &p.TargetGroupArn, Attributes: p.TargetGroupAttributes}); err != nil {
			return err
		}
	}
	if len(p.Targets) > 0 {
		_, err = r.RegisterTargets(ctx, &elbv2api.RegisterTargetsInput{TargetGroupArn: &p.TargetGroupArn, Targets: p.Targets})
	}
	return err
}

func (r groupResource) Read(_ context.Context, p *groupProperties) error {
	snap := r.store.Snapshot()
	row, err := TargetGroups.Get(snap, p.TargetGroupArn)
	if err != nil {
		return store.ErrNotFound
	}
	g := row.api(snap)
	p.Name, p.TargetGroupName, p.TargetGroupFullName = row.Name, row.Name, fullName(row.ARN, "")
	p.Port, p.Protocol, p.ProtocolVersion, p.VpcId, p.TargetType, p.IpAddressType = g.Port, string(g.Protocol), g.ProtocolVersion, g.VpcId, string(g.TargetType), "ipv4"
	p.HealthCheckEnabled, p.HealthCheckIntervalSeconds, p.HealthCheckPath, p.HealthCheckPort = g.HealthCheckEnabled, g.HealthCheckIntervalSeconds, g.HealthCheckPath, g.HealthCheckPort
	p.HealthCheckProtocol, p.HealthCheckTimeoutSeconds = string(g.HealthCheckProtocol), g.HealthCheckTimeoutSeconds
	p.HealthyThresholdCount, p.UnhealthyThresholdCount, p.Matcher = g.HealthyThresholdCount, g.UnhealthyThresholdCount, g.Matcher
	p.LoadBalancerArns, p.Tags = g.LoadBalancerArns, cfn.TagsOf(row.Tags)
	for i, a := range p.TargetGroupAttributes {
		p.TargetGroupAttributes[i].Value = new(row.attribute(val(a.Key)))
	}
	return nil
}

func (r groupResource) Update(ctx context.Context, before, after *groupProperties) error {
	id := &after.TargetGroupArn
	_, err := r.ModifyTargetGroup(ctx, &elbv2api.ModifyTargetGroupInput{
		TargetGroupArn: id, HealthCheckEnabled: after.HealthCheckEnabled, HealthCheckIntervalSeconds: after.HealthCheckIntervalSeconds, HealthCheckPath: after.HealthCheckPath,
		HealthCheckPort: after.HealthCheckPort, HealthCheckProtocol: elbv2api.ProtocolEnum(after.HealthCheckProtocol), HealthCheckTimeoutSeconds: after.HealthCheckTimeoutSeconds,
		HealthyThresholdCount: after.HealthyThresholdCount, UnhealthyThresholdCount: after.UnhealthyThresholdCount, Matcher: after.Matcher,
	})
	if err != nil {
		return err
	}
	attributes := resets(before.TargetGroupAttributes, after.TargetGroupAttributes, groupAttributes,
		func(a elbv2api.TargetGroupAttribute) string { return val(a.Key) },
		func(k, v string) elbv2api.TargetGroupAttribute {
			return elbv2api.TargetGroupAttribute{Key: &k, Value: &v}
		})
	if len(attributes) > 0 {
		if _, err := r.ModifyTargetGroupAttributes(ctx, &elbv2api.ModifyTargetGroupAttributesInput{TargetGroupArn: id, Attributes: attributes}); err != nil {
			return err
		}
	}
	if err := r.moveTargets(ctx, id, before.Targets, after.Targets); err != nil {
		return err
	}
	return r.setTags(ctx, *id, after.Tags)
}

// moveTargets registers what is new in the template and deregisters what
// left it; what others registered stays.
func (r groupResource) moveTargets(ctx context.Context, id *string, before, after []elbv2api.TargetDescription) error {
	has := func(list []elbv2api.TargetDescription, t elbv2api.TargetDescription) bool {
		for _, u := range list {
			if val(u.Id) == val(t.Id) && val(u.Port) == val(t.Port) {
				return true
			}
		}
		return false
	}
	var gone []elbv2api.TargetDescription
	for _, t := range before {
		if !has(after, t) {
			gone = append(gone, t)
		}
	}
	if len(gone) > 0 {
		if _, err := r.DeregisterTargets(ctx, &elbv2api.DeregisterTargetsInput{TargetGroupArn: id, Targets: gone}); err != nil {
			return err
		}
	}
	if len(after) == 0 {
		return nil
	}
	_, err := r.RegisterTargets(ctx, &elbv2api.RegisterTargetsInput{TargetGroupArn: id, Targets: after})
	return err
}

func (r groupResource) Delete(ctx context.Context, p *groupProperties) error {
	_, err := r.DeleteTargetGroup(ctx, &elbv2api.DeleteTargetGroupInput{TargetGroupArn: &p.TargetGroupArn})
	return err
}
