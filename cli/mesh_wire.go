package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// What AWS has no API for: what sidecars do, the engine's own attempts to get past them, and new certificates before their time. All are POSTs of
// the engine's own, signed.
const (
	meshPath   = "/_slipway/mesh"
	verifyPath = "/_slipway/mesh/verify"
	rotatePath = "/_slipway/mesh/rotate"
)

// meshQuestion names the mesh that is asked about.
type meshQuestion struct {
	Mesh string `json:"mesh"`
	Task string `json:"task,omitempty"` // to rotate: id; empty: all
}

// meshState is what the engine's mesh endpoint answers.
type meshState struct {
	Mesh  string     `json:"mesh"`
	Nodes []meshNode `json:"nodes"`
	Edges []meshEdge `json:"edges"`
}

// meshNode is a task's place in the mesh: its certificate and its configuration.
type meshNode struct {
	Name      string    `json:"name"` // of the virtual node
	ARN       string    `json:"arn"`
	Task      string    `json:"task"` // id
	TaskARN   string    `json:"taskArn"`
	IP        string    `json:"ip"`
	Version   string    `json:"version"`        // of the configuration that is meant for it
	Acked     string    `json:"acked"`          // of the one it has taken
	Nack      string    `json:"nack,omitempty"` // why it refused the present one
	Connected bool      `json:"connected"`
	Issued    time.Time `json:"issued,omitzero"` // of its certificate, which is valid somewhat earlier
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
}

// meshEdge is what one task has sent to one destination since its sidecar began.
type meshEdge struct {
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

// meshCheck is one attempt to get past a sidecar. Counter is the sidecar's that must have moved.
type meshCheck struct {
	Name     string `json:"name"`
	Target   string `json:"target"`
	Expected string `json:"expected"`
	Got      string `json:"got"`
	Counter  string `json:"counter"`
	Before   int64  `json:"before"`
	After    int64  `json:"after"`
	OK       bool   `json:"ok"`
}

// meshPlatform is the platform, if it has a mesh.
func (a *app) meshPlatform() (*platform, error) {
	p, err := a.platform()
	if err == nil && !p.manifest.Mesh.Enabled {
		return nil, usage("%s has no mesh; switch it on with mesh: {enabled: true}, then deploy", a.file)
	}
	return p, err
}

// askMesh sends a question about the platform's mesh.
func (p *platform) askMesh(ctx context.Context, path string, out any) error {
	return p.askMeshOf(ctx, path, meshQuestion{Mesh: p.names.Mesh()}, out)
}

func (p *platform) askMeshOf(ctx context.Context, path string, in meshQuestion, out any) error {
	err := p.Post(ctx, path, in, out)
	api, answered := errors.AsType[*awsapi.Error](err)
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case answered && slices.Contains([]string{"UnknownOperationException", "NotImplemented", "InvalidAction"}, api.Code):
		return fmt.Errorf("the engine at %s does not know %s; start the one of this version with: slipway engine restart", p.Endpoint, path)
	case answered:
		return err
	}
	return &codedError{exitNoEngine, fmt.Errorf("the engine at %s does not answer (%w); see: slipway engine status", p.Endpoint, err)}
}

func (p *platform) meshState(ctx context.Context) (meshState, error) {
	var out meshState
	err := p.askMesh(ctx, meshPath, &out)
	return out, err
}
