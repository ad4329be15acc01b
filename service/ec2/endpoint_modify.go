package ec2

import (
	"context"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
)

// ModifyVpcEndpoint changes policy, route tables, subnets, security groups and
// private DNS of an endpoint.
func (s *Service) ModifyVpcEndpoint(ctx context.Context, in *ec2api.ModifyVpcEndpointInput) (*ec2api.ModifyVpcEndpointOutput, error) {
	scope := scopeOf(ctx)
	var ids []string
	for range in.AddSubnetIds {
		ids = append(ids, awsapi.NewID(ctx, "eni-", 17))
	}
	return update(s, func(tx *store.Tx) (*ec2api.ModifyVpcEndpointOutput, error) {
		e, err := endpointKind.get(tx, scope, val(in.VpcEndpointId))
		if err != nil {
			return nil, err
		}
		if val(in.ResetPolicy) {
			e.Policy = openPolicy
		} else if in.PolicyDocument != nil {
			e.Policy = *in.PolicyDocument
		}
		if in.PrivateDnsEnabled != nil {
			e.PrivateDNS = *in.PrivateDnsEnabled && !e.gateway()
		}
		e.RouteTables = changed(e.RouteTables, in.AddRouteTableIds, in.RemoveRouteTableIds)
		if err := e.checkTables(tx, in.AddRouteTableIds); err != nil {
			return nil, err
		}
		if err := e.changeGroups(tx, in.AddSecurityGroupIds, in.RemoveSecurityGroupIds); err != nil {
			return nil, err
		}
		for _, id := range in.RemoveSubnetIds {
			if n := slices.Index(e.Subnets, id); n >= 0 {
				if err := DeleteInterface(tx, scope, e.Interfaces[n]); err != nil {
					return nil, err
				}
				e.Subnets = slices.Delete(slices.Clone(e.Subnets), n, n+1)
				e.Interfaces = slices.Delete(slices.Clone(e.Interfaces), n, n+1)
			}
		}
		for n, id := range in.AddSubnetIds {
			if slices.Contains(e.Subnets, id) {
				continue
			}
			eni := unused(ids[n], func(id string) bool {
				_, err := Interfaces.Get(tx, scope.Key(id))
				return err == nil
			})
			if err := e.addInterface(tx, id, eni); err != nil {
				return nil, err
			}
			e.Subnets, e.Interfaces = append(slices.Clone(e.Subnets), id), append(slices.Clone(e.Interfaces), eni)
		}
		Endpoints.Put(tx, e)
		return &ec2api.ModifyVpcEndpointOutput{Return: new(true)}, nil
	})
}

// changeGroups changes the security groups of the endpoint and its interfaces.
func (e *Endpoint) changeGroups(tx *store.Tx, add, remove []string) error {
	if len(add)+len(remove) == 0 {
		return nil
	}
	for _, id := range add {
		if _, err := groupKind.get(tx, e.Scope, id); err != nil {
			return err
		}
	}
	e.Groups = changed(e.Groups, add, remove)
	if len(e.Groups) == 0 {
		return fault("InvalidParameter", "At least one security group must be specified.")
	}
	for _, id := range e.Interfaces {
		i, err := interfaceKind.get(tx, e.Scope, id)
		if err != nil {
			return err
		}
		i.Groups = e.Groups
		Interfaces.Put(tx, i)
	}
	return nil
}

// changed is a new list without remove and with what add brings.
func changed(list, add, remove []string) []string {
	var out []string
	for _, v := range slices.Concat(list, add) {
		if !slices.Contains(remove, v) && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// endpointLoop makes endpoints available.
func (s *Service) endpointLoop() loop.Loop {
	return loop.Loop{
		Name: "vpc endpoints",
		List: Endpoints.Keys,
		Keys: loop.Changed(Endpoints),
		Reconcile: func(_ context.Context, key string) (time.Duration, error) {
			return 0, s.store.Update(func(tx *store.Tx) error {
				e, err := Endpoints.Get(tx, key)
				if err != nil || e.State != "pending" {
					return nil
				}
				e.State = "available"
				Endpoints.Put(tx, e)
				return nil
			})
		},
	}
}

// endpointServices have interface endpoints.
var endpointServices = []string{
	"appmesh-envoy-management", "application-autoscaling", "cloudformation", "ec2", "ec2messages", "ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry",
	"elasticloadbalancing", "events", "kms", "lambda", "logs", "monitoring", "secretsmanager", "servicediscovery", "sns", "sqs", "ssm", "ssmmessages", "states", "sts", "xray",
}

// DescribeVpcEndpointServices lists the services that have endpoints.
func (s *Service) DescribeVpcEndpointServices(ctx context.Context, in *ec2api.DescribeVpcEndpointServicesInput) (*ec2api.DescribeVpcEndpointServicesOutput, error) {
	region := scopeOf(ctx).Region
	var all []ec2api.ServiceDetail
	add := func(short string, typ ec2api.ServiceType) error {
		e := Endpoint{Meta: Meta{Scope: scopeOf(ctx)}, Service: "com.amazonaws." + region + "." + short}
		ok, err := matches(in.Filters, map[string][]string{"service-name": one(e.Service), "service-type": one(string(typ)), "owner": one("amazon")}, nil)
		if err != nil || !ok || len(in.ServiceNames) > 0 && !slices.Contains(in.ServiceNames, e.Service) {
			return err
		}
		d := ec2api.ServiceDetail{
			ServiceName: &e.Service, ServiceType: []ec2api.ServiceTypeDetail{{ServiceType: typ}}, AvailabilityZones: Zones(region), Owner: new("amazon"),
			VpcEndpointPolicySupported: new(true), AcceptanceRequired: new(false), ManagesVpcEndpoints: new(false), ServiceRegion: &region,
		}
		if typ == "Interface" {
			d.PrivateDnsName, d.PrivateDnsNames = new(privateDNSName(e)), []ec2api.PrivateDnsDetails{{PrivateDnsName: new(privateDNSName(e))}}
		}
		all = append(all, d)
		return nil
	}
	for _, short := range endpointServices {
		if err := add(short, "Interface"); err != nil {
			return nil, err
		}
	}
	for _, l := range prefixLists(region) {
		if err := add(l.Name[len("com.amazonaws."+region+"."):], "Gateway"); err != nil {
			return nil, err
		}
	}
	for _, name := range in.ServiceNames {
		if !slices.ContainsFunc(all, func(d ec2api.ServiceDetail) bool { return *d.ServiceName == name }) {
			return nil, fault("InvalidServiceName", "The Vpc Endpoint Service '%s' does not exist", name)
		}
	}
	page, next, err := awsapi.Page(all, func(d ec2api.ServiceDetail) string { return *d.ServiceName }, in.NextToken, int(val(in.MaxResults)), pageLimit)
	if err != nil {
		return nil, err
	}
	out := &ec2api.DescribeVpcEndpointServicesOutput{ServiceDetails: page, NextToken: next}
	for _, d := range page {
		out.ServiceNames = append(out.ServiceNames, *d.ServiceName)
	}
	return out, nil
}
