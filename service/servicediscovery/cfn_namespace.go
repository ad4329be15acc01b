package servicediscovery

import (
	"context"
	"errors"

	api "github.com/slipway-dev/slipway/api/servicediscoveryapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

type privateProperties struct {
	ID           string `json:"Id" cfn:"id,readOnly"`
	Name         string `cfn:"required,createOnly"`
	Vpc          string `cfn:"required,createOnly"`
	Description  string
	Properties   *zoneProperties
	Tags         []cfn.Tag
	Arn          string `cfn:"readOnly"`
	HostedZoneID string `json:"HostedZoneId" cfn:"readOnly"`
}

type zoneProperties struct{ DnsProperties *soaProperties }

type soaProperties struct{ SOA *soa }

type soa struct{ TTL *int64 }

// ttl is the SOA's TTL in both forms of the API; nil leaves it alone.
func (p *zoneProperties) ttl() *int64 {
	if p == nil || p.DnsProperties == nil || p.DnsProperties.SOA == nil {
		return nil
	}
	return p.DnsProperties.SOA.TTL
}

type privateResource struct{ s *Service }

func (r privateResource) Create(ctx context.Context, p *privateProperties) error {
	in := &api.CreatePrivateDnsNamespaceInput{Name: &p.Name, Vpc: &p.Vpc, Description: optional(p.Description), Tags: stackTags(ctx, p.Tags)}
	if ttl := p.Properties.ttl(); ttl != nil {
		in.Properties = &api.PrivateDnsNamespaceProperties{DnsProperties: &api.PrivateDnsPropertiesMutable{SOA: &api.SOA{TTL: ttl}}}
	}
	out, err := r.s.CreatePrivateDnsNamespace(ctx, in)
	if err != nil {
		return err
	}
	n, err := r.s.made(ctx, *out.OperationId)
	p.ID, p.Arn, p.HostedZoneID = n.ID, n.ARN(), n.Zone
	return err
}

// made is the namespace that an operation created.
func (s *Service) made(ctx context.Context, operation string) (Namespace, error) {
	snap := s.store.Snapshot()
	o, err := Operations.Get(snap, scope(ctx).Key("operation", operation))
	if err != nil {
		return Namespace{}, err
	}
	return namespace(ctx, snap, o.Targets["NAMESPACE"])
}

func (r privateResource) Read(ctx context.Context, p *privateProperties) error {
	n, err := namespace(ctx, r.s.store.Snapshot(), p.ID)
	if err != nil {
		return err
	}
	*p = privateProperties{
		ID: n.ID, Name: n.Name, Vpc: n.VPC, Description: n.Description, Tags: ownTags(n.Tags), Arn: n.ARN(), HostedZoneID: n.Zone,
		Properties: &zoneProperties{&soaProperties{&soa{&n.TTL}}},
	}
	return nil
}

func (r privateResource) Update(ctx context.Context, _, after *privateProperties) error {
	change := &api.PrivateDnsNamespaceChange{Description: &after.Description}
	if ttl := after.Properties.ttl(); ttl != nil {
		change.Properties = &api.PrivateDnsNamespacePropertiesChange{DnsProperties: &api.PrivateDnsPropertiesMutableChange{SOA: &api.SOAChange{TTL: ttl}}}
	}
	if _, err := r.s.UpdatePrivateDnsNamespace(ctx, &api.UpdatePrivateDnsNamespaceInput{Id: &after.ID, Namespace: change}); err != nil {
		return err
	}
	return r.s.setTags(ctx, after.Arn, after.Tags)
}

func (r privateResource) Delete(ctx context.Context, p *privateProperties) error {
	return r.s.dropNamespace(ctx, p.ID)
}

type httpProperties struct {
	ID          string `json:"Id" cfn:"id,readOnly"`
	Name        string `cfn:"required,createOnly"`
	Description string
	Tags        []cfn.Tag
	Arn         string `cfn:"readOnly"`
}

type httpResource struct{ s *Service }

func (r httpResource) Create(ctx context.Context, p *httpProperties) error {
	out, err := r.s.CreateHttpNamespace(ctx, &api.CreateHttpNamespaceInput{Name: &p.Name, Description: optional(p.Description), Tags: stackTags(ctx, p.Tags)})
	if err != nil {
		return err
	}
	n, err := r.s.made(ctx, *out.OperationId)
	p.ID, p.Arn = n.ID, n.ARN()
	return err
}

func (r httpResource) Read(ctx context.Context, p *httpProperties) error {
	n, err := namespace(ctx, r.s.store.Snapshot(), p.ID)
	if err != nil {
		return err
	}
	*p = httpProperties{ID: n.ID, Name: n.Name, Description: n.Description, Tags: ownTags(n.Tags), Arn: n.ARN()}
	return nil
}

func (r httpResource) Update(ctx context.Context, _, after *httpProperties) error {
	_, err := r.s.UpdateHttpNamespace(ctx, &api.UpdateHttpNamespaceInput{Id: &after.ID, Namespace: &api.HttpNamespaceChange{Description: &after.Description}})
	if err != nil {
		return err
	}
	return r.s.setTags(ctx, after.Arn, after.Tags)
}

func (r httpResource) Delete(ctx context.Context, p *httpProperties) error {
	return r.s.dropNamespace(ctx, p.ID)
}

func (s *Service) dropNamespace(ctx context.Context, id string) error {
	_, err := s.DeleteNamespace(ctx, &api.DeleteNamespaceInput{Id: &id})
	if errors.Is(err, &awsapi.Error{Code: "NamespaceNotFound"}) {
		return nil
	}
	return err
}

// stackTags are the tags of a resource in a stack.
func stackTags(ctx context.Context, own []cfn.Tag) []api.Tag {
	r, _ := cfn.From(ctx)
	return tagset.List[api.Tag](r.AllTags(own))
}

// ownTags are the tags that a template could have set.
func ownTags(tags map[string]string) []cfn.Tag {
	var out []cfn.Tag
	for _, t := range tagset.List[api.Tag](tags) {
		if len(*t.Key) < 4 || (*t.Key)[:4] != "aws:" {
			out = append(out, cfn.Tag{Key: *t.Key, Value: *t.Value})
		}
	}
	return out
}

// setTags replaces the tags of a resource in a stack.
func (s *Service) setTags(ctx context.Context, resource string, own []cfn.Tag) error {
	r, _ := cfn.From(ctx)
	return s.store.Update(func(tx *store.Tx) error {
		return retag(ctx, tx, resource, func(map[string]string) (map[string]string, error) { return r.AllTags(own), nil })
	})
}
