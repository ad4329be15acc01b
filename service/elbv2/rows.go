package elbv2

import (
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// The tables; every row is keyed by its ARN, which begins with region and
// account, targets by group ARN, address and port.
var (
	LoadBalancers = store.NewTable("elbv2/loadbalancer", func(b LoadBalancer) string { return b.ARN })

	Listeners = store.NewTable("elbv2/listener", func(l Listener) string { return l.ARN },
		store.Index("loadbalancer", func(l Listener) []string { return []string{l.LoadBalancerARN} }))

	Rules = store.NewTable("elbv2/rule", func(r Rule) string { return r.ARN },
		store.Index("listener", func(r Rule) []string { return []string{r.ListenerARN} }),
		store.Index("group", func(r Rule) []string { return groupsOf(r.Actions) }))

	TargetGroups = store.NewTable("elbv2/targetgroup", func(g TargetGroup) string { return g.ARN })

	Targets = store.NewTable("elbv2/target", func(t Target) string { return targetKey(t.GroupARN, t.ID, t.Port) },
		store.Index("group", func(t Target) []string { return []string{t.GroupARN} }))
)

// Tables are the service's tables.
func Tables() []store.Schema {
	return []store.Schema{LoadBalancers, Listeners, Rules, TargetGroups, Targets, authorities}
}

// LoadBalancer is an Application Load Balancer.
type LoadBalancer struct {
	Scope          arn.Scope
	ARN            string
	Name           string
	ID             string // 16 hex digits
	DNSName        string // with :port where port 80 of the host is not 80
	Scheme         elbv2api.LoadBalancerSchemeEnum
	VPC            string
	Nodes          []Node // one per zone
	SecurityGroups []string
	Attributes     map[string]string // only what differs from the defaults
	Tags           map[string]string
	Created        time.Time
	State          elbv2api.LoadBalancerStateEnum
	Reason         string
}

// Host is the DNS name without port.
func (b LoadBalancer) Host() string {
	host, _, _ := strings.Cut(b.DNSName, ":")
	return host
}

// Node is the load balancer's presence in one zone.
type Node struct {
	Zone, Subnet  string
	Interface, IP string
}

// Listener is a port of a load balancer. Its default actions are those of
// its default rule.
type Listener struct {
	Scope           arn.Scope
	ARN             string
	LoadBalancerARN string
	Port            int
	Protocol        elbv2api.ProtocolEnum
	SSLPolicy       string
	Certificates    []string // ARNs, the default one first
	Attributes      map[string]string
	Tags            map[string]string
}

// Rule is a rule of a listener.
type Rule struct {
	Scope       arn.Scope
	ARN         string
	ListenerARN string
	Default     bool
	Priority    int // 1-50000; 0 for the default rule, which comes last
	Conditions  []elbv2api.RuleCondition
	Actions     []elbv2api.Action
	Tags        map[string]string
}

// TargetGroup is a group of addresses that serve the same thing.
type TargetGroup struct {
	Scope           arn.Scope
	ARN             string
	Name            string
	Protocol        elbv2api.ProtocolEnum
	ProtocolVersion string // HTTP1, HTTP2, GRPC
	Port            int
	VPC             string
	TargetType      elbv2api.TargetTypeEnum
	Health          HealthCheck
	Attributes      map[string]string
	Tags            map[string]string
}

// HealthCheck is how a group's targets are probed.
type HealthCheck struct {
	Protocol  elbv2api.ProtocolEnum
	Port      string // a number or traffic-port
	Path      string
	Interval  time.Duration
	Timeout   time.Duration
	Healthy   int    // consecutive successes
	Unhealthy int    // consecutive failures
	Matcher   string // HTTP codes, or gRPC codes when the group speaks gRPC
}

// Target is an address registered with a group. The health loop writes its
// health, only when it changes.
type Target struct {
	Scope        arn.Scope
	GroupARN     string
	ID           string // IP address
	Port         int
	AZ           string
	State        string // initial, healthy, unhealthy, unused, draining
	Reason       string // in AWS's words: Elb.InitialHealthChecking, Target.Timeout, ...
	Description  string
	RegisteredAt time.Time
	HealthyAt    time.Time // when it last became healthy: begin of its slow start
	DrainingAt   time.Time
}

func (t Target) addr() string { return net.JoinHostPort(t.ID, strconv.Itoa(t.Port)) }

func targetKey(group, id string, port int) string { return group + "/" + id + ":" + strconv.Itoa(port) }

// groupOfTarget is the group in a target's key.
func groupOfTarget(key string) string { return key[:strings.LastIndexByte(key, '/')] }

// States of targets.
const (
	Initial   = "initial"
	Healthy   = "healthy"
	Unhealthy = "unhealthy"
	Unused    = "unused"
	Draining  = "draining"
)

// groupsOf are the groups that actions forward to.
func groupsOf(actions []elbv2api.Action) []string {
	var out []string
	for _, a := range actions {
		for _, t := range tuples(a) {
			out = append(out, val(t.TargetGroupArn))
		}
	}
	return out
}

// tuples are the groups of a forward action with their weights, in the one
// form there is internally.
func tuples(a elbv2api.Action) []elbv2api.TargetGroupTuple {
	switch {
	case a.Type != elbv2api.ActionTypeEnumForward:
		return nil
	case a.ForwardConfig != nil && len(a.ForwardConfig.TargetGroups) > 0:
		return a.ForwardConfig.TargetGroups
	case a.TargetGroupArn != nil:
		return []elbv2api.TargetGroupTuple{{TargetGroupArn: a.TargetGroupArn, Weight: new(int32(1))}}
	}
	return nil
}

func val[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
