package ec2

import (
	"context"
	"errors"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// gatewayAttachmentProps is AWS::EC2::VPCGatewayAttachment. Its id is "IGW|<vpc>".
type gatewayAttachmentProps struct {
	Id                string `cfn:"id,readOnly"`         //nolint:revive // AWS's name
	VpcId             string `cfn:"required,createOnly"` //nolint:revive // AWS's name
	InternetGatewayId string `cfn:"required,createOnly"` //nolint:revive // AWS's name
}

type gatewayAttachments struct{ s *Service }

func (h gatewayAttachments) Create(ctx context.Context, p *gatewayAttachmentProps) error {
	_, err := h.s.AttachInternetGateway(ctx, &ec2api.AttachInternetGatewayInput{VpcId: &p.VpcId, InternetGatewayId: &p.InternetGatewayId})
	if err != nil && h.attached(ctx, p) != nil { // attached already: by us, before a restart
		return err
	}
	p.Id = "IGW|" + p.VpcId
	return nil
}

func (h gatewayAttachments) attached(ctx context.Context, p *gatewayAttachmentProps) error {
	g, err := internetGatewayKind.get(h.s.store.Snapshot(), scopeOf(ctx), p.InternetGatewayId)
	if err == nil && g.VPC != p.VpcId {
		err = store.ErrNotFound
	}
	return err
}

func (h gatewayAttachments) Read(ctx context.Context, p *gatewayAttachmentProps) error {
	return h.attached(ctx, p)
}

func (h gatewayAttachments) Delete(ctx context.Context, p *gatewayAttachmentProps) error {
	err := ifThere(h.s.DetachInternetGateway(ctx, &ec2api.DetachInternetGatewayInput{VpcId: &p.VpcId, InternetGatewayId: &p.InternetGatewayId}))
	if errors.Is(err, &awsapi.Error{Code: "Gateway.NotAttached"}) {
		return nil
	}
	return err
}
