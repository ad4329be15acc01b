// Package elbv2 is Elastic Load Balancing v2: Application Load Balancers with
// their listeners, rules and target groups. Operations write rows; loops
// make them true: the proxy's configuration is a pure function of a snapshot,
// the health of each target is probed from its load balancer's own address,
// deregistered targets are let go when nothing is in flight on them.
//
// All load balancers share the host's sockets and are told apart by Host
// header or TLS server name. Network and Gateway Load Balancers, targets that
// are instances or functions, and authentication actions are refused.
//
// Invariant: a target's row is written by its registration and
// deregistration, and by the health loop only when its health changes; no
// probe writes.
package elbv2

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/dataplane/proxy"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/s3"
)

// Sockets opens listeners on the host; *sandbox.Host is one. A listener that
// is closed keeps its place on the host, so that a restart of the engine loses
// no connection; Unlisten gives it up.
type Sockets interface {
	Listen(ctx context.Context, addr string) (net.Listener, error)
	Unlisten(ctx context.Context, addr string) error
}

// Network reaches into VPCs; *vpc.Network is one.
type Network interface {
	Dialer(vpcID string, source netip.Addr) func(ctx context.Context, network, addr string) (net.Conn, error)
	Listen(ctx context.Context, vpcID, network, addr string) (net.Listener, error)
}

// Certificates finds the certificate behind an ARN (ACM, IAM). Without one
// set, or when it has none, the engine issues a certificate of its own for
// each ARN.
type Certificates interface {
	Certificate(r store.Reader, certificateARN string) (tls.Certificate, bool)
}

// Config is what the service is made of.
type Config struct {
	Store   *store.Store
	Log     *slog.Logger
	Sockets Sockets
	Network Network
	// Certificates may be nil.
	Certificates Certificates
	// Host is the address listeners bind on the host. Default 127.0.0.1.
	Host string
	// HostPort maps a listener's port to the host's, such as 80 to 8080 for
	// an ordinary user. Default: the same port.
	HostPort func(port int) int
	// Domain is what DNS names end in. Default elb.localhost.
	Domain string
	// Speed divides health-check intervals, timeouts, slow start and
	// deregistration delay: the engine's clock speed. Default 1.
	Speed float64
	// Deliver puts the access logs of load balancers into their buckets. nil:
	// there are none, whatever their attributes.
	Deliver func(ctx context.Context, d s3.Delivery) error
	// Fronted reports whether a port of an address in a VPC is a mesh's proxy,
	// whose word is taken for that a request has reached no application: it is
	// sent to another target. May be nil.
	Fronted func(vpc string, at netip.AddrPort) bool
	// CookieKey seals stickiness cookies: a secret that outlives restarts.
	// Default: random, so that clients lose their targets at a restart.
	CookieKey []byte
}

// Service is the service. Close it after its loops have ended.
type Service struct {
	store  *store.Store
	log    *slog.Logger
	cfg    Config
	api    *awsapi.Service
	proxy  *proxy.Server
	access *accessLogs

	configured *store.Revision // that the proxy has; nil: look at everything. The configuration loop's

	mu     sync.Mutex
	probes map[string]*probing // by target key
	faults map[string]string   // by listener ARN: why it cannot be served
	issued map[string]tls.Certificate
}

// New makes the service; it serves once its loops run.
func New(c Config) (*Service, error) {
	if c.Host == "" {
		c.Host = "127.0.0.1"
	}
	if c.HostPort == nil {
		c.HostPort = func(port int) int { return port }
	}
	if c.Domain == "" {
		c.Domain = "elb.localhost"
	}
	if c.Speed <= 0 {
		c.Speed = 1
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{
		store: c.Store, log: c.Log, cfg: c, api: awsapi.NewService("elbv2"),
		probes: map[string]*probing{}, faults: map[string]string{}, issued: map[string]tls.Certificate{},
	}
	s.access = newAccessLogs(s)
	var err error
	s.proxy, err = proxy.New(proxy.Options{
		Listen: s.listen, Unlisten: s.unlisten, Dial: s.dial, AccessLog: s.access.write, Log: c.Log, CookieKey: c.CookieKey, Vouch: s.vouch(),
	})
	if err != nil {
		return nil, fmt.Errorf("start the load balancers' proxy: %w", err)
	}
	s.handle()
	return s, nil
}

// Close lets requests in flight end until ctx is done, then stops serving.
func (s *Service) Close(ctx context.Context) error { return s.proxy.Close(ctx) }

// API is the service for the endpoint.
func (s *Service) API() *awsapi.Service { return s.api }

// Proxy is the data plane, for its metrics.
func (s *Service) Proxy() *proxy.Server { return s.proxy }

// Loops keep the data plane true.
func (s *Service) Loops() []loop.Loop {
	return []loop.Loop{s.configLoop(), s.healthLoop(), s.drainLoop(), s.stateLoop()}
}

// Resources are the CloudFormation types.
func (s *Service) Resources() []cfn.Type {
	return []cfn.Type{
		cfn.Of("AWS::ElasticLoadBalancingV2::LoadBalancer", balancerResource{s}),
		cfn.Of("AWS::ElasticLoadBalancingV2::Listener", listenerResource{s}),
		cfn.Of("AWS::ElasticLoadBalancingV2::ListenerRule", ruleResource{s}),
		cfn.Of("AWS::ElasticLoadBalancingV2::ListenerCertificate", certificateResource{s}),
		cfn.Of("AWS::ElasticLoadBalancingV2::TargetGroup", groupResource{s}),
	}
}

func (s *Service) handle() {
	awsapi.Handle(s.api, "CreateLoadBalancer", s.CreateLoadBalancer)
	awsapi.Handle(s.api, "DescribeLoadBalancers", s.DescribeLoadBalancers)
	awsapi.Handle(s.api, "DeleteLoadBalancer", s.DeleteLoadBalancer)
	awsapi.Handle(s.api, "SetSecurityGroups", s.SetSecurityGroups)
	awsapi.Handle(s.api, "SetSubnets", s.SetSubnets)
	awsapi.Handle(s.api, "SetIpAddressType", s.SetIpAddressType)
	awsapi.Handle(s.api, "DescribeLoadBalancerAttributes", s.DescribeLoadBalancerAttributes)
	awsapi.Handle(s.api, "ModifyLoadBalancerAttributes", s.ModifyLoadBalancerAttributes)
	awsapi.Handle(s.api, "CreateListener", s.CreateListener)
	awsapi.Handle(s.api, "DescribeListeners", s.DescribeListeners)
	awsapi.Handle(s.api, "ModifyListener", s.ModifyListener)
	awsapi.Handle(s.api, "DeleteListener", s.DeleteListener)
	awsapi.Handle(s.api, "DescribeListenerAttributes", s.DescribeListenerAttributes)
	awsapi.Handle(s.api, "ModifyListenerAttributes", s.ModifyListenerAttributes)
	awsapi.Handle(s.api, "AddListenerCertificates", s.AddListenerCertificates)
	awsapi.Handle(s.api, "RemoveListenerCertificates", s.RemoveListenerCertificates)
	awsapi.Handle(s.api, "DescribeListenerCertificates", s.DescribeListenerCertificates)
	awsapi.Handle(s.api, "CreateRule", s.CreateRule)
	awsapi.Handle(s.api, "DescribeRules", s.DescribeRules)
	awsapi.Handle(s.api, "ModifyRule", s.ModifyRule)
	awsapi.Handle(s.api, "SetRulePriorities", s.SetRulePriorities)
	awsapi.Handle(s.api, "DeleteRule", s.DeleteRule)
	awsapi.Handle(s.api, "CreateTargetGroup", s.CreateTargetGroup)
	awsapi.Handle(s.api, "DescribeTargetGroups", s.DescribeTargetGroups)
	awsapi.Handle(s.api, "ModifyTargetGroup", s.ModifyTargetGroup)
	awsapi.Handle(s.api, "DeleteTargetGroup", s.DeleteTargetGroup)
	awsapi.Handle(s.api, "DescribeTargetGroupAttributes", s.DescribeTargetGroupAttributes)
	awsapi.Handle(s.api, "ModifyTargetGroupAttributes", s.ModifyTargetGroupAttributes)
	awsapi.Handle(s.api, "RegisterTargets", s.RegisterTargets)
	awsapi.Handle(s.api, "DeregisterTargets", s.DeregisterTargets)
	awsapi.Handle(s.api, "DescribeTargetHealth", s.DescribeTargetHealth)
	awsapi.Handle(s.api, "AddTags", s.AddTags)
	awsapi.Handle(s.api, "RemoveTags", s.RemoveTags)
	awsapi.Handle(s.api, "DescribeTags", s.DescribeTags)
	awsapi.Handle(s.api, "DescribeAccountLimits", s.DescribeAccountLimits)
	awsapi.Handle(s.api, "DescribeSSLPolicies", s.DescribeSSLPolicies)
}

// listen opens a socket of the proxy: on the host, or in a VPC when the
// address is "vpc-id/ip:port".
func (s *Service) listen(ctx context.Context, addr string) (net.Listener, error) {
	if vpc, at, ok := strings.Cut(addr, "/"); ok {
		// The network waits for the interface to be there; the configuration
		// loop rather comes back.
		ctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		return s.cfg.Network.Listen(ctx, vpc, "tcp4", at)
	}
	return s.cfg.Sockets.Listen(ctx, addr)
}

// unlisten gives a socket of the host up.
func (s *Service) unlisten(addr string) {
	if strings.Contains(addr, "/") {
		return // one in a VPC went with its listener
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.cfg.Sockets.Unlisten(ctx, addr); err != nil {
		s.log.Warn("host socket not closed", "addr", addr, "err", err)
	}
}

// dial connects to a target from a load balancer's address: from is
// "vpc-id/ip".
func (s *Service) dial(ctx context.Context, from, addr string) (net.Conn, error) {
	vpc, source, _ := strings.Cut(from, "/")
	ip, err := netip.ParseAddr(source)
	if err != nil {
		return nil, fmt.Errorf("dial %s: load balancer has no address: %w", addr, err)
	}
	return s.cfg.Network.Dialer(vpc, ip)(ctx, "tcp4", addr)
}

// vouch is whose refusals the proxy believes, see dial for its arguments.
func (s *Service) vouch() func(from, addr string) bool {
	if s.cfg.Fronted == nil {
		return nil
	}
	return func(from, addr string) bool {
		vpc, _, _ := strings.Cut(from, "/")
		at, err := netip.ParseAddrPort(addr)
		return err == nil && s.cfg.Fronted(vpc, at)
	}
}

func (s *Service) hostAddr(port int) string {
	return net.JoinHostPort(s.cfg.Host, strconv.Itoa(s.cfg.HostPort(port)))
}

// scaled is a duration under the clock speed.
func (s *Service) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.cfg.Speed)
}

func scopeOf(ctx context.Context) arn.Scope { return awsapi.CallerOf(ctx).Scope }

// update runs fn in a transaction and returns what it returned.
func update[T any](s *Service, fn func(*store.Tx) (T, error)) (T, error) {
	var out T
	err := s.store.Update(func(tx *store.Tx) (err error) {
		out, err = fn(tx)
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return out, nil
}
