package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/api/engineapi"
	"github.com/slipway-dev/slipway/dataplane/mesh"
	"github.com/slipway-dev/slipway/dataplane/pki"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/seal"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/appmesh"
	"github.com/slipway-dev/slipway/service/iam"
	"github.com/slipway-dev/slipway/service/servicediscovery"
)

// meshAddress is where proxies of every VPC get their configuration.
const meshAddress = "169.254.170.2:15010"

// streamAction is what a task's role must be allowed to do on its virtual node
// (App Mesh user guide, Proxy authorization).
const streamAction = "appmesh:StreamAggregatedResources"

// meshes keep the control plane of service meshes at what is declared and
// registered.
type meshes struct {
	engine *Engine
	server *mesh.Server
	dir    string // of the authorities
	keys   *seal.Keyring
	// edges tells who called whom in a mesh, by its ARN; nil: nothing is measured.
	edges func(meshARN string) []engineapi.MeshEdge

	mu    sync.Mutex // a snapshot is taken and handed over under it, so that none overtakes another
	known map[string]knownMesh
	found map[string][]foundNode // by Cloud Map service, see serviceKey
}

// knownMesh is a mesh that the server has.
type knownMesh struct{ arn, uid string }

// foundNode is a virtual node that is found by a Cloud Map service.
type foundNode struct {
	mesh, node string // the mesh by its key
	by         discovery
}

// openMeshes makes the control plane; its authorities lie in the state directory.
func (e *Engine) openMeshes() error {
	dir := filepath.Join(e.host.StateDir(), "pki")
	m := &meshes{engine: e, dir: dir, keys: e.keys, known: map[string]knownMesh{}, found: map[string][]foundNode{}}
	m.server = mesh.New(mesh.Config{Who: m.who, Authority: m.authority, Log: e.log})
	m.edges = m.traffic
	e.meshes = m
	var uids []string
	for row := range appmesh.Meshes.List(e.store.Snapshot(), "") {
		uids = append(uids, row.UID)
	}
	if err := pki.KeepAuthorities(dir, uids); err != nil {
		return err
	}
	e.loops = append(e.loops, m.loops()...)
	return nil
}

func (m *meshes) loops() []loop.Loop {
	return []loop.Loop{{
		Name: "mesh configuration", List: appmesh.Meshes.Keys, Keys: m.meshesOf, Reconcile: m.configure,
	}, {
		Name: "mesh endpoints", List: func(*store.Snapshot) []string { return nil }, Keys: servicesOf, Reconcile: m.locate,
	}}
}

// meshesOf are the meshes that a change concerns as a whole: one of their own,
// or one of the names that nodes are found by.
func (m *meshes) meshesOf(snap *store.Snapshot, c store.Change) []string {
	if key, ok := appmesh.MeshKey(c); ok {
		return []string{key}
	}
	if c.Table == servicediscovery.Namespaces.Name() || c.Table == servicediscovery.Services.Name() {
		scope := arn.ScopeOfKey(c.Key)
		var keys []string
		for row := range appmesh.Meshes.List(snap, scope.Key("")) {
			keys = append(keys, appmesh.Meshes.Key(row))
		}
		return keys
	}
	return nil
}

// servicesOf is the Cloud Map service of an instance that changed.
func servicesOf(snap *store.Snapshot, c store.Change) []string {
	if c.Table != servicediscovery.Instances.Name() {
		return nil
	}
	parts := strings.Split(c.Key, "/") // account, region, "instance", service, instance
	if len(parts) < 4 {
		return nil
	}
	scope := arn.ScopeOfKey(c.Key)
	g, err := servicediscovery.Services.Get(snap, scope.Key("service", parts[3]))
	if err != nil {
		return nil // gone: its own change tells
	}
	n, err := servicediscovery.Namespaces.Get(snap, scope.Key("namespace", g.Namespace))
	if err != nil {
		return nil
	}
	return []string{serviceKey(scope, n.Name, g.Name)}
}

func serviceKey(scope arn.Scope, namespace, service string) string {
	return scope.Key(strings.ToLower(namespace), strings.ToLower(service))
}

// configure hands a mesh over whole, or has it forgotten.
func (m *meshes) configure(_ context.Context, key string) (time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	snap := m.engine.store.Snapshot()
	for service, nodes := range m.found {
		kept := nodes[:0:0]
		for _, n := range nodes {
			if n.mesh != key {
				kept = append(kept, n)
			}
		}
		m.found[service] = kept
		if len(kept) == 0 {
			delete(m.found, service)
		}
	}
	row, err := appmesh.Meshes.Get(snap, key)
	known := m.known[key]
	if gone := err != nil || known.uid != row.UID; gone && known.uid != "" {
		m.server.Remove(known.arn)
		delete(m.known, key)
		if err := pki.RemoveAuthority(m.dir, known.uid); err != nil {
			return 0, fmt.Errorf("remove the authority of %s: %w", known.arn, err)
		}
	}
	if err != nil {
		return 0, nil
	}
	view, ok := appmesh.Read(snap, row.Scope, row.Name)
	if !ok {
		return 0, nil
	}
	spec, found := specOf(snap, view)
	for service, nodes := range found {
		for i := range nodes {
			nodes[i].mesh = key
		}
		m.found[service] = append(m.found[service], nodes...)
	}
	m.known[key] = knownMesh{spec.ARN, spec.UID}
	m.server.Put(spec)
	return 0, nil
}

// locate hands over where the nodes are that one Cloud Map service finds.
func (m *meshes) locate(_ context.Context, key string) (time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	snap := m.engine.store.Snapshot()
	byMesh := map[string]map[string][]mesh.Endpoint{}
	for _, n := range m.found[key] {
		at := m.known[n.mesh].arn
		if byMesh[at] == nil {
			byMesh[at] = map[string][]mesh.Endpoint{}
		}
		byMesh[at][n.node] = n.by.endpoints(snap, arn.ScopeOfKey(key))
	}
	for at, of := range byMesh {
		m.server.Endpoints(at, of)
	}
	return 0, nil
}

// authority opens a mesh's authority, and makes it the first time.
func (m *meshes) authority(of *mesh.Mesh) (*pki.Authority, error) {
	return pki.OpenAuthority(pki.Config{Dir: m.dir, Keys: m.keys, ID: of.UID, Mesh: of.Name, Created: of.Created})
}

// who is the task that a connection of a VPC is from.
func (m *meshes) who(_ context.Context, vpc string, ip netip.Addr) (mesh.Caller, error) {
	t, ok := m.engine.node.agent.TaskAt(vpc, ip.String())
	if !ok {
		return mesh.Caller{}, mesh.ErrNoTask
	}
	c := mesh.Caller{Scope: t.Scope, Task: t.ID, TaskARN: t.ARN, Intercepted: t.Proxy != nil, Allow: func(resource string) error { return m.allow(t, resource) }}
	if m.engine.set.AnyAuth {
		c.Allow = nil
	}
	return c, nil
}

// fronted reports whether a task's port is its sidecar's, for load balancers.
func (m *meshes) fronted(vpc string, at netip.AddrPort) bool {
	t, ok := m.engine.node.agent.TaskAt(vpc, at.Addr().String())
	return ok && m.server.Fronts(t.ID, at.Port())
}

func (m *meshes) allow(t agent.Task, resource string) error {
	if t.TaskRoleARN == "" {
		return errors.New("the task has no task role: give its task definition a taskRoleArn whose policies allow " + streamAction + " on " + resource)
	}
	return iam.Authorize(m.engine.store.Snapshot(), iam.Request{
		Role: t.TaskRoleARN, Session: t.ID, Action: streamAction, Resource: resource, Region: t.Scope.Region,
	})
}

// service is what the agent serves to tasks of every VPC.
func (m *meshes) service() agent.TaskService {
	return agent.TaskService{Addr: meshAddress, Serve: func(ctx context.Context, vpc string, l net.Listener) {
		if err := m.server.Serve(ctx, vpc, l); err != nil {
			m.engine.log.Error("serve meshes", "err", err)
		}
	}}
}
