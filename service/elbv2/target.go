package elbv2

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/ec2"
)

// RegisterTarget adds an address to a group; one that is there and not
// draining stays as it is. The error is TargetGroupNotFound.
func RegisterTarget(tx *store.Tx, groupARN, ip string, port int, az string) error {
	g, err := TargetGroups.Get(tx, groupARN)
	if err != nil {
		return errGroupNotFound()
	}
	if old, err := Targets.Get(tx, targetKey(groupARN, ip, port)); err == nil && old.State != Draining {
		return nil
	}
	t := Target{Scope: g.Scope, GroupARN: groupARN, ID: ip, Port: port, AZ: az, RegisteredAt: time.Now()}
	t.registering(Attached(tx, groupARN))
	Targets.Put(tx, t)
	return nil
}

// registering gives a target the state it has before its first probe.
func (t *Target) registering(attached bool) {
	if attached {
		t.State, t.Reason, t.Description = Initial, "Elb.RegistrationInProgress", "Target registration is in progress"
	} else {
		t.State, t.Reason, t.Description = Unused, "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"
	}
}

// DeregisterTarget takes an address out of a group: it gets no new requests,
// and its row disappears when those in flight have ended or the
// deregistration delay is over. One that never served disappears at once, as
// one that is not registered is no error.
func DeregisterTarget(tx *store.Tx, groupARN, ip string, port int) error {
	if _, err := TargetGroups.Get(tx, groupARN); err != nil {
		return errGroupNotFound()
	}
	t, err := Targets.Get(tx, targetKey(groupARN, ip, port))
	switch {
	case err != nil || t.State == Draining:
	case t.State == Unused:
		Targets.Delete(tx, targetKey(groupARN, ip, port))
	default:
		t.State, t.Reason, t.Description = Draining, "Target.DeregistrationInProgress", "Target deregistration is in progress"
		t.DrainingAt = time.Now()
		Targets.Put(tx, t)
	}
	return nil
}

// GroupTargets are the targets of a group, draining ones too.
func GroupTargets(r store.Reader, groupARN string) []Target {
	return slices.Collect(Targets.By(r, "group", groupARN))
}

// Attached tells whether a listener or rule forwards to the group.
func Attached(r store.Reader, groupARN string) bool {
	for range Rules.By(r, "group", groupARN) {
		return true
	}
	return false
}

// balancersOf are the ARNs of the load balancers that forward to a group.
func balancersOf(r store.Reader, groupARN string) []string {
	var out []string
	for rule := range Rules.By(r, "group", groupARN) {
		if l, err := Listeners.Get(r, rule.ListenerARN); err == nil && !slices.Contains(out, l.LoadBalancerARN) {
			out = append(out, l.LoadBalancerARN)
		}
	}
	slices.Sort(out)
	return out
}

// RegisterTargets adds addresses to a group.
func (s *Service) RegisterTargets(ctx context.Context, in *elbv2api.RegisterTargetsInput) (*elbv2api.RegisterTargetsOutput, error) {
	return update(s, func(tx *store.Tx) (*elbv2api.RegisterTargetsOutput, error) {
		g, err := group(tx, scopeOf(ctx), val(in.TargetGroupArn))
		if err != nil {
			return nil, err
		}
		count := len(GroupTargets(tx, g.ARN))
		for _, d := range in.Targets {
			ip, port, zone, err := g.place(tx, d)
			if err != nil {
				return nil, err
			}
			if count++; count > maxTargets {
				return nil, errTooMany("TooManyTargets", "The maximum number of targets per target group has been reached")
			}
			if err := RegisterTarget(tx, g.ARN, ip, port, zone); err != nil {
				return nil, err
			}
		}
		return &elbv2api.RegisterTargetsOutput{}, nil
	})
}

// private are the ranges a target may be in besides its VPC's: RFC 1918 and
// RFC 6598, which then need the zone "all".
var private = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
}

// place checks a target description and finds its zone.
func (g TargetGroup) place(r store.Reader, d elbv2api.TargetDescription) (ip string, port int, zone string, err error) {
	addr, err := netip.ParseAddr(val(d.Id))
	if err != nil || !addr.Is4() {
		return "", 0, "", errValidation("The IP address '%s' is not a valid IPv4 address", val(d.Id))
	}
	port = int(val(d.Port))
	if d.Port == nil {
		port = g.Port
	}
	if port < 1 || port > 65535 {
		return "", 0, "", errValidation("Port '%d' must be between 1 and 65535", port)
	}
	for sub := range ec2.Subnets.By(r, "vpc", g.Scope.Key(g.VPC)) {
		if p, err := netip.ParsePrefix(sub.CIDR); err == nil && p.Contains(addr) {
			return addr.String(), port, sub.AZ, nil
		}
	}
	if val(d.AvailabilityZone) != "all" {
		return "", 0, "", errTarget("You must specify an Availability Zone of 'all' for IP address '%s' because it is outside the VPC", addr)
	}
	if !slices.ContainsFunc(private, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return "", 0, "", errTarget("The IP address '%s' is not within a valid private range", addr)
	}
	return addr.String(), port, "all", nil
}

// DeregisterTargets takes addresses out of a group. Without a port, all
// registrations of the address go.
func (s *Service) DeregisterTargets(ctx context.Context, in *elbv2api.DeregisterTargetsInput) (*elbv2api.DeregisterTargetsOutput, error) {
	return update(s, func(tx *store.Tx) (*elbv2api.DeregisterTargetsOutput, error) {
		g, err := group(tx, scopeOf(ctx), val(in.TargetGroupArn))
		if err != nil {
			return nil, err
		}
		for _, d := range in.Targets {
			for _, t := range GroupTargets(tx, g.ARN) {
				if t.ID == val(d.Id) && (d.Port == nil || t.Port == int(*d.Port)) {
					if err := DeregisterTarget(tx, g.ARN, t.ID, t.Port); err != nil {
						return nil, err
					}
				}
			}
		}
		return &elbv2api.DeregisterTargetsOutput{}, nil
	})
}

// DescribeTargetHealth tells the health of the group's targets, or of those
// asked for: one that is not registered is "unused".
func (s *Service) DescribeTargetHealth(ctx context.Context, in *elbv2api.DescribeTargetHealthInput) (*elbv2api.DescribeTargetHealthOutput, error) {
	snap := s.store.Snapshot()
	g, err := group(snap, scopeOf(ctx), val(in.TargetGroupArn))
	if err != nil {
		return nil, err
	}
	out := &elbv2api.DescribeTargetHealthOutput{}
	all := GroupTargets(snap, g.ARN)
	if len(in.Targets) == 0 {
		for _, t := range all {
			out.TargetHealthDescriptions = append(out.TargetHealthDescriptions, g.describe(t))
		}
		return out, nil
	}
	for _, d := range in.Targets {
		found := false
		for _, t := range all {
			if t.ID == val(d.Id) && (d.Port == nil || t.Port == int(*d.Port)) {
				out.TargetHealthDescriptions, found = append(out.TargetHealthDescriptions, g.describe(t)), true
			}
		}
		if !found {
			port := int(val(d.Port))
			if port == 0 {
				port = g.Port
			}
			out.TargetHealthDescriptions = append(out.TargetHealthDescriptions, g.describe(Target{
				ID: val(d.Id), Port: port, State: Unused, Reason: "Target.NotRegistered", Description: "Target is not registered to the target group",
			}))
		}
	}
	return out, nil
}

func (g TargetGroup) describe(t Target) elbv2api.TargetHealthDescription {
	port := g.Health.Port
	if port == trafficPort {
		port = strconv.Itoa(t.Port)
	}
	d := elbv2api.TargetHealthDescription{
		Target:                 &elbv2api.TargetDescription{Id: new(t.ID), Port: new(int32(t.Port))},
		HealthCheckPort:        new(port),
		TargetHealth:           &elbv2api.TargetHealth{State: elbv2api.TargetHealthStateEnum(t.State), Reason: elbv2api.TargetHealthReasonEnum(t.Reason)},
		AdministrativeOverride: &elbv2api.AdministrativeOverride{State: "no_override", Reason: "AdministrativeOverride.NoOverride", Description: new("No override is currently active on target")},
	}
	if t.AZ != "" {
		d.Target.AvailabilityZone = new(t.AZ)
	}
	if t.Description != "" {
		d.TargetHealth.Description = new(t.Description)
	}
	return d
}

// group finds a target group of the caller by its ARN.
func group(r store.Reader, scope arn.Scope, id string) (TargetGroup, error) {
	if err := checkARN(id, "targetgroup/", "target group"); err != nil {
		return TargetGroup{}, err
	}
	g, err := TargetGroups.Get(r, id)
	if err != nil || g.Scope != scope {
		return TargetGroup{}, errGroupNotFound()
	}
	return g, nil
}
