package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/slipway-dev/slipway/api/engineapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

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
	return p.askMeshOf(ctx, path, engineapi.MeshQuestion{Mesh: p.names.Mesh()}, out)
}

func (p *platform) askMeshOf(ctx context.Context, path string, in, out any) error {
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

func (p *platform) meshState(ctx context.Context) (engineapi.MeshState, error) {
	var out engineapi.MeshState
	err := p.askMesh(ctx, engineapi.MeshPath, &out)
	return out, err
}
