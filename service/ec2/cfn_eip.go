package ec2

import (
	"context"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// eipProps is AWS::EC2::EIP. Its id is the public address.
type eipProps struct {
	PublicIp           string `cfn:"id,readOnly"` //nolint:revive // AWS's name
	Domain             string
	NetworkBorderGroup string `cfn:"createOnly"`
	PublicIpv4Pool     string
	Tags               []cfn.Tag
	AllocationId       string `cfn:"readOnly"` //nolint:revive // AWS's name
}

type eips struct{ s *Service }

var _ cfn.Updater[eipProps] = eips{}

func (h eips) Create(ctx context.Context, p *eipProps) error {
	out, err := h.s.AllocateAddress(ctx, &ec2api.AllocateAddressInput{Domain: "vpc", TagSpecifications: stackTags(ctx, "elastic-ip", p.Tags)})
	if err != nil {
		return err
	}
	p.PublicIp, p.AllocationId = *out.PublicIp, *out.AllocationId
	return nil
}

func (h eips) Read(ctx context.Context, p *eipProps) error {
	for a := range addressKind.list(h.s.store.Snapshot(), scopeOf(ctx)) {
		if a.IP == p.PublicIp {
			p.AllocationId, p.Domain, p.Tags = a.ID, "vpc", cfnTags(a.Tags)
			return nil
		}
	}
	return store.ErrNotFound
}

func (h eips) Update(ctx context.Context, _, after *eipProps) error {
	return setTags(ctx, h.s, addressKind, after.AllocationId, after.Tags)
}

func (h eips) Delete(ctx context.Context, p *eipProps) error {
	if p.AllocationId == "" {
		if h.Read(ctx, p) != nil {
			return nil
		}
	}
	return ifThere(h.s.ReleaseAddress(ctx, &ec2api.ReleaseAddressInput{AllocationId: &p.AllocationId}))
}
