package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/service/appmesh"
)

// meshPath is where the state of meshes is told: App Mesh has no operation that
// says which proxies are connected and what they have.
const meshPath = "/_slipway/mesh"

// MeshState is what GET /_slipway/mesh?mesh=NAME answers. The name may be left
// out when there is one mesh.
type MeshState struct {
	Mesh  string     `json:"mesh"` // name; empty: there is none
	ARN   string     `json:"arn,omitempty"`
	Nodes []MeshNode `json:"nodes"` // one for each proxy, and one for each node or gateway without any
	Edges []MeshEdge `json:"edges"`
}

// MeshNode is a proxy, or a virtual node or gateway that no proxy is connected for.
type MeshNode struct {
	Name      string    `json:"name"`
	ARN       string    `json:"arn"`
	Gateway   bool      `json:"gateway,omitempty"`
	Task      string    `json:"task,omitempty"` // id
	TaskARN   string    `json:"taskArn,omitempty"`
	IP        string    `json:"ip,omitempty"`
	Version   string    `json:"version,omitempty"`  // of all that it was sent
	NotBefore time.Time `json:"notBefore,omitzero"` // of its certificate
	NotAfter  time.Time `json:"notAfter,omitzero"`
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since,omitzero"` // of its stream
	Acked     bool      `json:"acked"`          // it took all that it was sent
	Nack      string    `json:"nack,omitempty"` // why it refused what it was sent last
}

// MeshEdge is traffic from one node to another.
type MeshEdge struct {
	From     string  `json:"from"`
	To       string  `json:"to"`
	Requests float64 `json:"requests"` // a second
	Errors   float64 `json:"errors"`   // 5xx a second
	P50      float64 `json:"p50"`      // milliseconds
	P99      float64 `json:"p99"`      // milliseconds
	MTLS     bool    `json:"mtls"`
}

// RotateRequest is what POST /_slipway/mesh/rotate takes: the tasks that get new certificates.
type RotateRequest struct {
	Mesh string `json:"mesh,omitempty"` // name; empty: all of the account and region
	Task string `json:"task,omitempty"` // id or ARN; empty: all
}

// Rotated is what it answers: how many certificates are replaced.
type Rotated struct {
	Certificates int `json:"certificates"`
}

func (e *Engine) meshHandlers(mux *http.ServeMux) {
	mux.Handle(meshPath, e.mux.GuardRead(func(w http.ResponseWriter, r *http.Request) {
		answer(w, func() (any, error) { return e.meshes.state(r) })
	}))
	mux.Handle(meshPath+"/rotate", e.mux.Guard(func(w http.ResponseWriter, r *http.Request) {
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
func (m *meshes) of(r *http.Request, name string) ([]appmesh.View, error) {
	scope := awsapi.CallerOf(r.Context()).Scope
	snap := m.engine.store.Snapshot()
	var out []appmesh.View
	for row := range appmesh.Meshes.List(snap, scope.Key("")) {
		if v, ok := appmesh.Read(snap, scope, row.Name); ok && (name == "" || row.Name == name) {
			out = append(out, v)
		}
	}
	if name != "" && len(out) == 0 {
		return nil, fmt.Errorf("there is no mesh %q in account %s, region %s", name, scope.Account, scope.Region)
	}
	return out, nil
}

func (m *meshes) state(r *http.Request) (MeshState, error) {
	all, err := m.of(r, r.URL.Query().Get("mesh"))
	if err != nil {
		return MeshState{}, err
	}
	out := MeshState{Nodes: []MeshNode{}, Edges: []MeshEdge{}}
	if len(all) == 0 {
		return out, nil
	}
	if len(all) > 1 {
		var names []string
		for _, v := range all {
			names = append(names, v.Mesh.Name)
		}
		return out, fmt.Errorf("there are several meshes: name one of %s with ?mesh=", strings.Join(names, ", "))
	}
	v := all[0]
	out.Mesh, out.ARN = v.Mesh.Name, v.Mesh.ARN()
	out.Nodes = append(out.Nodes, m.nodes(v)...)
	if m.edges != nil {
		out.Edges = append(out.Edges, m.edges(out.ARN)...)
	}
	return out, nil
}

// nodes are the proxies of a mesh, and what has none.
func (m *meshes) nodes(v appmesh.View) (out []MeshNode) {
	connected := map[string]bool{}
	for _, p := range m.server.Proxies(v.Mesh.ARN()) {
		connected[p.ARN] = true
		out = append(out, MeshNode{
			Name: p.Name, ARN: p.ARN, Gateway: p.Gateway, Task: p.Task, TaskARN: p.TaskARN, IP: p.IP, Version: p.Version,
			NotBefore: p.NotBefore, NotAfter: p.NotAfter, Connected: true, Since: p.Connected, Acked: p.Acked, Nack: p.Nack,
		})
	}
	for _, name := range slices.Sorted(maps.Keys(v.Nodes)) {
		if at := v.Nodes[name].ARN(); !connected[at] {
			out = append(out, MeshNode{Name: name, ARN: at})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.Gateways)) {
		if at := v.Gateways[name].ARN(); !connected[at] {
			out = append(out, MeshNode{Name: name, ARN: at, Gateway: true})
		}
	}
	slices.SortStableFunc(out, func(a, b MeshNode) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (m *meshes) rotate(r *http.Request) (Rotated, error) {
	var in RotateRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return Rotated{}, fmt.Errorf("read what to rotate: %w", err)
	}
	all, err := m.of(r, in.Mesh)
	if err != nil {
		return Rotated{}, err
	}
	out := Rotated{}
	task := in.Task[strings.LastIndexByte(in.Task, '/')+1:]
	for _, v := range all {
		out.Certificates += m.server.Rotate(v.Mesh.ARN(), task)
	}
	if task != "" && out.Certificates == 0 {
		return out, fmt.Errorf("no task %s has a certificate of a mesh", in.Task)
	}
	m.engine.log.Info("certificates are replaced", "mesh", in.Mesh, "task", task, "certificates", out.Certificates)
	return out, nil
}
