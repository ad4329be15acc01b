package appmesh

import (
	"strings"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
)

// listeners checks the listeners of a node or gateway: each on a port of its
// own, and all that is said of one in its protocol.
func (c *checker) listeners(listeners []api.Listener) {
	ports := portSet{}
	for i, l := range listeners {
		path := at("spec.listeners", i)
		ports.add(c, path, *l.PortMapping.Port)
		c.health(path+".healthCheck", l.HealthCheck, l.PortMapping)
		c.pool(path+".connectionPool", l.ConnectionPool, l.PortMapping.Protocol)
		c.timeout(path+".timeout", l.Timeout, l.PortMapping.Protocol)
		c.outliers(path+".outlierDetection", l.OutlierDetection)
		c.server(path+".tls", l.Tls)
	}
}

// health: the port is the listener's (API reference, HealthCheckPolicy), and
// HTTP asks for a path.
func (c *checker) health(path string, h *api.HealthCheckPolicy, m *api.PortMapping) {
	if h == nil {
		return
	}
	if h.Port != nil && *h.Port != *m.Port {
		c.refuse(path+".port", "must match the port of the listener, %d", *m.Port)
	}
	http := h.Protocol == api.PortProtocolHttp || h.Protocol == api.PortProtocolHttp2
	if http && !strings.HasPrefix(value(h.Path), "/") {
		c.refuse(path+".path", "must begin with / for the protocol %s", h.Protocol)
	}
	if *h.TimeoutMillis > *h.IntervalMillis {
		c.refuse(path+".timeoutMillis", "must not be longer than intervalMillis")
	}
}

// spoken holds a union with a member for each protocol to that of the listener
// (App Mesh user guide, Virtual nodes: "The connectionPool and portMapping
// protocols must be the same").
func (c *checker) spoken(path string, ch choices, protocol api.PortProtocol) {
	c.exactly(path, ch)
	if g := ch.given(); len(g) == 1 && g[0] != string(protocol) {
		c.refuse(path, "is for the protocol %s, but the listener's is %s", g[0], protocol)
	}
}

func (c *checker) pool(path string, p *api.VirtualNodeConnectionPool, protocol api.PortProtocol) {
	if p != nil {
		c.spoken(path, choices{"http": p.Http != nil, "http2": p.Http2 != nil, "grpc": p.Grpc != nil, "tcp": p.Tcp != nil}, protocol)
	}
}

func (c *checker) timeout(path string, t *api.ListenerTimeout, protocol api.PortProtocol) {
	if t == nil {
		return
	}
	c.spoken(path, choices{"http": t.Http != nil, "http2": t.Http2 != nil, "grpc": t.Grpc != nil, "tcp": t.Tcp != nil}, protocol)
	c.httpTimeout(path+".http", t.Http)
	c.httpTimeout(path+".http2", t.Http2)
	c.httpTimeout(path+".grpc", (*api.HttpTimeout)(t.Grpc))
	c.tcpTimeout(path+".tcp", t.Tcp)
}

func (c *checker) httpTimeout(path string, t *api.HttpTimeout) {
	if t != nil {
		c.duration(path+".idle", t.Idle)
		c.duration(path+".perRequest", t.PerRequest)
	}
}

func (c *checker) tcpTimeout(path string, t *api.TcpTimeout) {
	if t != nil {
		c.duration(path+".idle", t.Idle)
	}
}

func (c *checker) outliers(path string, o *api.OutlierDetection) {
	if o == nil {
		return
	}
	c.duration(path+".interval", o.Interval)
	c.duration(path+".baseEjectionDuration", o.BaseEjectionDuration)
}
