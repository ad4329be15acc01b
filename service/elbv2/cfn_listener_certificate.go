package elbv2

import (
	"context"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/store"
)

// certificateProperties are those of AWS::ElasticLoadBalancingV2::ListenerCertificate.
// The physical id is made of the listener's ARN and the certificates'.
type certificateProperties struct {
	ListenerArn  string                 `cfn:"createOnly,required"`
	Certificates []elbv2api.Certificate `cfn:"createOnly,required"`
	Id           string                 `cfn:"id,readOnly"`
}

type certificateResource struct{ *Service }

func (r certificateResource) Create(ctx context.Context, p *certificateProperties) error {
	if _, err := r.AddListenerCertificates(ctx, &elbv2api.AddListenerCertificatesInput{ListenerArn: &p.ListenerArn, Certificates: p.Certificates}); err != nil {
		return err
	}
	ids := []string{p.ListenerArn}
	for _, c := range p.Certificates {
		ids = append(ids, val(c.CertificateArn))
	}
	p.Id = strings.Join(ids, "|")
	return nil
}

func (r certificateResource) Read(_ context.Context, p *certificateProperties) error {
	ids := strings.Split(p.Id, "|")
	l, err := Listeners.Get(r.store.Snapshot(), ids[0])
	if err != nil {
		return store.ErrNotFound
	}
	p.ListenerArn, p.Certificates = l.ARN, nil
	for _, id := range ids[1:] {
		if slices.Contains(l.Certificates, id) {
			p.Certificates = append(p.Certificates, elbv2api.Certificate{CertificateArn: new(id)})
		}
	}
	if len(p.Certificates) == 0 {
		return store.ErrNotFound
	}
	return nil
}

func (r certificateResource) Delete(ctx context.Context, p *certificateProperties) error {
	_, err := r.RemoveListenerCertificates(ctx, &elbv2api.RemoveListenerCertificatesInput{ListenerArn: &p.ListenerArn, Certificates: p.Certificates})
	return ignore(err, "ListenerNotFound")
}
