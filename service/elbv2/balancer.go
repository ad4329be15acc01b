package elbv2

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/ec2"
)

// zoneID is the hosted zone of ALB names in us-east-1, which clients only
// hand back for alias records.
const zoneID = "Z35SXDOTRQ7X7K"

var validName = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$`)

func checkName(kind, name string) error {
	switch {
	case len(name) > 32:
		return errValidation("%s name '%s' cannot be longer than '32' characters", kind, name)
	case !validName.MatchString(name):
		return errValidation("%s name '%s' can only contain characters that are alphanumeric characters or hyphens(-) and cannot begin or end with a hyphen", kind, name)
	case kind == "Load balancer" && strings.HasPrefix(name, "internal-"):
		return errValidation("Load balancer name '%s' cannot begin with 'internal-'", name)
	}
	return nil
}

// CreateLoadBalancer makes an Application Load Balancer with a network
// interface in each subnet. The same name with the same settings returns the
// one that exists.
func (s *Service) CreateLoadBalancer(ctx context.Context, in *elbv2api.CreateLoadBalancerInput) (*elbv2api.CreateLoadBalancerOutput, error) {
	if in.Type != "" && in.Type != "application" {
		return nil, errUnsupportedType(string(in.Type))
	}
	if in.IpAddressType != "" && in.IpAddressType != "ipv4" {
		return nil, errConfiguration("IP address type '%s' is not supported by this engine: only 'ipv4' is", in.IpAddressType)
	}
	if err := checkName("Load balancer", val(in.Name)); err != nil {
		return nil, err
	}
	if in.Scheme == "" {
		in.Scheme = "internet-facing"
	}
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	subnets, err := subnetIDs(in.Subnets, in.SubnetMappings)
	if err != nil {
		return nil, err
	}
	scope := scopeOf(ctx)
	b := LoadBalancer{
		Scope: scope, Name: *in.Name, ID: awsapi.NewID(ctx, "", 16), Scheme: in.Scheme, SecurityGroups: slices.Clone(in.SecurityGroups),
		Tags: tags, Created: time.Now().UTC(), State: "provisioning",
	}
	b.ARN = scope.ARN("elasticloadbalancing", "loadbalancer/app/"+b.Name+"/"+b.ID)
	interfaces := drawIDs(ctx, len(subnets))
	return update(s, func(tx *store.Tx) (*elbv2api.CreateLoadBalancerOutput, error) {
		row := b
		if old, ok := balancerNamed(tx, scope, b.Name); ok {
			if !s.sameBalancer(ctx, old, row, subnets) {
				return nil, fault("DuplicateLoadBalancerName", "A load balancer with the same name '%s' exists, but with different settings", b.Name)
			}
			return &elbv2api.CreateLoadBalancerOutput{LoadBalancers: []elbv2api.LoadBalancer{old.api()}}, nil
		}
		if countOf(LoadBalancers.List(tx, balancerPrefix(scope))) >= maxBalancers {
			return nil, errTooMany("TooManyLoadBalancers", "The maximum number of load balancers has been reached")
		}
		row.DNSName = s.dnsName(tx, row)
		if err := row.place(tx, subnets, interfaces); err != nil {
			return nil, err
		}
		LoadBalancers.Put(tx, row)
		return &elbv2api.CreateLoadBalancerOutput{LoadBalancers: []elbv2api.LoadBalancer{row.api()}}, nil
	})
}

func drawIDs(ctx context.Context, n int) (ids []string) {
	for range n {
		ids = append(ids, awsapi.NewID(ctx, "eni-", 17))
	}
	return ids
}

// sameBalancer tells whether a create asks for what exists, so that it may
// be repeated.
func (s *Service) sameBalancer(ctx context.Context, old, row LoadBalancer, subnets []string) bool {
	if r, ok := cfn.From(ctx); ok && !r.Owns(old.Tags) {
		return false
	}
	var have []string
	for _, n := range old.Nodes {
		have = append(have, n.Subnet)
	}
	groups := slices.Sorted(slices.Values(row.SecurityGroups))
	return old.Scheme == row.Scheme && slices.Equal(slices.Sorted(slices.Values(have)), slices.Sorted(slices.Values(subnets))) &&
		(len(groups) == 0 || slices.Equal(groups, slices.Sorted(slices.Values(old.SecurityGroups))))
}

// dnsName is <name>.<domain>, with the id when another account or region has
// a load balancer of that name, and with the host's port when that is not 80.
func (s *Service) dnsName(r store.Reader, b LoadBalancer) string {
	name := strings.ToLower(b.Name) + "." + s.cfg.Domain
	for other := range LoadBalancers.List(r, "") {
		if other.Host() == name {
			name = strings.ToLower(b.Name) + "-" + b.ID + "." + s.cfg.Domain
			break
		}
	}
	if p := s.cfg.HostPort(80); p != 80 {
		name += fmt.Sprintf(":%d", p)
	}
	return name
}

// subnetIDs reads the two ways to name subnets.
func subnetIDs(subnets []string, mappings []elbv2api.SubnetMapping) ([]string, error) {
	if len(subnets) > 0 && len(mappings) > 0 {
		return nil, errValidation("You can specify either Subnets or SubnetMappings, not both")
	}
	out := slices.Clone(subnets)
	for _, m := range mappings {
		if m.AllocationId != nil {
			return nil, errConfiguration("Elastic IP addresses are not supported for load balancers of type 'application'")
		}
		out = append(out, val(m.SubnetId))
	}
	if len(out) < 2 {
		return nil, errValidation("At least two subnets in two different Availability Zones must be specified")
	}
	return out, nil
}

// place checks subnets and security groups and gives the load balancer its
// interfaces, keeping those it has.
func (b *LoadBalancer) place(tx *store.Tx, subnets, interfaces []string) error {
	old := b.Nodes
	b.Nodes, b.VPC = nil, ""
	for i, id := range subnets {
		sub, err := ec2.Subnets.Get(tx, b.Scope.Key(id))
		if err != nil {
			return fault("SubnetNotFound", "The subnet ID '%s' does not exist", id)
		}
		if b.VPC != "" && b.VPC != sub.VPC {
			return errConfiguration("All subnets must belong to the same VPC: '%s'", b.VPC)
		}
		b.VPC = sub.VPC
		for _, n := range b.Nodes {
			if n.Zone == sub.AZ {
				return errConfiguration("A load balancer cannot be attached to multiple subnets in the same Availability Zone")
			}
		}
		if at := slices.IndexFunc(old, func(n Node) bool { return n.Subnet == id }); at >= 0 {
			b.Nodes = append(b.Nodes, old[at])
			continue
		}
		b.Nodes = append(b.Nodes, Node{Zone: sub.AZ, Subnet: id, Interface: interfaces[i]})
	}
	if err := b.checkGroups(tx); err != nil {
		return err
	}
	for i := range b.Nodes {
		n := &b.Nodes[i]
		if n.IP != "" {
			continue
		}
		nic, err := ec2.CreateInterface(tx, b.Scope, ec2.InterfaceSpec{
			ID: n.Interface, SubnetID: n.Subnet, GroupIDs: b.SecurityGroups, Type: "load_balancer", OwnerARN: b.ARN,
			Description: "ELB app/" + b.Name + "/" + b.ID, PublicIP: b.Scheme == "internet-facing",
		})
		if err != nil {
			return err
		}
		n.IP = nic.IP
		if len(b.SecurityGroups) == 0 {
			b.SecurityGroups = nic.Groups // the VPC's default group
		}
	}
	for _, n := range old {
		if !slices.ContainsFunc(b.Nodes, func(m Node) bool { return m.Subnet == n.Subnet }) {
			if err := ec2.DeleteInterface(tx, b.Scope, n.Interface); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *LoadBalancer) checkGroups(r store.Reader) error {
	for _, id := range b.SecurityGroups {
		g, err := ec2.Groups.Get(r, b.Scope.Key(id))
		if err != nil {
			return fault("InvalidSecurityGroup", "The security group '%s' does not exist", id)
		}
		if g.VPC != b.VPC {
			return errConfiguration("One or more security groups are invalid: '%s' does not belong to VPC '%s'", id, b.VPC)
		}
	}
	return nil
}

func balancerPrefix(scope arn.Scope) string {
	return scope.ARN("elasticloadbalancing", "loadbalancer/")
}

func balancerNamed(r store.Reader, scope arn.Scope, name string) (LoadBalancer, bool) {
	for b := range LoadBalancers.List(r, scope.ARN("elasticloadbalancing", "loadbalancer/app/"+name+"/")) {
		return b, true
	}
	return LoadBalancer{}, false
}

// balancer finds a load balancer of the caller by its ARN.
func balancer(r store.Reader, scope arn.Scope, id string) (LoadBalancer, error) {
	if err := checkARN(id, "loadbalancer/", "load balancer"); err != nil {
		return LoadBalancer{}, err
	}
	b, err := LoadBalancers.Get(r, id)
	if err != nil || b.Scope != scope {
		return LoadBalancer{}, errBalancerNotFound(id)
	}
	return b, nil
}

// DescribeLoadBalancers lists load balancers, all or by ARN or name.
func (s *Service) DescribeLoadBalancers(ctx context.Context, in *elbv2api.DescribeLoadBalancersInput) (*elbv2api.DescribeLoadBalancersOutput, error) {
	scope, snap := scopeOf(ctx), s.store.Snapshot()
	var rows []LoadBalancer
	switch {
	case len(in.LoadBalancerArns) > 0 && len(in.Names) > 0:
		return nil, errValidation("Load balancer names and load balancer ARNs cannot be specified at the same time")
	case len(in.LoadBalancerArns) > 0:
		for _, id := range in.LoadBalancerArns {
			b, err := balancer(snap, scope, id)
			if err != nil {
				return nil, err
			}
			rows = append(rows, b)
		}
	case len(in.Names) > 0:
		for _, name := range in.Names {
			b, ok := balancerNamed(snap, scope, name)
			if !ok {
				return nil, errBalancerNotFound(name)
			}
			rows = append(rows, b)
		}
	default:
		rows = slices.Collect(LoadBalancers.List(snap, balancerPrefix(scope)))
	}
	out := &elbv2api.DescribeLoadBalancersOutput{LoadBalancers: []elbv2api.LoadBalancer{}}
	page, next, err := paged(rows, func(b LoadBalancer) string { return b.ARN }, in.Marker, in.PageSize)
	for _, b := range page {
		out.LoadBalancers = append(out.LoadBalancers, b.api())
	}
	out.NextMarker = next
	return out, err
}

func (b LoadBalancer) api() elbv2api.LoadBalancer {
	out := elbv2api.LoadBalancer{
		LoadBalancerArn: new(b.ARN), DNSName: new(b.DNSName), CanonicalHostedZoneId: new(zoneID), CreatedTime: new(b.Created),
		LoadBalancerName: new(b.Name), Scheme: b.Scheme, VpcId: new(b.VPC), Type: "application", IpAddressType: "ipv4",
		State: &elbv2api.LoadBalancerState{Code: b.State}, SecurityGroups: b.SecurityGroups,
		AvailabilityZones: zones(b.Nodes),
	}
	if b.Reason != "" {
		out.State.Reason = new(b.Reason)
	}
	return out
}

func zones(nodes []Node) (out []elbv2api.AvailabilityZone) {
	for _, n := range nodes {
		out = append(out, elbv2api.AvailabilityZone{ZoneName: new(n.Zone), SubnetId: new(n.Subnet), LoadBalancerAddresses: []elbv2api.LoadBalancerAddress{}})
	}
	return out
}

// DeleteLoadBalancer removes a load balancer with its listeners and rules.
// One that is gone is no error; deletion protection is.
func (s *Service) DeleteLoadBalancer(ctx context.Context, in *elbv2api.DeleteLoadBalancerInput) (*elbv2api.DeleteLoadBalancerOutput, error) {
	if err := checkARN(val(in.LoadBalancerArn), "loadbalancer/", "load balancer"); err != nil {
		return nil, err
	}
	return update(s, func(tx *store.Tx) (*elbv2api.DeleteLoadBalancerOutput, error) {
		out := &elbv2api.DeleteLoadBalancerOutput{}
		b, err := balancer(tx, scopeOf(ctx), *in.LoadBalancerArn)
		if err != nil {
			return out, nil //nolint:nilerr // gone is what was asked for
		}
		if b.Attributes["deletion_protection.enabled"] == "true" {
			return nil, fault("OperationNotPermitted", "Load balancer '%s' cannot be deleted because deletion protection is enabled", b.ARN)
		}
		for l := range Listeners.By(tx, "loadbalancer", b.ARN) {
			deleteListener(tx, l)
		}
		for _, n := range b.Nodes {
			if err := ec2.DeleteInterface(tx, b.Scope, n.Interface); err != nil {
				return nil, err
			}
		}
		LoadBalancers.Delete(tx, b.ARN)
		return out, nil
	})
}

// SetSecurityGroups replaces the security groups.
func (s *Service) SetSecurityGroups(ctx context.Context, in *elbv2api.SetSecurityGroupsInput) (*elbv2api.SetSecurityGroupsOutput, error) {
	return update(s, func(tx *store.Tx) (*elbv2api.SetSecurityGroupsOutput, error) {
		b, err := balancer(tx, scopeOf(ctx), val(in.LoadBalancerArn))
		if err != nil {
			return nil, err
		}
		if len(in.SecurityGroups) == 0 {
			return nil, errValidation("At least one security group must be specified")
		}
		b.SecurityGroups = slices.Clone(in.SecurityGroups)
		if err := b.checkGroups(tx); err != nil {
			return nil, err
		}
		for _, n := range b.Nodes {
			if nic, err := ec2.Interfaces.Get(tx, b.Scope.Key(n.Interface)); err == nil {
				nic.Groups = b.SecurityGroups
				ec2.Interfaces.Put(tx, nic)
			}
		}
		LoadBalancers.Put(tx, b)
		return &elbv2api.SetSecurityGroupsOutput{SecurityGroupIds: b.SecurityGroups}, nil
	})
}

// SetSubnets replaces the subnets; nodes in subnets that stay keep their
// address.
func (s *Service) SetSubnets(ctx context.Context, in *elbv2api.SetSubnetsInput) (*elbv2api.SetSubnetsOutput, error) {
	subnets, err := subnetIDs(in.Subnets, in.SubnetMappings)
	if err != nil {
		return nil, err
	}
	interfaces := drawIDs(ctx, len(subnets))
	return update(s, func(tx *store.Tx) (*elbv2api.SetSubnetsOutput, error) {
		b, err := balancer(tx, scopeOf(ctx), val(in.LoadBalancerArn))
		if err != nil {
			return nil, err
		}
		vpc := b.VPC
		if err := b.place(tx, subnets, interfaces); err != nil {
			return nil, err
		}
		if b.VPC != vpc {
			return nil, errConfiguration("The subnets must belong to the load balancer's VPC '%s'", vpc)
		}
		LoadBalancers.Put(tx, b)
		return &elbv2api.SetSubnetsOutput{AvailabilityZones: zones(b.Nodes), IpAddressType: "ipv4"}, nil
	})
}

// SetIpAddressType accepts ipv4 alone.
func (s *Service) SetIpAddressType(ctx context.Context, in *elbv2api.SetIpAddressTypeInput) (*elbv2api.SetIpAddressTypeOutput, error) {
	if _, err := balancer(s.store.Snapshot(), scopeOf(ctx), val(in.LoadBalancerArn)); err != nil {
		return nil, err
	}
	if in.IpAddressType != "ipv4" {
		return nil, errConfiguration("IP address type '%s' is not supported by this engine: only 'ipv4' is", in.IpAddressType)
	}
	return &elbv2api.SetIpAddressTypeOutput{IpAddressType: "ipv4"}, nil
}
