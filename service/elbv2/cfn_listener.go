package elbv2

import (
	"context"
	"errors"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// listenerProperties are those of AWS::ElasticLoadBalancingV2::Listener. Ref is the ARN.
type listenerProperties struct {
	LoadBalancerArn      string `cfn:"createOnly,required"`
	Port                 *int32
	Protocol             string
	SslPolicy            *string
	Certificates         []elbv2api.Certificate
	DefaultActions       []elbv2api.Action `cfn:"required"`
	AlpnPolicy           []string
	MutualAuthentication *elbv2api.MutualAuthenticationAttributes
	ListenerAttributes   []elbv2api.ListenerAttribute
	ListenerArn          string `cfn:"id,readOnly"`
}

type listenerResource struct{ *Service }

func (r listenerResource) Create(ctx context.Context, p *listenerProperties) error {
	req, _ := cfn.From(ctx)
	out, err := r.CreateListener(ctx, &elbv2api.CreateListenerInput{
		LoadBalancerArn: &p.LoadBalancerArn, Port: p.Port, Protocol: elbv2api.ProtocolEnum(p.Protocol), SslPolicy: p.SslPolicy, Certificates: p.Certificates,
		DefaultActions: p.DefaultActions, AlpnPolicy: p.AlpnPolicy, MutualAuthentication: p.MutualAuthentication, Tags: tagset.List[elbv2api.Tag](req.AllTags(nil)),
	})
	if err != nil {
		return err
	}
	p.ListenerArn = *out.Listeners[0].ListenerArn
	if len(p.ListenerAttributes) > 0 {
		_, err = r.ModifyListenerAttributes(ctx, &elbv2api.ModifyListenerAttributesInput{ListenerArn: &p.ListenerArn, Attributes: p.ListenerAttributes})
	}
	return err
}

func (r listenerResource) Read(_ context.Context, p *listenerProperties) error {
	snap := r.store.Snapshot()
	l, err := Listeners.Get(snap, p.ListenerArn)
	if err != nil {
		return store.ErrNotFound
	}
	p.LoadBalancerArn, p.Port, p.Protocol = l.LoadBalancerARN, new(int32(l.Port)), string(l.Protocol)
	for i, a := range p.ListenerAttributes {
		p.ListenerAttributes[i].Value = new(valueOf(listenerAttributes, l.Attributes, val(a.Key)))
	}
	if d, ok := defaultRule(snap, l.ARN); ok {
		p.DefaultActions = d.Actions
	}
	if l.Protocol == "HTTPS" {
		p.SslPolicy, p.Certificates = new(l.SSLPolicy), []elbv2api.Certificate{{CertificateArn: new(l.Certificates[0])}}
	}
	return nil
}

func (r listenerResource) Update(ctx context.Context, before, after *listenerProperties) error {
	_, err := r.ModifyListener(ctx, &elbv2api.ModifyListenerInput{
		ListenerArn: &after.ListenerArn, Port: after.Port, Protocol: elbv2api.ProtocolEnum(after.Protocol), SslPolicy: after.SslPolicy,
		Certificates: after.Certificates, DefaultActions: after.DefaultActions, AlpnPolicy: after.AlpnPolicy, MutualAuthentication: after.MutualAuthentication,
	})
	if err != nil {
		return err
	}
	attributes := resets(before.ListenerAttributes, after.ListenerAttributes, listenerAttributes,
		func(a elbv2api.ListenerAttribute) string { return val(a.Key) },
		func(k, v string) elbv2api.ListenerAttribute { return elbv2api.ListenerAttribute{Key: &k, Value: &v} })
	if len(attributes) > 0 {
		_, err = r.ModifyListenerAttributes(ctx, &elbv2api.ModifyListenerAttributesInput{ListenerArn: &after.ListenerArn, Attributes: attributes})
	}
	return err
}

// Settled fails the resource when the host's socket cannot be had: better
// told here than by a curl that finds something else on that port.
func (r listenerResource) Settled(_ context.Context, p *listenerProperties) (bool, error) {
	if why := r.Fault(p.ListenerArn); why != "" {
		return false, fault("InvalidConfigurationRequest", "The listener's port cannot be opened: %s", why)
	}
	return r.proxy.Serves(p.ListenerArn), nil
}

func (r listenerResource) Delete(ctx context.Context, p *listenerProperties) error {
	_, err := r.DeleteListener(ctx, &elbv2api.DeleteListenerInput{ListenerArn: &p.ListenerArn})
	return ignore(err, "ListenerNotFound")
}

// ignore drops an API error of the given code.
func ignore(err error, code string) error {
	if e, ok := errors.AsType[*awsapi.Error](err); ok && e.Code == code {
		return nil
	}
	return err
}
