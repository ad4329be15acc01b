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
	"github.com/slipway-dev/slipway/service/ec2"
)

const (
	defaultSOATTL = 15
	namespaceMost = 50 // AWS's quota per region
)

// CreatePrivateDnsNamespace makes a domain whose names resolve in one VPC.
func (s *Service) CreatePrivateDnsNamespace(ctx context.Context, in *api.CreatePrivateDnsNamespaceInput) (*api.CreatePrivateDnsNamespaceOutput, error) {
	n := Namespace{Type: Private, Name: *in.Name, VPC: *in.Vpc, Description: text(in.Description), Creator: text(in.CreatorRequestId), TTL: defaultSOATTL}
	if p := in.Properties; p != nil && p.DnsProperties != nil && p.DnsProperties.SOA != nil && p.DnsProperties.SOA.TTL != nil {
		n.TTL = *p.DnsProperties.SOA.TTL
	}
	n.Zone = strings.ToUpper(awsapi.NewID(ctx, "Z", 20))
	id, err := s.createNamespace(ctx, n, in.Tags)
	return &api.CreatePrivateDnsNamespaceOutput{OperationId: &id}, err
}

// CreateHttpNamespace makes a set of names that only the API knows.
func (s *Service) CreateHttpNamespace(ctx context.Context, in *api.CreateHttpNamespaceInput) (*api.CreateHttpNamespaceOutput, error) {
	n := Namespace{Type: HTTP, Name: *in.Name, Description: text(in.Description), Creator: text(in.CreatorRequestId)}
	id, err := s.createNamespace(ctx, n, in.Tags)
	return &api.CreateHttpNamespaceOutput{OperationId: &id}, err
}

// domainForm is a DNS name of one or more labels.
var domainForm = regexp.MustCompile(`^([a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?\.)*[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?$`)

// createNamespace puts a namespace and answers the id of the operation. The
// same request, by CreatorRequestId or by CloudFormation's token, makes it once.
func (s *Service) createNamespace(ctx context.Context, n Namespace, tags []api.Tag) (string, error) {
	if n.Type == Private && (len(n.Name) > 253 || !domainForm.MatchString(n.Name)) {
		return "", invalid("The namespace name %s is not a valid DNS name.", n.Name)
	}
	n.Scope, n.ID, n.Created = scope(ctx), awsapi.NewID(ctx, "ns-", 16), time.Now().UTC()
	var err error
	if n.Tags, err = retagged(ctx, n.ARN(), nil, tags); err != nil {
		return "", err
	}
	o := newOperation(ctx, "CREATE_NAMESPACE", "NAMESPACE", n.ID)
	return o.ID, s.store.Update(func(tx *store.Tx) error {
		if _, err := Namespaces.Get(tx, Namespaces.Key(n)); err == nil {
			Operations.Put(tx, o)
			return nil // the very request, repeated
		}
		if n.Type == Private {
			if _, err := ec2.VPCs.Get(tx, n.Scope.Key(n.VPC)); err != nil {
				return invalid("The VPC that you chose, %s in region %s, is either not found or you don't have access to it.", n.VPC, n.Scope.Region)
			}
		}
		for other := range Namespaces.By(tx, "name", n.Scope.Key(strings.ToLower(n.Name))) {
			if other.VPC != n.VPC {
				continue
			}
			if n.Creator == "" || other.Creator != n.Creator {
				return namespaceExists(other)
			}
			o.Targets = map[string]string{"NAMESPACE": other.ID}
			Operations.Put(tx, o)
			return nil
		}
		if len(slices.Collect(Namespaces.List(tx, n.Scope.Key("namespace", "")))) >= namespaceMost {
			return tooMany("The limit of %d namespaces per region is reached.", namespaceMost)
		}
		Namespaces.Put(tx, n)
		Operations.Put(tx, o)
		return nil
	})
}

// namespace reads a namespace by id or ARN.
func namespace(ctx context.Context, r store.Reader, id string) (Namespace, error) {
	n, err := Namespaces.Get(r, scope(ctx).Key("namespace", lastPart(id)))
	if err != nil {
		return n, noNamespace(id)
	}
	return n, nil
}

// lastPart is an id out of an ARN, or the id itself.
func lastPart(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// GetNamespace tells about a namespace.
func (s *Service) GetNamespace(ctx context.Context, in *api.GetNamespaceInput) (*api.GetNamespaceOutput, error) {
	snap := s.store.Snapshot()
	n, err := namespace(ctx, snap, *in.Id)
	if err != nil {
		return nil, err
	}
	return &api.GetNamespaceOutput{Namespace: &api.Namespace{
		Id: &n.ID, Arn: new(n.ARN()), ResourceOwner: &n.Scope.Account, Name: &n.Name, Type: api.NamespaceType(n.Type),
		Description: optional(n.Description), ServiceCount: new(int32(serviceCount(snap, n))), Properties: namespaceAnswer(n),
		CreateDate: &n.Created, CreatorRequestId: optional(n.Creator),
	}}, nil
}

// ListNamespaces lists the namespaces that pass all filters.
func (s *Service) ListNamespaces(ctx context.Context, in *api.ListNamespacesInput) (*api.ListNamespacesOutput, error) {
	snap := s.store.Snapshot()
	var all []Namespace
	for n := range Namespaces.List(snap, scope(ctx).Key("namespace", "")) {
		ok := true
		for _, f := range in.Filters {
			value := map[api.NamespaceFilterName]string{"TYPE": n.Type, "NAME": n.Name, "HTTP_NAME": n.Name, "RESOURCE_OWNER": "SELF"}[f.Name]
			ok = ok && matches(f.Condition, f.Values, value)
		}
		if ok {
			all = append(all, n)
		}
	}
	found, next, err := page(all, Namespaces.Key, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &api.ListNamespacesOutput{Namespaces: []api.NamespaceSummary{}, NextToken: next}
	for _, n := range found {
		out.Namespaces = append(out.Namespaces, api.NamespaceSummary{
			Id: &n.ID, Arn: new(n.ARN()), ResourceOwner: &n.Scope.Account, Name: &n.Name, Type: api.NamespaceType(n.Type),
			Description: optional(n.Description), ServiceCount: new(int32(serviceCount(snap, n))), Properties: namespaceAnswer(n), CreateDate: &n.Created,
		})
	}
	return out, nil
}

// DeleteNamespace deletes a namespace without services.
func (s *Service) DeleteNamespace(ctx context.Context, in *api.DeleteNamespaceInput) (*api.DeleteNamespaceOutput, error) {
	o := newOperation(ctx, "DELETE_NAMESPACE", "NAMESPACE", lastPart(*in.Id))
	return &api.DeleteNamespaceOutput{OperationId: &o.ID}, s.store.Update(func(tx *store.Tx) error {
		n, err := namespace(ctx, tx, *in.Id)
		if err != nil {
			return err
		}
		if c := serviceCount(tx, n); c > 0 {
			return inUse("Namespace %s has %d services; delete the services before deleting the namespace", n.ID, c)
		}
		Namespaces.Delete(tx, Namespaces.Key(n))
		Operations.Put(tx, o)
		return nil
	})
}

// UpdatePrivateDnsNamespace changes description and SOA TTL.
func (s *Service) UpdatePrivateDnsNamespace(ctx context.Context, in *api.UpdatePrivateDnsNamespaceInput) (*api.UpdatePrivateDnsNamespaceOutput, error) {
	id, err := s.updateNamespace(ctx, *in.Id, Private, func(n *Namespace) {
		if in.Namespace.Description != nil {
			n.Description = *in.Namespace.Description
		}
		if p := in.Namespace.Properties; p != nil && p.DnsProperties != nil && p.DnsProperties.SOA != nil {
			n.TTL = *p.DnsProperties.SOA.TTL
		}
	})
	return &api.UpdatePrivateDnsNamespaceOutput{OperationId: &id}, err
}

// UpdateHttpNamespace changes the description.
func (s *Service) UpdateHttpNamespace(ctx context.Context, in *api.UpdateHttpNamespaceInput) (*api.UpdateHttpNamespaceOutput, error) {
	id, err := s.updateNamespace(ctx, *in.Id, HTTP, func(n *Namespace) { n.Description = text(in.Namespace.Description) })
	return &api.UpdateHttpNamespaceOutput{OperationId: &id}, err
}

func (s *Service) updateNamespace(ctx context.Context, id, typ string, fn func(*Namespace)) (string, error) {
	o := newOperation(ctx, "UPDATE_NAMESPACE", "NAMESPACE", lastPart(id))
	return o.ID, s.store.Update(func(tx *store.Tx) error {
		n, err := namespace(ctx, tx, id)
		if err != nil {
			return err
		}
		if n.Type != typ {
			return invalid("The namespace %s has the type %s.", n.ID, n.Type)
		}
		fn(&n)
		Namespaces.Put(tx, n)
		Operations.Put(tx, o)
		return nil
	})
}

func serviceCount(r store.Reader, n Namespace) int {
	count := 0
	for range Services.By(r, "namespace", n.ID) {
		count++
	}
	return count
}

func namespaceAnswer(n Namespace) *api.NamespaceProperties {
	p := &api.NamespaceProperties{HttpProperties: &api.HttpProperties{HttpName: &n.Name}}
	if n.Type == Private {
		p.DnsProperties = &api.DnsProperties{HostedZoneId: &n.Zone, SOA: &api.SOA{TTL: &n.TTL}}
	}
	return p
}
