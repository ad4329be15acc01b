package ecs

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/node/vpc"
)

// metadataAddresses are never led through a proxy: the ECS agent adds them to
// the ignored addresses of every task (amazon-ecs-agent, appmesh.go).
var metadataAddresses = []netip.Prefix{netip.MustParsePrefix("169.254.170.2/32"), netip.MustParsePrefix("169.254.169.254/32")}

// proxyPortsMost is how many ports one property can list: a task with more does
// not start on AWS (App Mesh user guide, "Proxy configuration"). Here its
// definition is refused.
const proxyPortsMost = 15

// proxyWords are the properties of a proxy configuration of type APPMESH (ProxyConfiguration in
// the ECS API reference), by the words that ECS has for them in errors.
var proxyWords = map[string]string{
	"IgnoredUID": "Ignored UID", "IgnoredGID": "Ignored GID", "ProxyIngressPort": "Proxy ingress port", "ProxyEgressPort": "Proxy egress port",
	"AppPorts": "App ports", "EgressIgnoredPorts": "Egress ignored ports", "EgressIgnoredIPs": "Egress ignored IPs",
}

// proxyOf resolves a proxy configuration; nil when there is none. The texts of
// a property without a value and of missing AppPorts are observed, the others are
// made like them.
func proxyOf(d *ecsapi.TaskDefinition) (*agent.Proxy, error) {
	c := d.ProxyConfiguration
	if c == nil {
		return nil, nil
	}
	if d.NetworkMode != "awsvpc" {
		return nil, errClient("ProxyConfiguration is only supported when networkMode=awsvpc.")
	}
	named := func(def ecsapi.ContainerDefinition) bool { return value(def.Name) == value(c.ContainerName) }
	if !slices.ContainsFunc(d.ContainerDefinitions, named) {
		return nil, errClient("ProxyConfiguration container name '%s' does not match any container in the task definition.", value(c.ContainerName))
	}
	p, err := readProxy(c.Properties)
	if err != nil {
		return nil, err
	}
	out := &agent.Proxy{Container: value(c.ContainerName), Interception: vpc.Interception{
		IgnoredUID: p.id("IgnoredUID"), IgnoredGID: p.id("IgnoredGID"),
		IngressPort: p.port("ProxyIngressPort"), EgressPort: p.port("ProxyEgressPort"),
		AppPorts: p.ports("AppPorts", true), EgressIgnoredPorts: p.ports("EgressIgnoredPorts", false), EgressIgnoredIPs: p.addresses("EgressIgnoredIPs"),
	}}
	if p.err == nil && out.IgnoredUID == nil && out.IgnoredGID == nil {
		return nil, errClient("Ignored UID or ignored GID not found.")
	}
	return out, p.err
}

// proxyReader reads properties and keeps the first error.
type proxyReader struct {
	values map[string]string
	err    error
}

func readProxy(properties []ecsapi.KeyValuePair) (*proxyReader, error) {
	p := &proxyReader{values: map[string]string{}}
	for _, kv := range properties {
		name := value(kv.Name)
		switch {
		case kv.Name == nil:
			return nil, errClient("ProxyConfiguration properties name cannot be null.")
		case kv.Value == nil:
			return nil, errClient("ProxyConfiguration properties value cannot be null.")
		case proxyWords[name] == "":
			return nil, errClient("Unknown ProxyConfiguration property '%s'.", name)
		}
		p.values[name] = strings.TrimSpace(*kv.Value)
	}
	return p, nil
}

func (p *proxyReader) fail(name, format string, args ...any) {
	if p.err == nil {
		p.err = errClient(proxyWords[name]+" "+format, args...)
	}
}

// id reads a user or group; empty is none.
func (p *proxyReader) id(name string) *uint32 {
	v := p.values[name]
	if v == "" {
		return nil
	}
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil {
		p.fail(name, "'%s' is not a number.", v)
	}
	return new(uint32(n))
}

// port reads one port, which has to be there.
func (p *proxyReader) port(name string) uint16 {
	v := p.values[name]
	if v == "" {
		p.fail(name, "not found.")
		return 0
	}
	return p.parse(name, v)
}

// ports reads a list, which may be empty unless it is needed.
func (p *proxyReader) ports(name string, needed bool) (out []uint16) {
	list := p.list(name)
	switch {
	case len(list) == 0 && needed:
		p.fail(name, "not found.")
	case len(list) > proxyPortsMost:
		p.fail(name, "cannot have more than %d ports.", proxyPortsMost)
	}
	for _, v := range list {
		out = append(out, p.parse(name, v))
	}
	return out
}

func (p *proxyReader) parse(name, v string) uint16 {
	n, err := strconv.ParseUint(v, 10, 16)
	if err != nil || n == 0 {
		p.fail(name, "'%s' is not a port number between 1 and 65535.", v)
	}
	return uint16(n)
}

// addresses reads addresses and blocks, and adds those that are always ignored.
func (p *proxyReader) addresses(name string) (out []netip.Prefix) {
	for _, v := range p.list(name) {
		block, err := netip.ParsePrefix(v)
		if err != nil {
			var a netip.Addr
			a, err = netip.ParseAddr(v)
			block = netip.PrefixFrom(a, a.BitLen())
		}
		if err != nil {
			p.fail(name, "'%s' is not an IP address or a CIDR block.", v)
			continue
		}
		out = append(out, block)
	}
	for _, a := range metadataAddresses {
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

func (p *proxyReader) list(name string) (out []string) {
	for v := range strings.SplitSeq(p.values[name], ",") {
		if v = strings.TrimSpace(v); v != "" {
			out = append(out, v)
		}
	}
	return out
}
