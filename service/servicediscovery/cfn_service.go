package servicediscovery

import (
	"context"
	"errors"

	api "github.com/slipway-dev/slipway/api/servicediscoveryapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

type serviceProperties struct {
	ID                      string `json:"Id" cfn:"id,readOnly"`
	Name                    string `cfn:"createOnly,attribute"`
	NamespaceID             string `json:"NamespaceId" cfn:"createOnly"`
	Description             string
	DnsConfig               *dnsConfig
	HealthCheckConfig       *healthCheck
	HealthCheckCustomConfig *customHealth `cfn:"createOnly"`
	ServiceAttributes       map[string]string
	Type                    string `cfn:"createOnly"`
	Tags                    []cfn.Tag
	Arn                     string `cfn:"readOnly"`
}

type dnsConfig struct {
	DnsRecords    []dnsRecord `cfn:"required"`
	NamespaceID   string      `json:"NamespaceId"`
	RoutingPolicy string
}

type dnsRecord struct {
	TTL  *int64 `cfn:"required"`
	Type string `cfn:"required"`
}

type healthCheck struct {
	Type             string `cfn:"required"`
	ResourcePath     string
	FailureThreshold *int32
}

type customHealth struct{ FailureThreshold *int32 }

func (d *dnsConfig) records() []api.DnsRecord {
	var out []api.DnsRecord
	for _, r := range d.DnsRecords {
		out = append(out, api.DnsRecord{Type: api.RecordType(r.Type), TTL: r.TTL})
	}
	return out
}

type serviceResource struct{ s *Service }

func (r serviceResource) Create(ctx context.Context, p *serviceProperties) error {
	if p.Name == "" {
		request, _ := cfn.From(ctx)
		p.Name = request.Name(63)
	}
	in := &api.CreateServiceInput{
		Name: &p.Name, NamespaceId: optional(p.NamespaceID), Description: optional(p.Description),
		Type: api.ServiceTypeOption(p.Type), Tags: stackTags(ctx, p.Tags),
	}
	if d := p.DnsConfig; d != nil {
		in.DnsConfig = &api.DnsConfig{NamespaceId: optional(d.NamespaceID), RoutingPolicy: api.RoutingPolicy(d.RoutingPolicy), DnsRecords: d.records()}
	}
	if p.HealthCheckConfig != nil {
		in.HealthCheckConfig = &api.HealthCheckConfig{Type: api.HealthCheckType(p.HealthCheckConfig.Type)}
	}
	if p.HealthCheckCustomConfig != nil {
		in.HealthCheckCustomConfig = &api.HealthCheckCustomConfig{FailureThreshold: p.HealthCheckCustomConfig.FailureThreshold}
	}
	out, err := r.s.CreateService(ctx, in)
	if err != nil {
		return err
	}
	p.ID, p.Arn, p.NamespaceID = *out.Service.Id, *out.Service.Arn, *out.Service.NamespaceId
	return r.attributes(ctx, p)
}

func (r serviceResource) attributes(ctx context.Context, p *serviceProperties) error {
	return r.s.changeAttributes(ctx, p.ID, func(have map[string]string) {
		clear(have)
		for k, v := range p.ServiceAttributes {
			have[k] = v
		}
	})
}

func (r serviceResource) Read(ctx context.Context, p *serviceProperties) error {
	g, err := registry(ctx, r.s.store.Snapshot(), p.ID)
	if err != nil {
		return err
	}
	*p = serviceProperties{
		ID: g.ID, Name: g.Name, NamespaceID: g.Namespace, Description: g.Description,
		ServiceAttributes: g.Attributes, Tags: ownTags(g.Tags), Arn: g.ARN(),
	}
	if g.APIOnly {
		p.Type = "HTTP"
	}
	if g.Custom {
		p.HealthCheckCustomConfig = &customHealth{FailureThreshold: new(int32(1))}
	}
	if len(g.Records) > 0 {
		p.DnsConfig = &dnsConfig{NamespaceID: g.Namespace, RoutingPolicy: g.Routing}
		for _, rec := range g.Records {
			p.DnsConfig.DnsRecords = append(p.DnsConfig.DnsRecords, dnsRecord{TTL: &rec.TTL, Type: rec.Type})
		}
	}
	return nil
}

func (r serviceResource) Update(ctx context.Context, _, after *serviceProperties) error {
	change := &api.ServiceChange{Description: &after.Description}
	if after.DnsConfig != nil {
		change.DnsConfig = &api.DnsConfigChange{DnsRecords: after.DnsConfig.records()}
	}
	if _, err := r.s.UpdateService(ctx, &api.UpdateServiceInput{Id: &after.ID, Service: change}); err != nil {
		return err
	}
	if err := r.attributes(ctx, after); err != nil {
		return err
	}
	return r.s.setTags(ctx, after.Arn, after.Tags)
}

func (r serviceResource) Delete(ctx context.Context, p *serviceProperties) error {
	_, err := r.s.DeleteService(ctx, &api.DeleteServiceInput{Id: &p.ID})
	if errors.Is(err, &awsapi.Error{Code: "ServiceNotFound"}) {
		return nil
	}
	return err
}
