package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/engineapi"
	"github.com/slipway-dev/slipway/dataplane/mesh"
	"github.com/slipway-dev/slipway/dataplane/pki"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/appmesh"
)

func (e *Engine) meshHandlers(mux *http.ServeMux) {
	mux.Handle(engineapi.MeshPath, e.mux.GuardRead(func(w http.ResponseWriter, r *http.Request) {
		answer(w, func() (any, error) { return e.meshes.state(r) })
	}))
	mux.Handle(engineapi.VerifyPath, e.mux.Guard(func(w http.ResponseWriter, r *http.Request) {
		answer(w, func() (any, error) { return e.meshes.verify(r) })
	}))
	mux.Handle(engineapi.RotatePath, e.mux.Guard(func(w http.ResponseWriter, r *http.Request) {
		answer(w, func() (any, error) { return e.meshes.rotate(r) })
	}))
}

// answer writes what fn has to say, or why it has not.
func answer(w http.ResponseWriter, fn func() (any, error)) {
	out, err := fn()
	if err == nil {
		writeJSON(w, out)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": err.Error()}) // the client has gone
}

// of are the meshes of the caller's scope that a name means: all of them when
// it is empty.
func (m *meshes) of(r *http.Request, name string) ([]appmesh.Mesh, error) {
	scope := awsapi.CallerOf(r.Context()).Scope
	var out []appmesh.Mesh
	for row := range appmesh.Meshes.List(m.engine.store.Snapshot(), scope.Key("")) {
		if name == "" || row.Name == name {
			out = append(out, row)
		}
	}
	if name != "" && len(out) == 0 {
		return nil, fmt.Errorf("there is no mesh %q in account %s, region %s", name, scope.Account, scope.Region)
	}
	return out, nil
}

func (m *meshes) state(r *http.Request) (engineapi.MeshState, error) {
	asked := engineapi.MeshQuestion{Mesh: r.URL.Query().Get("mesh")}
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			return engineapi.MeshState{}, fmt.Errorf("read which mesh is asked about: %w", err)
		}
	}
	all, err := m.of(r, asked.Mesh)
	if err != nil {
		return engineapi.MeshState{}, err
	}
	out := engineapi.MeshState{Nodes: []engineapi.MeshNode{}, Edges: []engineapi.MeshEdge{}}
	if len(all) == 0 {
		return out, nil
	}
	if len(all) > 1 {
		var names []string
		for _, row := range all {
			names = append(names, row.Name)
		}
		return out, fmt.Errorf("there are several meshes: name one of %s", strings.Join(names, ", "))
	}
	out.Mesh, out.ARN = all[0].Name, all[0].ARN()
	out.Nodes = append(out.Nodes, m.nodes(all[0])...)
	if m.edges != nil {
		out.Edges = append(out.Edges, m.edges(out.ARN)...)
	}
	return out, nil
}

// nodes are the tasks of a mesh: those whose proxies are connected, and those
// whose task definitions say that they have one, and have not.
func (m *meshes) nodes(row appmesh.Mesh) (out []engineapi.MeshNode) {
	connected := map[string]bool{}
	for _, p := range m.server.Proxies(row.ARN()) {
		connected[p.TaskARN] = true
		out = append(out, engineapi.MeshNode{
			Name: p.Name, ARN: p.ARN, Gateway: p.Gateway, Task: p.Task, TaskARN: p.TaskARN, IP: p.IP, Version: p.Version,
			Issued: issued(p), NotBefore: p.NotBefore, NotAfter: p.NotAfter, Connected: true, Since: p.Connected, Acked: p.Acked, Nack: p.Nack,
		})
	}
	snap := m.engine.store.Snapshot()
	for t := range agent.Tasks.List(snap, row.Scope.ARN("ecs", "task/")) {
		at, ok := resourceOf(t)
		rest, within := strings.CutPrefix(at, row.ARN()+"/")
		if !ok || !within || connected[t.ARN] || t.Stopped {
			continue
		}
		if s, err := agent.Statuses.Get(snap, t.ARN); err == nil && s.LastStatus == agent.Stopped {
			continue
		}
		kind, name, _ := strings.Cut(rest, "/")
		out = append(out, engineapi.MeshNode{Name: name, ARN: at, Gateway: kind == "virtualGateway", Task: t.ID, TaskARN: t.ARN, IP: t.IP})
	}
	slices.SortStableFunc(out, func(a, b engineapi.MeshNode) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Task, b.Task))
	})
	return out
}

// resourceOf is the ARN of the virtual node or gateway whose proxy a task has,
// as its containers' environment says it (App Mesh user guide, Envoy image).
func resourceOf(t agent.Task) (string, bool) {
	for _, c := range t.Containers {
		at := cmp.Or(c.Environment["APPMESH_RESOURCE_ARN"], c.Environment["APPMESH_VIRTUAL_NODE_NAME"])
		if strings.HasPrefix(at, "mesh/") {
			at = t.Scope.ARN("appmesh", at)
		}
		if at != "" {
			return at, true
		}
	}
	return "", false
}

func issued(p mesh.Proxy) time.Time {
	if p.NotBefore.IsZero() {
		return time.Time{}
	}
	return p.NotBefore.Add(pki.Backdate)
}

func (m *meshes) rotate(r *http.Request) (engineapi.Rotated, error) {
	var in engineapi.Rotation
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return engineapi.Rotated{}, fmt.Errorf("read what to rotate: %w", err)
	}
	all, err := m.of(r, in.Mesh)
	if err != nil {
		return engineapi.Rotated{}, err
	}
	out := engineapi.Rotated{}
	task := in.Task[strings.LastIndexByte(in.Task, '/')+1:]
	for _, row := range all {
		out.Certificates += m.server.Rotate(row.ARN(), task)
	}
	if task != "" && out.Certificates == 0 {
		return out, fmt.Errorf("no task %s has a certificate of a mesh", in.Task)
	}
	m.engine.log.Info("certificates are replaced", "mesh", in.Mesh, "task", task, "certificates", out.Certificates)
	return out, nil
}
