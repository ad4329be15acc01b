package ec2

import (
	"context"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/store"
)

// vpcCIDRBlockProps is AWS::EC2::VPCCidrBlock.
type vpcCIDRBlockProps struct {
	Id        string `cfn:"id,readOnly"`         //nolint:revive // AWS's name
	VpcId     string `cfn:"required,createOnly"` //nolint:revive // AWS's name
	CidrBlock string `cfn:"createOnly"`
}

type vpcCIDRBlocks struct{ s *Service }

func (h vpcCIDRBlocks) Create(ctx context.Context, p *vpcCIDRBlockProps) error {
	out, err := h.s.AssociateVpcCidrBlock(ctx, &ec2api.AssociateVpcCidrBlockInput{VpcId: &p.VpcId, CidrBlock: opt(p.CidrBlock)})
	if err != nil {
		return err
	}
	p.Id = *out.CidrBlockAssociation.AssociationId
	return nil
}

func (h vpcCIDRBlocks) Read(ctx context.Context, p *vpcCIDRBlockProps) error {
	for v := range vpcKind.list(h.s.store.Snapshot(), scopeOf(ctx)) {
		for _, c := range v.CIDRs {
			if c.AssociationID == p.Id {
				p.VpcId, p.CidrBlock = v.ID, c.Block
				return nil
			}
		}
	}
	return store.ErrNotFound
}

func (h vpcCIDRBlocks) Delete(ctx context.Context, p *vpcCIDRBlockProps) error {
	return ifThere(h.s.DisassociateVpcCidrBlock(ctx, &ec2api.DisassociateVpcCidrBlockInput{AssociationId: &p.Id}))
}
