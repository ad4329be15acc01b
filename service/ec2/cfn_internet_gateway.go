package ec2

import (
	"context"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// internetGatewayProps is AWS::EC2::InternetGateway.
type internetGatewayProps struct {
	InternetGatewayId string `cfn:"id,readOnly"` //nolint:revive // AWS's name
	Tags              []cfn.Tag
}

type internetGateways struct{ s *Service }

var _ cfn.Updater[internetGatewayProps] = internetGateways{}

func (h internetGateways) Create(ctx context.Context, p *internetGatewayProps) error {
	out, err := h.s.CreateInternetGateway(ctx, &ec2api.CreateInternetGatewayInput{TagSpecifications: stackTags(ctx, "internet-gateway", p.Tags)})
	if err != nil {
		return err
	}
	p.InternetGatewayId = *out.InternetGateway.InternetGatewayId
	return nil
}

func (h internetGateways) Read(ctx context.Context, p *internetGatewayProps) error {
	g, err := internetGatewayKind.get(h.s.store.Snapshot(), scopeOf(ctx), p.InternetGatewayId)
	if err != nil {
		return err
	}
	p.Tags = cfnTags(g.Tags)
	return nil
}

func (h internetGateways) Update(ctx context.Context, _, after *internetGatewayProps) error {
	return setTags(ctx, h.s, internetGatewayKind, after.InternetGatewayId, after.Tags)
}

func (h internetGateways) Delete(ctx context.Context, p *internetGatewayProps) error {
	return ifThere(h.s.DeleteInternetGateway(ctx, &ec2api.DeleteInternetGatewayInput{InternetGatewayId: &p.InternetGatewayId}))
}
