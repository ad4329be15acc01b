package appmesh

import api "github.com/slipway-dev/slipway/api/appmeshapi"

// checkNode checks a virtual node's spec by itself (API reference,
// VirtualNodeSpec and what it is made of).
func checkNode(spec *api.VirtualNodeSpec) error {
	var c checker
	if d := spec.ServiceDiscovery; d != nil {
		c.exactly("spec.serviceDiscovery", choices{"awsCloudMap": d.AwsCloudMap != nil, "dns": d.Dns != nil})
		if d.Dns != nil && *d.Dns.Hostname == "" {
			c.refuse("spec.serviceDiscovery.dns.hostname", "must not be empty")
		}
	} else if len(spec.Listeners) > 0 {
		c.refuse("spec.serviceDiscovery", "must be given for a virtual node with a listener")
	}
	c.listeners(spec.Listeners)
	c.backends(spec.Backends)
	if d := spec.BackendDefaults; d != nil {
		c.client("spec.backendDefaults.clientPolicy", d.ClientPolicy)
	}
	c.logging(spec.Logging)
	return c.err()
}

// checkGateway checks a virtual gateway's spec as a node's: its shapes are the
// same under other names.
func checkGateway(spec *api.VirtualGatewaySpec) error {
	var c checker
	if len(spec.Listeners) == 0 {
		c.refuse("spec.listeners", "must have at least one listener")
	}
	node := like[api.VirtualNodeSpec](*spec)
	c.listeners(node.Listeners)
	if d := node.BackendDefaults; d != nil {
		c.client("spec.backendDefaults.clientPolicy", d.ClientPolicy)
	}
	c.logging(node.Logging)
	return c.err()
}

func (c *checker) backends(backends []api.Backend) {
	if len(backends) > backendMost {
		c.refuse("spec.backends", "cannot have more than %d backends", backendMost)
	}
	seen := map[string]bool{}
	for i, b := range backends {
		path := at("spec.backends", i)
		if b.VirtualService == nil {
			c.exactly(path, choices{"virtualService": false})
			continue
		}
		name := *b.VirtualService.VirtualServiceName
		if seen[name] {
			c.refuse(path, "names the virtual service %s a second time", name)
		}
		seen[name] = true
		c.client(path+".virtualService.clientPolicy", b.VirtualService.ClientPolicy)
	}
}

func (c *checker) logging(l *api.Logging) {
	if l == nil || l.AccessLog == nil {
		return
	}
	const path = "spec.logging.accessLog"
	c.exactly(path, choices{"file": l.AccessLog.File != nil})
	if f := l.AccessLog.File; f != nil && f.Format != nil {
		c.exactly(path+".file.format", choices{"json": f.Format.Json != nil, "text": f.Format.Text != nil})
	}
}
