package elbv2

import (
	"context"
	"crypto/tls"
	"slices"

	"github.com/slipway-dev/slipway/api/elbv2api"
)

// defaultPolicy is what CreateListener takes unasked.
const defaultPolicy = "ELBSecurityPolicy-2016-08"

// policy is a security policy: protocol versions and the TLS 1.2 (and older)
// suites that Go has; suites with plain DHE are never offered.
type policy struct {
	name    string
	min     uint16
	old     bool // suites without forward secrecy too
	onlyNew bool // TLS 1.3 alone
}

// Source: "Security policies for your Application Load Balancer". Policies
// that allow TLS 1.0 and 1.1 do so here.
var policies = []policy{
	{name: defaultPolicy, min: tls.VersionTLS10, old: true},
	{name: "ELBSecurityPolicy-TLS13-1-2-2021-06", min: tls.VersionTLS12},
	{name: "ELBSecurityPolicy-TLS13-1-2-Res-2021-06", min: tls.VersionTLS12},
	{name: "ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06", min: tls.VersionTLS12, old: true},
	{name: "ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06", min: tls.VersionTLS12, old: true},
	{name: "ELBSecurityPolicy-TLS13-1-1-2021-06", min: tls.VersionTLS11, old: true},
	{name: "ELBSecurityPolicy-TLS13-1-0-2021-06", min: tls.VersionTLS10, old: true},
	{name: "ELBSecurityPolicy-TLS13-1-3-2021-06", min: tls.VersionTLS13, onlyNew: true},
	{name: "ELBSecurityPolicy-TLS-1-2-2017-01", min: tls.VersionTLS12, old: true},
	{name: "ELBSecurityPolicy-TLS-1-2-Ext-2018-06", min: tls.VersionTLS12, old: true},
	{name: "ELBSecurityPolicy-TLS-1-1-2017-01", min: tls.VersionTLS11, old: true},
	{name: "ELBSecurityPolicy-FS-2018-06", min: tls.VersionTLS10},
	{name: "ELBSecurityPolicy-FS-1-1-2019-08", min: tls.VersionTLS11},
	{name: "ELBSecurityPolicy-FS-1-2-2019-08", min: tls.VersionTLS12},
	{name: "ELBSecurityPolicy-FS-1-2-Res-2019-08", min: tls.VersionTLS12},
	{name: "ELBSecurityPolicy-FS-1-2-Res-2020-10", min: tls.VersionTLS12},
	{name: "ELBSecurityPolicy-2015-05", min: tls.VersionTLS10, old: true},
}

func policyNamed(name string) (policy, error) {
	i := slices.IndexFunc(policies, func(p policy) bool { return p.name == name })
	if i < 0 {
		return policy{}, fault("SSLPolicyNotFound", "SSL policy '%s' not found", name)
	}
	return policies[i], nil
}

// suites are the TLS 1.2 suites of a policy.
func (p policy) suites() (ids []uint16) {
	for _, c := range tls.CipherSuites() {
		if slices.Contains(c.SupportedVersions, tls.VersionTLS12) && (p.old || len(c.Name) > 10 && c.Name[:10] == "TLS_ECDHE_") {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// openSSL are the names ELB gives to suites.
var openSSL = map[uint16]string{
	tls.TLS_AES_128_GCM_SHA256: "TLS_AES_128_GCM_SHA256", tls.TLS_AES_256_GCM_SHA384: "TLS_AES_256_GCM_SHA384",
	tls.TLS_CHACHA20_POLY1305_SHA256:                  "TLS_CHACHA20_POLY1305_SHA256",
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:       "ECDHE-ECDSA-AES128-GCM-SHA256",
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:         "ECDHE-RSA-AES128-GCM-SHA256",
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384:       "ECDHE-ECDSA-AES256-GCM-SHA384",
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:         "ECDHE-RSA-AES256-GCM-SHA384",
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA:          "ECDHE-ECDSA-AES128-SHA",
	tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA:            "ECDHE-RSA-AES128-SHA",
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA:          "ECDHE-ECDSA-AES256-SHA",
	tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA:            "ECDHE-RSA-AES256-SHA",
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:   "ECDHE-RSA-CHACHA20-POLY1305",
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
}

func (p policy) api() elbv2api.SslPolicy {
	out := elbv2api.SslPolicy{Name: new(p.name), SupportedLoadBalancerTypes: []string{"application"}}
	for _, v := range []struct {
		version uint16
		name    string
	}{{tls.VersionTLS10, "TLSv1"}, {tls.VersionTLS11, "TLSv1.1"}, {tls.VersionTLS12, "TLSv1.2"}, {tls.VersionTLS13, "TLSv1.3"}} {
		if v.version >= p.min {
			out.SslProtocols = append(out.SslProtocols, v.name)
		}
	}
	ids := []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256}
	if !p.onlyNew {
		ids = append(ids, p.suites()...)
	}
	for i, id := range ids {
		if openSSL[id] != "" {
			out.Ciphers = append(out.Ciphers, elbv2api.Cipher{Name: new(openSSL[id]), Priority: new(int32(i + 1))})
		}
	}
	return out
}

// DescribeSSLPolicies lists the security policies.
func (s *Service) DescribeSSLPolicies(_ context.Context, in *elbv2api.DescribeSSLPoliciesInput) (*elbv2api.DescribeSSLPoliciesOutput, error) {
	if in.LoadBalancerType != "" && in.LoadBalancerType != "application" {
		return &elbv2api.DescribeSSLPoliciesOutput{}, nil
	}
	rows := policies
	if len(in.Names) > 0 {
		rows = nil
		for _, n := range in.Names {
			p, err := policyNamed(n)
			if err != nil {
				return nil, err
			}
			rows = append(rows, p)
		}
	}
	page, next, err := paged(rows, func(p policy) string { return p.name }, in.Marker, in.PageSize)
	out := &elbv2api.DescribeSSLPoliciesOutput{NextMarker: next}
	for _, p := range page {
		out.SslPolicies = append(out.SslPolicies, p.api())
	}
	return out, err
}
