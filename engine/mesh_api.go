package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/dataplane/mesh"
	"github.com/slipway-dev/slipway/dataplane/pki"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/appmesh"
)

// meshPath is where the state of meshes is told: App Mesh has no operation that
// says which proxies are connected and what they have.
const meshPath = "/_slipway/mesh"

// MeshQuestion is what POST /_slipway/mesh takes; a GET takes the mesh as a
// query parameter.
type MeshQuestion struct {
	Mesh string `json:"mesh,omitempty"` // name; may be left out when there is one
}

// MeshState is what both answer.
type MeshState struct {
	Mesh  string     `json:"mesh"` // name; empty: there is none
	ARN   string     `json:"arn,omitempty"`
	Nodes []MeshNode `json:"nodes"`
	Edges []MeshEdge `json:"edges"`
}

// MeshNode is a task's place in the mesh: its proxy, as the control plane sees it.
type MeshNode struct {
	Name      string    `json:"name"` // of the virtual node or gateway
	ARN       string    `json:"arn"`
	Gateway   bool      `json:"gateway,omitempty"`
	Task      string    `json:"task"` // id
	TaskARN   string    `json:"taskArn"`
	IP        string    `json:"ip"`
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since,omitzero"`  // of its stream
	Version   string    `json:"version"`         // of the configuration that is meant for it
	Acked     string    `json:"acked"`           // of the one it has taken
	Nack      string    `json:"nack,omitempty"`  // why it refused what it was sent last
	Issued    time.Time `json:"issued,omitzero"` // of its certificate, which is valid somewhat earlier
	NotBefore time.Time `json:"notBefore,omitzero"`
	NotAfter  time.Time `json:"notAfter,omitzero"`
}

// MeshEdge is what one task has sent to one destination since its proxy began.
type MeshEdge struct {
	Source      string           `json:"source"` // virtual node
	SourceTask  string           `json:"sourceTask"`
	Destination string           `json:"destination"` // virtual node or virtual service
	Requests    int64            `json:"requests"`
	Codes       map[string]int64 `json:"codes"` // answers by status; 0 is none at all
	P50         float64          `json:"p50ms"`
	P99         float64          `json:"p99ms"`
	Handshakes  int64            `json:"handshakes"` // of TLS, that succeeded
	TLSFailures map[string]int64 `json:"tlsFailures"`
	Retries     int64            `json:"retries"`
	Ejections   int64            `json:"ejections"`
	Overflows   int64            `json:"overflows"` // requests that a connection pool had no room for
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
	mux.Handle(meshPath+"/verify", e.mux.Guard(func(w http.ResponseWriter, r *http.Request) {
		answer(w, func() (any, error) { return e.meshes.verify(r) })
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

func (m *meshes) state(r *http.Request) (MeshState, error) {
	asked := MeshQuestion{Mesh: r.URL.Query().Get("mesh")}
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			return MeshState{}, fmt.Errorf("read which mesh is asked about: %w", err)
		}
	}
	all, err := m.of(r, asked.Mesh)
	if err != nil {
		return MeshState{}, err
	}
	out := MeshState{Nodes: []MeshNode{}, Edges: []MeshEdge{}}
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
func (m *meshes) nodes(row appmesh.Mesh) (out []MeshNode) {
	connected := map[string]bool{}
	for _, p := range m.server.Proxies(row.ARN()) {
		connected[p.TaskARN] = true
		out = append(out, MeshNode{
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
		out = append(out, MeshNode{Name: name, ARN: at, Gateway: kind == "virtualGateway", Task: t.ID, TaskARN: t.ARN, IP: t.IP})
	}
	slices.SortStableFunc(out, func(a, b MeshNode) int {
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
	for _, row := range all {
		out.Certificates += m.server.Rotate(row.ARN(), task)
	}
	if task != "" && out.Certificates == 0 {
		return out, fmt.Errorf("no task %s has a certificate of a mesh", in.Task)
	}
	m.engine.log.Info("certificates are replaced", "mesh", in.Mesh, "task", task, "certificates", out.Certificates)
	return out, nil
}
