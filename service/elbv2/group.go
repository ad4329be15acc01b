package elbv2

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/ec2"
)

const trafficPort = "traffic-port"

func groupPrefix(scope arn.Scope) string { return scope.ARN("elasticloadbalancing", "targetgroup/") }

func groupNamed(r store.Reader, scope arn.Scope, name string) (TargetGroup, bool) {
	for g := range TargetGroups.List(r, groupPrefix(scope)+name+"/") {
		return g, true
	}
	return TargetGroup{}, false
}

// CreateTargetGroup makes a target group of type ip. The same name with the
// same settings returns the one that exists.
func (s *Service) CreateTargetGroup(ctx context.Context, in *elbv2api.CreateTargetGroupInput) (*elbv2api.CreateTargetGroupOutput, error) {
	if err := checkName("Target group", val(in.Name)); err != nil {
		return nil, err
	}
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	scope := scopeOf(ctx)
	g := TargetGroup{
		Scope: scope, Name: *in.Name, Protocol: in.Protocol, ProtocolVersion: val(in.ProtocolVersion), Port: int(val(in.Port)), VPC: val(in.VpcId),
		TargetType: in.TargetType, Tags: tags, ARN: groupPrefix(scope) + *in.Name + "/" + awsapi.NewID(ctx, "", 16),
	}
	if err := g.check(); err != nil {
		return nil, err
	}
	g.Health = g.defaultHealth()
	if err := g.setHealth(healthInput{
		in.HealthCheckProtocol, in.HealthCheckPort, in.HealthCheckPath, in.HealthCheckEnabled, in.HealthCheckIntervalSeconds,
		in.HealthCheckTimeoutSeconds, in.HealthyThresholdCount, in.UnhealthyThresholdCount, in.Matcher,
	}); err != nil {
		return nil, err
	}
	return update(s, func(tx *store.Tx) (*elbv2api.CreateTargetGroupOutput, error) {
		if old, ok := groupNamed(tx, scope, g.Name); ok {
			if !same(old, g) || len(tags) > 0 && !ownedBy(ctx, old.Tags) && tags["aws:cloudformation:stack-id"] != "" {
				return nil, fault("DuplicateTargetGroupName", "A target group with the same name '%s' exists, but with different settings", g.Name)
			}
			return &elbv2api.CreateTargetGroupOutput{TargetGroups: []elbv2api.TargetGroup{old.api(tx)}}, nil
		}
		if _, err := ec2.VPCs.Get(tx, scope.Key(g.VPC)); err != nil {
			return nil, errValidation("The VPC ID '%s' is not found", g.VPC)
		}
		if countOf(TargetGroups.List(tx, groupPrefix(scope))) >= maxGroups {
			return nil, errTooMany("TooManyTargetGroups", "The maximum number of target groups has been reached")
		}
		TargetGroups.Put(tx, g)
		return &elbv2api.CreateTargetGroupOutput{TargetGroups: []elbv2api.TargetGroup{g.api(tx)}}, nil
	})
}

func same(a, b TargetGroup) bool {
	return a.Protocol == b.Protocol && a.ProtocolVersion == b.ProtocolVersion && a.Port == b.Port && a.VPC == b.VPC && a.TargetType == b.TargetType && a.Health == b.Health
}

func (g *TargetGroup) check() error {
	if g.TargetType == "" {
		g.TargetType = "instance"
	}
	switch {
	case g.TargetType != "ip":
		return errConfiguration("Target type '%s' is not supported by this engine: only 'ip' is", g.TargetType)
	case g.Protocol == "":
		return errValidation("A protocol must be specified")
	case !slices.Contains([]elbv2api.ProtocolEnum{"HTTP", "HTTPS", "TCP"}, g.Protocol):
		return errConfiguration("Target group protocol '%s' is not supported by this engine", g.Protocol)
	case g.Port < 1 || g.Port > 65535:
		return errValidation("Port '%d' must be between 1 and 65535", g.Port)
	case g.VPC == "":
		return errValidation("A VPC ID must be specified")
	}
	if g.Protocol == "TCP" {
		if g.ProtocolVersion != "" {
			return errValidation("Protocol version cannot be specified with protocol 'TCP'")
		}
		return nil
	}
	if g.ProtocolVersion = strings.ToUpper(g.ProtocolVersion); g.ProtocolVersion == "" {
		g.ProtocolVersion = "HTTP1"
	}
	if !slices.Contains([]string{"HTTP1", "HTTP2", "GRPC"}, g.ProtocolVersion) {
		return errValidation("Protocol version '%s' must be one of HTTP1, HTTP2, GRPC", g.ProtocolVersion)
	}
	return nil
}

// defaultHealth are the defaults of CreateTargetGroup.
func (g TargetGroup) defaultHealth() HealthCheck {
	h := HealthCheck{Protocol: "HTTP", Port: trafficPort, Path: "/", Interval: 30 * time.Second, Timeout: 5 * time.Second, Healthy: 5, Unhealthy: 2, Matcher: "200"}
	switch {
	case g.ProtocolVersion == "GRPC":
		h.Path, h.Matcher = "/AWS.ALB/healthcheck", "12"
	case g.Protocol == "TCP":
		h.Protocol, h.Path, h.Matcher, h.Timeout, h.Unhealthy = "TCP", "", "", 10*time.Second, 5
	}
	return h
}

// healthInput are the health-check members of an input; absent ones change nothing.
type healthInput struct {
	protocol           elbv2api.ProtocolEnum
	port, path         *string
	enabled            *bool
	interval, timeout  *int32
	healthy, unhealthy *int32
	matcher            *elbv2api.Matcher
}

var codeList = regexp.MustCompile(`^\d{1,3}(-\d{1,3})?(,\d{1,3}(-\d{1,3})?)*$`)

func (g *TargetGroup) setHealth(in healthInput) error {
	h := &g.Health
	if in.enabled != nil && !*in.enabled {
		return errValidation("Health check enabled must be true for target groups with target type '%s'", g.TargetType)
	}
	if in.protocol != "" {
		if !slices.Contains([]elbv2api.ProtocolEnum{"HTTP", "HTTPS"}, in.protocol) && (in.protocol != "TCP" || g.Protocol != "TCP") {
			return errConfiguration("Health check protocol '%s' is not supported for target groups with protocol '%s'", in.protocol, g.Protocol)
		}
		if h.Protocol = in.protocol; h.Protocol != "TCP" && h.Path == "" {
			h.Path, h.Matcher = "/", "200-399"
		}
	}
	if in.port != nil {
		if n, err := strconv.Atoi(*in.port); *in.port != trafficPort && (err != nil || n < 1 || n > 65535) {
			return errValidation("Health check port '%s' must be in the range 1-65535 or 'traffic-port'", *in.port)
		}
		h.Port = *in.port
	}
	if in.path != nil {
		if !strings.HasPrefix(*in.path, "/") || len(*in.path) > 1024 || strings.ContainsAny(*in.path, " \r\n\t") {
			return errValidation("Health check path '%s' must begin with a '/' character, and can only contain printable ASCII characters, without spaces", *in.path)
		}
		h.Path = *in.path
	}
	for _, f := range []struct {
		name     string
		in       *int32
		min, max int32
		set      func(int)
	}{
		{"interval", in.interval, 5, 300, func(n int) { h.Interval = time.Duration(n) * time.Second }},
		{"timeout", in.timeout, 2, 120, func(n int) { h.Timeout = time.Duration(n) * time.Second }},
		{"healthy threshold count", in.healthy, 2, 10, func(n int) { h.Healthy = n }},
		{"unhealthy threshold count", in.unhealthy, 2, 10, func(n int) { h.Unhealthy = n }},
	} {
		if f.in == nil {
			continue
		}
		if *f.in < f.min || *f.in > f.max {
			return errValidation("Health check %s '%d' must be in the range %d-%d", f.name, *f.in, f.min, f.max)
		}
		f.set(int(*f.in))
	}
	if h.Timeout >= h.Interval {
		return errValidation("Health check interval must be greater than the timeout.")
	}
	return g.setMatcher(in.matcher)
}

func (g *TargetGroup) setMatcher(m *elbv2api.Matcher) error {
	if m == nil {
		return nil
	}
	codes, lo, hi := val(m.HttpCode), 200, 499
	if g.ProtocolVersion == "GRPC" {
		codes, lo, hi = val(m.GrpcCode), 0, 99
	}
	if !codeList.MatchString(codes) {
		return errValidation("Health check matcher '%s' is not a valid list of codes or ranges", codes)
	}
	for part := range strings.SplitSeq(codes, ",") {
		from, to, _ := strings.Cut(part, "-")
		if to == "" {
			to = from
		}
		if a, b := atoi(from), atoi(to); a < lo || b > hi || a > b {
			return errValidation("Health check matcher '%s' must be within the range %d-%d", codes, lo, hi)
		}
	}
	g.Health.Matcher = codes
	return nil
}

func (g TargetGroup) api(r store.Reader) elbv2api.TargetGroup {
	seconds := func(d time.Duration) *int32 { return new(int32(d.Seconds())) }
	h := g.Health
	out := elbv2api.TargetGroup{
		TargetGroupArn: new(g.ARN), TargetGroupName: new(g.Name), Protocol: g.Protocol, Port: new(int32(g.Port)), VpcId: new(g.VPC),
		HealthCheckProtocol: h.Protocol, HealthCheckPort: new(h.Port), HealthCheckEnabled: new(true),
		HealthCheckIntervalSeconds: seconds(h.Interval), HealthCheckTimeoutSeconds: seconds(h.Timeout),
		HealthyThresholdCount: new(int32(h.Healthy)), UnhealthyThresholdCount: new(int32(h.Unhealthy)),
		LoadBalancerArns: append([]string{}, balancersOf(r, g.ARN)...), TargetType: g.TargetType, IpAddressType: "ipv4",
	}
	if h.Path != "" {
		out.HealthCheckPath = new(h.Path)
		out.Matcher = &elbv2api.Matcher{HttpCode: new(h.Matcher)}
		if g.ProtocolVersion == "GRPC" {
			out.Matcher = &elbv2api.Matcher{GrpcCode: new(h.Matcher)}
		}
	}
	if g.ProtocolVersion != "" {
		out.ProtocolVersion = new(g.ProtocolVersion)
	}
	return out
}

// DescribeTargetGroups lists target groups: all, by ARN, by name, or of a load balancer.
func (s *Service) DescribeTargetGroups(ctx context.Context, in *elbv2api.DescribeTargetGroupsInput) (*elbv2api.DescribeTargetGroupsOutput, error) {
	snap, scope := s.store.Snapshot(), scopeOf(ctx)
	var rows []TargetGroup
	switch {
	case len(in.TargetGroupArns) > 0 && len(in.Names) > 0:
		return nil, errValidation("Target group names and target group ARNs cannot be specified at the same time")
	case len(in.TargetGroupArns) > 0:
		for _, id := range in.TargetGroupArns {
			g, err := group(snap, scope, id)
			if err != nil {
				return nil, err
			}
			rows = append(rows, g)
		}
	case len(in.Names) > 0:
		for _, name := range in.Names {
			g, ok := groupNamed(snap, scope, name)
			if !ok {
				return nil, errGroupNotFound()
			}
			rows = append(rows, g)
		}
	default:
		rows = slices.Collect(TargetGroups.List(snap, groupPrefix(scope)))
	}
	if in.LoadBalancerArn != nil {
		if _, err := balancer(snap, scope, *in.LoadBalancerArn); err != nil {
			return nil, err
		}
		rows = slices.DeleteFunc(rows, func(g TargetGroup) bool { return !slices.Contains(balancersOf(snap, g.ARN), *in.LoadBalancerArn) })
	}
	page, next, err := paged(rows, func(g TargetGroup) string { return g.ARN }, in.Marker, in.PageSize)
	out := &elbv2api.DescribeTargetGroupsOutput{TargetGroups: []elbv2api.TargetGroup{}, NextMarker: next}
	for _, g := range page {
		out.TargetGroups = append(out.TargetGroups, g.api(snap))
	}
	return out, err
}

// ModifyTargetGroup changes the health check.
func (s *Service) ModifyTargetGroup(ctx context.Context, in *elbv2api.ModifyTargetGroupInput) (*elbv2api.ModifyTargetGroupOutput, error) {
	return update(s, func(tx *store.Tx) (*elbv2api.ModifyTargetGroupOutput, error) {
		g, err := group(tx, scopeOf(ctx), val(in.TargetGroupArn))
		if err != nil {
			return nil, err
		}
		if err := g.setHealth(healthInput{
			in.HealthCheckProtocol, in.HealthCheckPort, in.HealthCheckPath, in.HealthCheckEnabled, in.HealthCheckIntervalSeconds,
			in.HealthCheckTimeoutSeconds, in.HealthyThresholdCount, in.UnhealthyThresholdCount, in.Matcher,
		}); err != nil {
			return nil, err
		}
		TargetGroups.Put(tx, g)
		return &elbv2api.ModifyTargetGroupOutput{TargetGroups: []elbv2api.TargetGroup{g.api(tx)}}, nil
	})
}

// DeleteTargetGroup removes a group that nothing forwards to, with its
// registrations. One that is gone is no error.
func (s *Service) DeleteTargetGroup(ctx context.Context, in *elbv2api.DeleteTargetGroupInput) (*elbv2api.DeleteTargetGroupOutput, error) {
	if err := checkARN(val(in.TargetGroupArn), "targetgroup/", "target group"); err != nil {
		return nil, err
	}
	return update(s, func(tx *store.Tx) (*elbv2api.DeleteTargetGroupOutput, error) {
		out := &elbv2api.DeleteTargetGroupOutput{}
		g, err := group(tx, scopeOf(ctx), *in.TargetGroupArn)
		if err != nil {
			return out, nil //nolint:nilerr // gone is what was asked for
		}
		if Attached(tx, g.ARN) {
			return nil, errGroupInUse(g.ARN)
		}
		for _, t := range GroupTargets(tx, g.ARN) {
			Targets.Delete(tx, targetKey(t.GroupARN, t.ID, t.Port))
		}
		TargetGroups.Delete(tx, g.ARN)
		return out, nil
	})
}
