// Package engineapi is what the engine answers beside AWS's APIs, as JSON:
// paths, requests and answers. The engine serves it, the command line asks.
package engineapi

import "time"

// Where the engine tells what App Mesh has no operations for: what proxies are
// connected and do, attempts to get past them, and new certificates before
// their time. All take signed POSTs; the first takes a GET, too, with the mesh
// as a query parameter.
const (
	MeshPath   = "/_slipway/mesh"        // MeshQuestion: MeshState
	VerifyPath = "/_slipway/mesh/verify" // MeshQuestion: MeshChecks
	RotatePath = "/_slipway/mesh/rotate" // Rotation: Rotated
)

// MeshQuestion names the mesh that is asked about.
type MeshQuestion struct {
	Mesh string `json:"mesh,omitempty"` // name; may be left out when there is one
}

// MeshState is who is in a mesh, and who calls whom.
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

// MeshChecks are the attempts to get past the sidecars of a mesh.
type MeshChecks struct {
	Checks []MeshCheck `json:"checks"`
}

// MeshCheck is one attempt to get past a sidecar.
type MeshCheck struct {
	Name     string `json:"name"`   // who tried
	Target   string `json:"target"` // virtual node
	Expected string `json:"expected"`
	Got      string `json:"got"`
	Counter  string `json:"counter,omitempty"` // of the target's sidecar, which must have moved; empty: nothing counts this
	Before   int64  `json:"before"`
	After    int64  `json:"after"`
	OK       bool   `json:"ok"`
}

// Rotation names the tasks that get new certificates.
type Rotation struct {
	Mesh string `json:"mesh,omitempty"` // name; empty: all of the account and region
	Task string `json:"task,omitempty"` // id or ARN; empty: all
}

// Rotated is how many certificates are replaced.
type Rotated struct {
	Certificates int `json:"certificates"`
}
