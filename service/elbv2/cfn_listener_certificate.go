package elbv2

import (
	"context"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/store"
)

// certificateProperties are those of AWS::ElasticLoadBalancingV2::ListenerCertificate.
// The physical id is made of the listener's ARN and the first certificates'.
type certificateProperties struct {
	ListenerArn  string                 `cfn:"createOnly,required"`
	Certificates []elbv2api.Certificate `cfn:"required"`
	Id           string                 `cfn:"id,readOnly"`
}

type certificateResource struct{ *Service }

func (r certificateResource) Create(ctx context.Context, p *certificateProperties) error {
	if _, err := r.AddListenerCertificates(ctx, &elbv2api.AddListenerCertificatesInput{ListenerArn: &p.ListenerArn, Certificates: p.Certificates}); err != nil {
		return err
	}
	p.Id = strings.Join(append([]string{p.ListenerArn}, arns(p.Certificates)...), "|")
	return nil
}

func arns(certificates []elbv2api.Certificate) []string {
	var out []string
	for _, c := range certificates {
		out = append(out, val(c.CertificateArn))
	}
	return out
}

// Update adds what is new before it removes what is not wanted any more.
func (r certificateResource) Update(ctx context.Context, before, after *certificateProperties) error {
	if _, err := r.AddListenerCertificates(ctx, &elbv2api.AddListenerCertificatesInput{ListenerArn: &after.ListenerArn, Certificates: after.Certificates}); err != nil {
		return err
	}
	kept := arns(after.Certificates)
	gone := slices.DeleteFunc(slices.Clone(before.Certificates), func(c elbv2api.Certificate) bool { return slices.Contains(kept, val(c.CertificateArn)) })
	if len(gone) == 0 {
		return nil
	}
	_, err := r.RemoveListenerCertificates(ctx, &elbv2api.RemoveListenerCertificatesInput{ListenerArn: &after.ListenerArn, Certificates: gone})
	return err
}

func (r certificateResource) Read(_ context.Context, p *certificateProperties) error {
	ids := strings.Split(p.Id, "|")
	l, err := Listeners.Get(r.store.Snapshot(), ids[0])
	if err != nil {
		return store.ErrNotFound
	}
	if len(p.Certificates) > 0 { // an update may have changed them
		ids = append(ids[:1], arns(p.Certificates)...)
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
