package ec2

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/store"
)

// privateDNSNames are services whose public name is not <service>.<region>.amazonaws.com.
var privateDNSNames = map[string]string{
	"ecr.api": "api.ecr", "ecr.dkr": "*.dkr.ecr", "ecs-agent": "ecs-a", "ecs-telemetry": "ecs-t",
	"appmesh-envoy-management": "appmesh-envoy-management",
}

// privateDNSName is the public name of an endpoint's service, which private DNS
// points to the endpoint. It may begin with "*.".
func privateDNSName(e Endpoint) string {
	short := strings.TrimPrefix(e.Service, "com.amazonaws."+e.Scope.Region+".")
	if name, ok := privateDNSNames[short]; ok {
		short = name
	}
	return short + "." + e.Scope.Region + ".amazonaws.com"
}

// dnsNames are the names of an interface endpoint: its own, one per zone, and
// with private DNS the service's.
func (e Endpoint) dnsNames(r store.Reader) []string {
	if e.gateway() {
		return nil
	}
	suffix := "." + strings.TrimPrefix(e.Service, "com.amazonaws."+e.Scope.Region+".") + "." + e.Scope.Region + ".vpce.amazonaws.com"
	stem := e.ID + "-" + e.ID[len(e.ID)-8:]
	names := []string{stem + suffix}
	for _, id := range e.Interfaces {
		if i, err := Interfaces.Get(r, e.Scope.Key(id)); err == nil {
			names = append(names, stem+"-"+i.AZ+suffix)
		}
	}
	if e.PrivateDNS {
		names = append(names, privateDNSName(e))
	}
	return names
}

// resolveTTL is the TTL of the names that Resolve answers.
const resolveTTL = 60 * time.Second

// Resolve answers names that EC2 itself gives inside of a VPC: of interface
// endpoints, and of private addresses (ip-10-0-3-7.ec2.internal). name is in lower
// case, without the final dot. ok false: the name is none of EC2's.
func Resolve(r store.Reader, vpcID, name string) (ips []netip.Addr, ttl time.Duration, ok bool) {
	for v := range VPCs.By(r, "id", vpcID) {
		if !v.DNSSupport {
			return nil, 0, false
		}
		for e := range Endpoints.By(r, "vpc", v.key()) {
			if ips, ok := e.resolve(r, name); ok {
				return ips, resolveTTL, true
			}
		}
		text, ok := strings.CutSuffix(name, "."+privateDomain(v.Scope.Region))
		if !ok {
			continue
		}
		for i := range Interfaces.By(r, "vpc", v.key()) {
			if "ip-"+dashed(i.IP) == text {
				return []netip.Addr{netip.MustParseAddr(i.IP)}, resolveTTL, true
			}
		}
		return nil, resolveTTL, true
	}
	return nil, 0, false
}

func (e Endpoint) resolve(r store.Reader, name string) ([]netip.Addr, bool) {
	names := e.dnsNames(r)
	n := slices.IndexFunc(names, func(have string) bool {
		parent, wild := strings.CutPrefix(have, "*")
		return have == name || wild && strings.HasSuffix(name, parent)
	})
	if n < 0 {
		return nil, false
	}
	var ips []netip.Addr
	for k, id := range e.Interfaces {
		if i, err := Interfaces.Get(r, e.Scope.Key(id)); err == nil && (n == 0 || n > len(e.Interfaces) || n == k+1) {
			ips = append(ips, netip.MustParseAddr(i.IP))
		}
	}
	return ips, true
}
