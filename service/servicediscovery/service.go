package servicediscovery

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	api "github.com/slipway-dev/slipway/api/servicediscoveryapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// CreateService makes a name in a namespace that instances register with.
func (s *Service) CreateService(ctx context.Context, in *api.CreateServiceInput) (*api.CreateServiceOutput, error) {
	r := Registry{
		Scope: scope(ctx), ID: awsapi.NewID(ctx, "srv-", 16), Name: *in.Name, Namespace: lastPart(text(in.NamespaceId)), Description: text(in.Description),
		APIOnly: in.Type == api.ServiceTypeOptionHttp, Custom: in.HealthCheckCustomConfig != nil, Creator: text(in.CreatorRequestId), Created: time.Now().UTC(),
	}
	if d := in.DnsConfig; d != nil {
		r.Routing, r.Records = string(d.RoutingPolicy), records(d.DnsRecords)
		if r.Routing == "" {
			r.Routing = "MULTIVALUE"
		}
		if r.Namespace == "" {
			r.Namespace = lastPart(text(d.NamespaceId))
		}
	}
	if in.HealthCheckConfig != nil {
		return nil, invalid("Route 53 health checks are for public DNS namespaces; use HealthCheckCustomConfig in private DNS and HTTP namespaces.")
	}
	var err error
	if r.Tags, err = retagged(ctx, r.ARN(), nil, in.Tags); err != nil {
		return nil, err
	}
	err = s.store.Update(func(tx *store.Tx) error {
		if have, err := Services.Get(tx, Services.Key(r)); err == nil {
			r = have // the very request, repeated
			return nil
		}
		return create(ctx, tx, r)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateServiceOutput{Service: new(serviceAnswer(s.store.Snapshot(), r))}, nil
}

// labelForm is one label of a DNS name, or several for a deeper name.
var labelForm = regexp.MustCompile(`^[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?$`)

// create checks a service against its namespace and puts it.
func create(ctx context.Context, tx *store.Tx, r Registry) error {
	if r.Namespace == "" {
		return invalid("NamespaceId must be specified.")
	}
	n, err := namespace(ctx, tx, r.Namespace)
	if err != nil {
		return err
	}
	if n.Type == HTTP && len(r.Records) > 0 {
		return invalid("DnsConfig cannot be specified for a service in an HTTP namespace.")
	}
	if n.Type == Private && !r.APIOnly {
		if !labelForm.MatchString(r.Name) {
			return invalid("The service name %s is not a valid DNS name.", r.Name)
		}
		if len(r.Records) == 0 {
			return invalid("DnsConfig must be specified for a service in a DNS namespace, or the type HTTP.")
		}
	}
	if r.APIOnly && len(r.Records) > 0 {
		return invalid("DnsConfig cannot be specified for a service of the type HTTP.")
	}
	if err := checkRecords(r); err != nil {
		return err
	}
	for other := range Services.By(tx, "namespace", n.ID) {
		if strings.EqualFold(other.Name, r.Name) {
			return serviceExists(other)
		}
	}
	return Services.Create(tx, r)
}

// checkRecords holds the combinations that Cloud Map allows: A, AAAA or both;
// SRV with them; CNAME alone and weighted.
func checkRecords(r Registry) error {
	seen := map[string]bool{}
	for _, rec := range r.Records {
		if seen[rec.Type] {
			return invalid("A service can have only one DNS record of the type %s.", rec.Type)
		}
		seen[rec.Type] = true
	}
	if seen["CNAME"] && (len(r.Records) > 1 || r.Routing != "WEIGHTED") {
		return invalid("A CNAME record must be the only record of a service, with the routing policy WEIGHTED.")
	}
	return nil
}

func records(in []api.DnsRecord) []Record {
	var out []Record
	for _, r := range in {
		out = append(out, Record{Type: string(r.Type), TTL: *r.TTL})
	}
	return out
}

// registry reads a service by id or ARN.
func registry(ctx context.Context, r store.Reader, id string) (Registry, error) {
	found, err := Services.Get(r, scope(ctx).Key("service", lastPart(id)))
	if err != nil {
		return found, noService(id)
	}
	return found, nil
}

// GetService tells about a service.
func (s *Service) GetService(ctx context.Context, in *api.GetServiceInput) (*api.GetServiceOutput, error) {
	snap := s.store.Snapshot()
	r, err := registry(ctx, snap, *in.Id)
	if err != nil {
		return nil, err
	}
	return &api.GetServiceOutput{Service: new(serviceAnswer(snap, r))}, nil
}

// ListServices lists the services that pass all filters.
func (s *Service) ListServices(ctx context.Context, in *api.ListServicesInput) (*api.ListServicesOutput, error) {
	snap := s.store.Snapshot()
	var all []Registry
	for r := range Services.List(snap, scope(ctx).Key("service", "")) {
		ok := true
		for _, f := range in.Filters {
			values := slices.Clone(f.Values)
			for i := range values {
				values[i] = lastPart(values[i])
			}
			value := map[api.ServiceFilterName]string{"NAMESPACE_ID": r.Namespace, "RESOURCE_OWNER": "SELF"}[f.Name]
			ok = ok && matches(f.Condition, values, value)
		}
		if ok {
			all = append(all, r)
		}
	}
	found, next, err := page(all, Services.Key, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &api.ListServicesOutput{Services: []api.ServiceSummary{}, NextToken: next}
	for _, r := range found {
		a := serviceAnswer(snap, r)
		out.Services = append(out.Services, api.ServiceSummary{
			Id: a.Id, Arn: a.Arn, ResourceOwner: a.ResourceOwner, Name: a.Name, Type: a.Type, Description: a.Description, InstanceCount: a.InstanceCount,
			DnsConfig: a.DnsConfig, HealthCheckCustomConfig: a.HealthCheckCustomConfig, CreateDate: a.CreateDate, CreatedByAccount: a.CreatedByAccount,
		})
	}
	return out, nil
}

// UpdateService changes description and records' TTLs. Records left out of a
// DnsConfig are removed, as at AWS.
func (s *Service) UpdateService(ctx context.Context, in *api.UpdateServiceInput) (*api.UpdateServiceOutput, error) {
	o := newOperation(ctx, "UPDATE_SERVICE", "SERVICE", lastPart(*in.Id))
	return &api.UpdateServiceOutput{OperationId: &o.ID}, s.store.Update(func(tx *store.Tx) error {
		r, err := registry(ctx, tx, *in.Id)
		if err != nil {
			return err
		}
		if in.Service.Description != nil {
			r.Description = *in.Service.Description
		}
		if d := in.Service.DnsConfig; d != nil {
			r.Records = records(d.DnsRecords)
			if err := checkRecords(r); err != nil {
				return err
			}
		}
		Services.Put(tx, r)
		Operations.Put(tx, o)
		return nil
	})
}

// DeleteService deletes a service without instances.
func (s *Service) DeleteService(ctx context.Context, in *api.DeleteServiceInput) (*api.DeleteServiceOutput, error) {
	return nil, s.store.Update(func(tx *store.Tx) error {
		r, err := registry(ctx, tx, *in.Id)
		if err != nil {
			return err
		}
		if instanceCount(tx, r) > 0 {
			return inUse("Service contains registered instances; delete the instances before deleting the service")
		}
		Services.Delete(tx, Services.Key(r))
		return nil
	})
}

func serviceAnswer(r store.Reader, g Registry) api.Service {
	a := api.Service{
		Id: &g.ID, Arn: new(g.ARN()), ResourceOwner: &g.Scope.Account, Name: &g.Name, NamespaceId: &g.Namespace, Description: optional(g.Description),
		InstanceCount: new(int32(instanceCount(r, g))), Type: api.ServiceTypeHttp, CreateDate: &g.Created, CreatorRequestId: optional(g.Creator), CreatedByAccount: &g.Scope.Account,
	}
	if len(g.Records) > 0 {
		a.Type = api.ServiceTypeDnsHttp
		a.DnsConfig = &api.DnsConfig{NamespaceId: &g.Namespace, RoutingPolicy: api.RoutingPolicy(g.Routing)}
		for _, rec := range g.Records {
			a.DnsConfig.DnsRecords = append(a.DnsConfig.DnsRecords, api.DnsRecord{Type: api.RecordType(rec.Type), TTL: &rec.TTL})
		}
	}
	if g.Custom {
		a.HealthCheckCustomConfig = &api.HealthCheckCustomConfig{FailureThreshold: new(int32(1))}
	}
	return a
}
