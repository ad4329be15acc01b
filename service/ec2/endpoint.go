package ec2

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Endpoint is a VPC endpoint: of type Gateway, a route to a service in route
// tables; of type Interface, an interface in each of its subnets.
type Endpoint struct {
	Meta
	VPC, Type   string
	Service     string // com.amazonaws.us-east-1.logs
	State       string // pending, available
	Policy      string
	RouteTables []string
	Subnets     []string
	Interfaces  []string // one per subnet, in the order of Subnets
	Groups      []string
	PrivateDNS  bool
	Created     time.Time
}

func (e Endpoint) gateway() bool { return e.Type == "Gateway" }

// Endpoints holds VPC endpoints, keyed by scope and id.
var Endpoints = store.NewTable("ec2/endpoint", func(e Endpoint) string { return e.key() },
	store.Index("vpc", func(e Endpoint) []string { return []string{e.Scope.Key(e.VPC)} }))

var endpointKind = &kind[Endpoint]{
	table: Endpoints, typ: "vpc-endpoint", prefix: "vpce-", code: "InvalidVpcEndpointId", noun: "Vpc Endpoint Id",
	meta: func(e *Endpoint) *Meta { return &e.Meta },
	fields: func(_ store.Reader, e Endpoint) map[string][]string {
		return map[string][]string{
			"vpc-endpoint-id": one(e.ID), "vpc-id": one(e.VPC), "service-name": one(e.Service), "vpc-endpoint-state": one(e.State), "vpc-endpoint-type": one(e.Type),
			"ip-address-type": one("ipv4"),
		}
	},
}

const openPolicy = `{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`

// CreateVpcEndpoint makes a gateway or interface endpoint in state pending.
func (s *Service) CreateVpcEndpoint(ctx context.Context, in *ec2api.CreateVpcEndpointInput) (*ec2api.CreateVpcEndpointOutput, error) {
	if err := required("VpcId", val(in.VpcId), "ServiceName", val(in.ServiceName)); err != nil {
		return nil, err
	}
	tags, err := tagsFor(in.TagSpecifications, "vpc-endpoint")
	if err != nil {
		return nil, err
	}
	e := Endpoint{
		Meta: Meta{Scope: scopeOf(ctx), ID: awsapi.NewID(ctx, "vpce-", 17), Tags: tags},
		VPC:  *in.VpcId, Type: string(in.VpcEndpointType), Service: *in.ServiceName, State: "pending", Policy: val(in.PolicyDocument),
		RouteTables: in.RouteTableIds, Subnets: in.SubnetIds, Groups: in.SecurityGroupIds, Created: time.Now().UTC().Truncate(time.Second),
	}
	if e.Type == "" {
		e.Type = "Gateway"
	}
	if e.Policy == "" {
		e.Policy = openPolicy
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	e.PrivateDNS = !e.gateway() && (in.PrivateDnsEnabled == nil || *in.PrivateDnsEnabled)
	for range e.Subnets {
		e.Interfaces = append(e.Interfaces, awsapi.NewID(ctx, "eni-", 17))
	}
	return update(s, func(tx *store.Tx) (*ec2api.CreateVpcEndpointOutput, error) {
		if old, err := Endpoints.Get(tx, e.key()); err == nil {
			return &ec2api.CreateVpcEndpointOutput{VpcEndpoint: new(old.api(tx)), ClientToken: in.ClientToken}, nil
		}
		row, err := s.createEndpoint(tx, e)
		if err != nil {
			return nil, err
		}
		return &ec2api.CreateVpcEndpointOutput{VpcEndpoint: new(row.api(tx)), ClientToken: in.ClientToken}, nil
	})
}

// check holds an endpoint's parameters to its type and service.
func (e Endpoint) check() error {
	short, ok := strings.CutPrefix(e.Service, "com.amazonaws."+e.Scope.Region+".")
	_, hasGateway := gatewayServices[short]
	switch {
	case e.Type != "Gateway" && e.Type != "Interface":
		return errInvalidParameter("Endpoint type (%s) is not supported.", e.Type)
	case !ok || short == "" || e.gateway() && !slices.Contains(endpointServices, short) && !hasGateway:
		return fault("InvalidServiceName", "The Vpc Endpoint Service '%s' does not exist", e.Service)
	case e.gateway() && !hasGateway:
		return fault("InvalidParameter", "Endpoint type (Gateway) does not match available service types ([Interface]).")
	case e.gateway() && len(e.Subnets)+len(e.Groups) > 0:
		return fault("InvalidParameter", "Subnets and security groups are not supported for endpoints of type Gateway.")
	case !e.gateway() && !slices.Contains(endpointServices, short) && !hasGateway:
		return fault("InvalidServiceName", "The Vpc Endpoint Service '%s' does not exist", e.Service)
	case !e.gateway() && len(e.RouteTables) > 0:
		return fault("InvalidParameter", "Route tables are only supported for endpoints of type Gateway.")
	}
	return nil
}

func (s *Service) createEndpoint(tx *store.Tx, e Endpoint) (Endpoint, error) {
	v, err := vpcKind.get(tx, e.Scope, e.VPC)
	if err != nil {
		return e, err
	}
	if err := s.endpointQuota(tx, e); err != nil {
		return e, err
	}
	if e.PrivateDNS && (!v.DNSSupport || !v.DNSHostnames) {
		return e, fault("InvalidParameter", "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for %s", v.ID)
	}
	for other := range Endpoints.By(tx, "vpc", v.key()) {
		if e.PrivateDNS && other.PrivateDNS && other.Service == e.Service {
			return e, fault("InvalidParameter", "private-dns-enabled cannot be set because there is already a conflicting DNS domain for %s in the VPC %s", privateDNSName(e), v.ID)
		}
	}
	if err := e.checkTables(tx, e.RouteTables); err != nil {
		return e, err
	}
	if !e.gateway() && len(e.Groups) == 0 {
		e.Groups = []string{defaultGroup(tx, e.Scope, e.VPC).ID}
	}
	for n, subnet := range e.Subnets {
		if err := e.addInterface(tx, subnet, e.Interfaces[n]); err != nil {
			return e, err
		}
	}
	Endpoints.Put(tx, e)
	return e, nil
}

// addInterface makes the endpoint's interface in a subnet; one per zone.
func (e Endpoint) addInterface(tx *store.Tx, subnetID, id string) error {
	sub, err := subnetKind.get(tx, e.Scope, subnetID)
	if err != nil {
		return err
	}
	if sub.VPC != e.VPC {
		return fault("InvalidParameter", "Subnet %s does not belong to VPC %s.", subnetID, e.VPC)
	}
	owner := e.Scope.ARN("ec2", "vpc-endpoint/"+e.ID)
	for i := range Interfaces.By(tx, "vpc", e.Scope.Key(e.VPC)) {
		if i.OwnerARN == owner && i.AZ == sub.AZ && i.ID != id {
			return fault("DuplicateSubnetsInSameZone", "Found another VPC endpoint subnet in the availability zone of %s. VPC endpoint subnets should be in different availability zones supported by the VPC endpoint service.", subnetID)
		}
	}
	_, err = CreateInterface(tx, e.Scope, InterfaceSpec{
		ID: id, SubnetID: subnetID, GroupIDs: e.Groups, Type: "vpc_endpoint", Description: "VPC Endpoint Interface " + e.ID, OwnerARN: owner,
	})
	return err
}

func (e Endpoint) checkTables(r store.Reader, ids []string) error {
	for _, id := range ids {
		t, err := RouteTables.Get(r, e.Scope.Key(id))
		if err != nil {
			return fault("InvalidRouteTableId.NotFound", "The routeTable ID '%s' does not exist", id)
		}
		if t.VPC != e.VPC {
			return fault("InvalidParameter", "Route table %s does not belong to VPC %s.", id, e.VPC)
		}
		for other := range Endpoints.By(r, "vpc", e.Scope.Key(e.VPC)) {
			if other.ID != e.ID && other.Service == e.Service && slices.Contains(other.RouteTables, id) {
				return fault("RouteAlreadyExists", "route table %s already has a route with destination-prefix-list-id %s", id, prefixListOf(e.Scope.Region, e.Service).ID)
			}
		}
	}
	return nil
}

func (s *Service) endpointQuota(r store.Reader, e Endpoint) error {
	interfaces, gateways := 0, 0
	for other := range endpointKind.list(r, e.Scope) {
		if other.gateway() {
			gateways++
		} else if other.VPC == e.VPC {
			interfaces++
		}
	}
	if e.gateway() && gateways >= s.quotas.GatewayEndpoints || !e.gateway() && interfaces >= s.quotas.InterfaceEndpoints {
		return fault("VpcEndpointLimitExceeded", "The maximum number of VPC endpoints has been reached.")
	}
	return nil
}

// DeleteVpcEndpoints removes endpoints with their interfaces; those that do not
// exist are reported, the others removed.
func (s *Service) DeleteVpcEndpoints(ctx context.Context, in *ec2api.DeleteVpcEndpointsInput) (*ec2api.DeleteVpcEndpointsOutput, error) {
	scope := scopeOf(ctx)
	return update(s, func(tx *store.Tx) (*ec2api.DeleteVpcEndpointsOutput, error) {
		out := &ec2api.DeleteVpcEndpointsOutput{}
		for _, id := range in.VpcEndpointIds {
			if err := deleteEndpoint(tx, scope, id); err != nil {
				item := ec2api.UnsuccessfulItemError{Code: new("InternalError"), Message: new(err.Error())}
				if e, ok := errors.AsType[*awsapi.Error](err); ok {
					item = ec2api.UnsuccessfulItemError{Code: &e.Code, Message: &e.Message}
				}
				out.Unsuccessful = append(out.Unsuccessful, ec2api.UnsuccessfulItem{ResourceId: new(id), Error: &item})
			}
		}
		return out, nil
	})
}

func deleteEndpoint(tx *store.Tx, scope arn.Scope, id string) error {
	e, err := endpointKind.get(tx, scope, id)
	if err != nil {
		return err
	}
	for _, i := range e.Interfaces {
		if err := DeleteInterface(tx, scope, i); err != nil {
			return err
		}
	}
	Endpoints.Delete(tx, e.key())
	return nil
}

// DescribeVpcEndpoints lists endpoints.
func (s *Service) DescribeVpcEndpoints(ctx context.Context, in *ec2api.DescribeVpcEndpointsInput) (*ec2api.DescribeVpcEndpointsOutput, error) {
	snap := s.store.Snapshot()
	rows, next, err := endpointKind.describe(snap, scopeOf(ctx), query{in.VpcEndpointIds, in.Filters, in.MaxResults, in.NextToken})
	if err != nil {
		return nil, err
	}
	out := &ec2api.DescribeVpcEndpointsOutput{NextToken: next}
	for _, e := range rows {
		out.VpcEndpoints = append(out.VpcEndpoints, e.api(snap))
	}
	return out, nil
}

func (e Endpoint) api(r store.Reader) ec2api.VpcEndpoint {
	out := ec2api.VpcEndpoint{
		VpcEndpointId: &e.ID, VpcEndpointType: ec2api.VpcEndpointType(e.Type), VpcId: &e.VPC, ServiceName: &e.Service, State: ec2api.State(e.State),
		PolicyDocument: &e.Policy, RouteTableIds: e.RouteTables, SubnetIds: e.Subnets, NetworkInterfaceIds: e.Interfaces, PrivateDnsEnabled: &e.PrivateDNS,
		RequesterManaged: new(false), CreationTimestamp: &e.Created, Tags: apiTags(e.Tags), OwnerId: &e.Scope.Account, ServiceRegion: &e.Scope.Region,
	}
	if e.gateway() {
		return out
	}
	out.IpAddressType, out.DnsOptions = "ipv4", &ec2api.DnsOptions{DnsRecordIpType: "ipv4"}
	for _, id := range e.Groups {
		g, _ := Groups.Get(r, e.Scope.Key(id))
		out.Groups = append(out.Groups, ec2api.SecurityGroupIdentifier{GroupId: new(id), GroupName: opt(g.Name)})
	}
	for _, name := range e.dnsNames(r) {
		out.DnsEntries = append(out.DnsEntries, ec2api.DnsEntry{DnsName: new(name), HostedZoneId: new("Z7HUB22UULQXV")})
	}
	return out
}
