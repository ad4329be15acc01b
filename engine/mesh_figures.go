package engine

import (
	"cmp"
	"context"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/api/engineapi"
	"github.com/slipway-dev/slipway/dataplane/mesh"
	"github.com/slipway-dev/slipway/dataplane/mesh/figures"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/appmesh"
	"github.com/slipway-dev/slipway/service/cloudwatch/collect"
)

// Bounds on asking proxies for their figures.
const (
	askTimeout  = 2 * time.Second
	askAtOnce   = 8
	defaultPort = "9901" // of the admin server, Envoy's in App Mesh
)

// reading is what one proxy has counted.
type reading struct {
	proxy mesh.Proxy
	task  agent.Task
	figures.Reading
}

// readings asks all proxies of a mesh. One that does not answer is left out.
func (m *meshes) readings(ctx context.Context, meshARN, name string) []reading {
	snap := m.engine.store.Snapshot()
	proxies := m.server.Proxies(meshARN)
	all := make([]*reading, len(proxies))
	room := make(chan struct{}, askAtOnce)
	var wg sync.WaitGroup
	for i, p := range proxies {
		task, err := agent.Tasks.Get(snap, p.TaskARN)
		if err != nil {
			continue
		}
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			got, err := m.read(ctx, name, task)
			if err != nil {
				m.engine.log.Debug("a proxy does not tell what it counted", "task", p.TaskARN, "err", err)
				return
			}
			all[i] = &reading{p, task, got}
		})
	}
	wg.Wait()
	var out []reading
	for _, r := range all {
		if r != nil {
			out = append(out, *r)
		}
	}
	return out
}

// read asks the proxy of a task, at its admin port, from inside the task.
func (m *meshes) read(ctx context.Context, mesh string, t agent.Task) (figures.Reading, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return figures.Read(ctx, mesh, func(ctx context.Context) (net.Conn, error) {
		return m.engine.node.network.DialTask(ctx, t.VPC, t.Interface, "tcp", net.JoinHostPort("127.0.0.1", adminPort(t)))
	})
}

// adminPort is where the proxy of a task answers about itself.
func adminPort(t agent.Task) string {
	return cmp.Or(sidecarOf(t)["ENVOY_ADMIN_ACCESS_PORT"], defaultPort)
}

// sidecarOf is the environment of a task's proxy.
func sidecarOf(t agent.Task) map[string]string {
	for _, c := range t.Containers {
		if c.Environment["APPMESH_RESOURCE_ARN"] != "" || c.Environment["APPMESH_VIRTUAL_NODE_NAME"] != "" {
			return c.Environment
		}
	}
	return nil
}

// traffic is who has called whom in a mesh, by task.
func (m *meshes) traffic(meshARN string) []engineapi.MeshEdge {
	name := meshARN[strings.LastIndexByte(meshARN, '/')+1:]
	ctx, cancel := context.WithTimeout(context.Background(), 2*askTimeout)
	defer cancel()
	var out []engineapi.MeshEdge
	for _, r := range m.readings(ctx, meshARN, name) {
		for _, e := range r.Edges {
			if e.Destination == "" {
				continue // the application itself
			}
			out = append(out, engineapi.MeshEdge{
				Source: r.proxy.Name, SourceTask: r.proxy.Task, Destination: e.Destination, Requests: e.Requests, Codes: e.Codes,
				P50: millis(e.Latency.Quantile(0.5)), P99: millis(e.Latency.Quantile(0.99)),
				Handshakes: e.TLS.Handshakes, TLSFailures: e.TLS.Failures, Retries: e.Retries, Ejections: e.Ejections, Overflows: e.Overflows,
			})
		}
	}
	return out
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Sidecars reads the figures of every mesh, for CloudWatch.
func (m *meshes) Sidecars(ctx context.Context) []collect.Sidecar {
	var out []collect.Sidecar
	for row := range appmesh.Meshes.List(m.engine.store.Snapshot(), "") {
		for _, r := range m.readings(ctx, row.ARN(), row.Name) {
			out = append(out, collect.Sidecar{Scope: row.Scope, Mesh: row.Name, Node: r.proxy.Name, Task: r.proxy.TaskARN, Reading: r.Reading})
		}
	}
	return out
}
