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
	Id                string `cfn:"id,kept"`             //nolint:revive // AWS's name
	VpcId             string `cfn:"required,createOnly"` //nolint:revive // AWS's name
	InternetGatewayId string //nolint:revive // AWS's name
	AttachmentType    string `cfn:"readOnly"`
}

type gatewayAttachments struct{ s *Service }

func (h gatewayAttachments) Create(ctx context.Context, p *gatewayAttachmentProps) error {
	_, err := h.s.AttachInternetGateway(ctx, &ec2api.AttachInternetGatewayInput{VpcId: &p.VpcId, InternetGatewayId: opt(p.InternetGatewayId)})
	if err != nil && h.attached(ctx, p) != nil { // attached already: by us, before a restart
		return err
	}
	p.Id, p.AttachmentType = "IGW|"+p.VpcId, "IGW"
	return nil
}

// Update puts another gateway in the place of the one before. It looks at what is attached, and not at before, so that it also mends what an update that
// failed half-way has left.
func (h gatewayAttachments) Update(ctx context.Context, _, after *gatewayAttachmentProps) error {
	if h.attached(ctx, after) == nil {
		return nil
	}
	if _, err := internetGatewayKind.get(h.s.store.Snapshot(), scopeOf(ctx), after.InternetGatewayId); err != nil {
		return err
	}
	for g := range internetGatewayKind.list(h.s.store.Snapshot(), scopeOf(ctx)) {
		if g.VPC != after.VpcId {
			continue
		}
		if err := h.Delete(ctx, &gatewayAttachmentProps{VpcId: g.VPC, InternetGatewayId: g.ID}); err != nil {
			return err
		}
	}
	return h.Create(ctx, after)
}

func (h gatewayAttachments) attached(ctx context.Context, p *gatewayAttachmentProps) error {
	g, err := internetGatewayKind.get(h.s.store.Snapshot(), scopeOf(ctx), p.InternetGatewayId)
	if err == nil && g.VPC != p.VpcId {
		err = store.ErrNotFound
	}
	return err
}

func (h gatewayAttachments) Read(ctx context.Context, p *gatewayAttachmentProps) error {
	p.AttachmentType = "IGW"
	return h.attached(ctx, p)
}

func (h gatewayAttachments) Delete(ctx context.Context, p *gatewayAttachmentProps) error {
	err := ifThere(h.s.DetachInternetGateway(ctx, &ec2api.DetachInternetGatewayInput{VpcId: &p.VpcId, InternetGatewayId: &p.InternetGatewayId}))
	if errors.Is(err, &awsapi.Error{Code: "Gateway.NotAttached"}) {
		return nil
	}
	return err
}
