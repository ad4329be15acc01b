package servicediscovery

import (
	"context"
	"maps"
	"net/netip"
	"strconv"
	"time"

	api "github.com/slipway-dev/slipway/api/servicediscoveryapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Attributes with a meaning.
const (
	AttributeIPv4   = "AWS_INSTANCE_IPV4"
	AttributeIPv6   = "AWS_INSTANCE_IPV6"
	AttributePort   = "AWS_INSTANCE_PORT"
	AttributeCNAME  = "AWS_INSTANCE_CNAME"
	AttributeHealth = "AWS_INIT_HEALTH_STATUS"
	AttributeZone   = "AVAILABILITY_ZONE" // ECS sets it
)

// Quotas of AWS.
const (
	instancesMost          = 1000 // per service
	instanceAttributesMost = 30
)

// notHere are attributes that stand for things which this engine does not have.
var notHere = map[string]string{
	"AWS_ALIAS_DNS_NAME":  "alias records to load balancers",
	"AWS_EC2_INSTANCE_ID": "EC2 instances",
}

// RegisterInstance registers or replaces an instance of a service, given by id
// or ARN, in the transaction of the caller. The attributes must have what the
// service's records are made of.
func RegisterInstance(tx *store.Tx, service, instance string, attributes map[string]string) error {
	return register(tx, service, instance, "", attributes)
}

func register(tx *store.Tx, service, instance, creator string, attributes map[string]string) error {
	r, ok := find(tx, service)
	if !ok {
		return noService(service)
	}
	if err := checkAttributes(r, attributes); err != nil {
		return err
	}
	i := Instance{Scope: r.Scope, Service: r.ID, ID: instance, Attributes: maps.Clone(attributes), Creator: creator, Registered: time.Now().UTC()}
	i.Unhealthy = attributes[AttributeHealth] == "UNHEALTHY"
	_, err := Instances.Get(tx, Instances.Key(i))
	if err != nil && instanceCount(tx, r) >= instancesMost {
		return tooMany("The limit of %d instances per service is reached.", instancesMost)
	}
	Instances.Put(tx, i)
	touch(tx, r)
	return nil
}

// DeregisterInstance removes an instance from a service, given by id or ARN, in
// the transaction of the caller. One that is gone is InstanceNotFound.
func DeregisterInstance(tx *store.Tx, service, instance string) error {
	r, ok := find(tx, service)
	if !ok {
		return noService(service)
	}
	if !Instances.Delete(tx, r.Scope.Key("instance", r.ID, instance)) {
		return noInstance(instance)
	}
	touch(tx, r)
	return nil
}

// SetHealth tells the health of an instance of a service with custom health
// checks; unhealthy instances are not found while healthy ones are.
func SetHealth(tx *store.Tx, service, instance string, healthy bool) error {
	r, ok := find(tx, service)
	if !ok {
		return noService(service)
	}
	if !r.Custom {
		return noCustomHealth(r.ID)
	}
	i, err := Instances.Get(tx, r.Scope.Key("instance", r.ID, instance))
	if err != nil {
		return noInstance(instance)
	}
	if i.Unhealthy == healthy {
		i.Unhealthy = !healthy
		Instances.Put(tx, i)
		touch(tx, r)
	}
	return nil
}

// HasCustomHealth says whether SetHealth is for a service, given by id or ARN.
func HasCustomHealth(r store.Reader, service string) bool {
	g, _ := find(r, service)
	return g.Custom
}

// find reads a service of any account by id or ARN.
func find(r store.Reader, id string) (Registry, bool) {
	for g := range Services.By(r, "id", lastPart(id)) {
		return g, true
	}
	return Registry{}, false
}

// touch counts a change of a service's instances.
func touch(tx *store.Tx, r Registry) {
	r.Revision++
	Services.Put(tx, r)
}

func checkAttributes(r Registry, attributes map[string]string) error {
	if len(attributes) > instanceAttributesMost {
		return invalid("An instance can have at most %d attributes.", instanceAttributesMost)
	}
	for name, what := range notHere {
		if attributes[name] != "" {
			return invalid("The attribute %s is not supported by this engine: it has no %s.", name, what)
		}
	}
	for _, rec := range r.Records {
		switch rec.Type {
		case "A":
			if ip, err := netip.ParseAddr(attributes[AttributeIPv4]); err != nil || !ip.Is4() {
				return invalid("The attribute %s must be a valid IPv4 address for a service with an A record.", AttributeIPv4)
			}
		case "AAAA":
			if ip, err := netip.ParseAddr(attributes[AttributeIPv6]); err != nil || !ip.Is6() {
				return invalid("The attribute %s must be a valid IPv6 address for a service with an AAAA record.", AttributeIPv6)
			}
		case "SRV":
			if p, err := strconv.ParseUint(attributes[AttributePort], 10, 16); err != nil || p == 0 {
				return invalid("The attribute %s must be a valid port for a service with an SRV record.", AttributePort)
			}
		case "CNAME":
			if attributes[AttributeCNAME] == "" {
				return invalid("The attribute %s is required for a service with a CNAME record.", AttributeCNAME)
			}
		}
	}
	if h := attributes[AttributeHealth]; h != "" && (!r.Custom || h != "HEALTHY" && h != "UNHEALTHY") {
		return invalid("The attribute %s needs a custom health check and the value HEALTHY or UNHEALTHY.", AttributeHealth)
	}
	return nil
}

func instanceCount(r store.Reader, g Registry) int {
	n := 0
	for range Instances.List(r, g.Scope.Key("instance", g.ID, "")) {
		n++
	}
	return n
}

// RegisterInstance registers or replaces an instance.
func (s *Service) RegisterInstance(ctx context.Context, in *api.RegisterInstanceInput) (*api.RegisterInstanceOutput, error) {
	o := newOperation(ctx, "REGISTER_INSTANCE", "INSTANCE", *in.InstanceId)
	o.Targets["SERVICE"] = lastPart(*in.ServiceId)
	return &api.RegisterInstanceOutput{OperationId: &o.ID}, s.store.Update(func(tx *store.Tx) error {
		if _, err := registry(ctx, tx, *in.ServiceId); err != nil {
			return err
		}
		Operations.Put(tx, o)
		return register(tx, *in.ServiceId, *in.InstanceId, text(in.CreatorRequestId), in.Attributes)
	})
}

// DeregisterInstance removes an instance.
func (s *Service) DeregisterInstance(ctx context.Context, in *api.DeregisterInstanceInput) (*api.DeregisterInstanceOutput, error) {
	o := newOperation(ctx, "DEREGISTER_INSTANCE", "INSTANCE", *in.InstanceId)
	o.Targets["SERVICE"] = lastPart(*in.ServiceId)
	return &api.DeregisterInstanceOutput{OperationId: &o.ID}, s.store.Update(func(tx *store.Tx) error {
		if _, err := registry(ctx, tx, *in.ServiceId); err != nil {
			return err
		}
		Operations.Put(tx, o)
		return DeregisterInstance(tx, *in.ServiceId, *in.InstanceId)
	})
}

// GetInstance tells about an instance.
func (s *Service) GetInstance(ctx context.Context, in *api.GetInstanceInput) (*api.GetInstanceOutput, error) {
	snap := s.store.Snapshot()
	r, err := registry(ctx, snap, *in.ServiceId)
	if err != nil {
		return nil, err
	}
	i, err := Instances.Get(snap, r.Scope.Key("instance", r.ID, *in.InstanceId))
	if err != nil {
		return nil, noInstance(*in.InstanceId)
	}
	return &api.GetInstanceOutput{ResourceOwner: &r.Scope.Account, Instance: &api.Instance{
		Id: &i.ID, CreatorRequestId: optional(i.Creator), Attributes: i.Attributes, CreatedByAccount: &r.Scope.Account,
	}}, nil
}

// ListInstances lists the instances of a service.
func (s *Service) ListInstances(ctx context.Context, in *api.ListInstancesInput) (*api.ListInstancesOutput, error) {
	found, r, next, err := s.instances(ctx, *in.ServiceId, nil, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &api.ListInstancesOutput{ResourceOwner: &r.Scope.Account, Instances: []api.InstanceSummary{}, NextToken: next}
	for _, i := range found {
		out.Instances = append(out.Instances, api.InstanceSummary{Id: &i.ID, Attributes: i.Attributes, CreatedByAccount: &i.Scope.Account})
	}
	return out, nil
}
