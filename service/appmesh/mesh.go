package appmesh

import (
	"context"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// meshes are the meshes of an account.
var meshes = &kind[api.MeshSpec]{
	word: "Mesh", table: Meshes, most: meshMost,
	check: func(*api.MeshSpec) error { return nil },
	held:  meshHeld,
}

// meshHeld says what a mesh still has (observed words).
func meshHeld(r store.Reader, m Mesh) error {
	within := m.Scope.Key(m.Mesh, "")
	for _, left := range []struct {
		words string
		some  bool
	}{
		{"VirtualNodes", some(VirtualNodes, r, within)},
		{"VirtualRouters", some(VirtualRouters, r, within)},
		{"VirtualServices", some(VirtualServices, r, within)},
		{"VirtualGateways", some(VirtualGateways, r, within)},
	} {
		if left.some {
			return inUse("Mesh %s for account %s has active %s, please delete %s before deleting the Mesh", m.Mesh, m.Scope.Account, left.words, left.words)
		}
	}
	return nil
}

// some says whether there are rows with keys that begin with a prefix.
func some[S any](t *store.Table[Resource[S]], r store.Reader, prefix string) bool {
	for range t.List(r, prefix) {
		return true
	}
	return false
}

// CreateMesh makes a mesh.
func (s *Service) CreateMesh(ctx context.Context, in *api.CreateMeshInput) (*api.CreateMeshOutput, error) {
	r, err := create(ctx, s, meshes, nil, Mesh{Mesh: *in.MeshName, Name: *in.MeshName, Token: value(in.ClientToken), Spec: value(in.Spec)}, in.Tags)
	return &api.CreateMeshOutput{Mesh: meshData(r, active)}, err
}

// DescribeMesh tells about a mesh.
func (s *Service) DescribeMesh(ctx context.Context, in *api.DescribeMeshInput) (*api.DescribeMeshOutput, error) {
	r, err := describe(ctx, s, meshes, in.MeshOwner, Mesh{Mesh: *in.MeshName, Name: *in.MeshName})
	return &api.DescribeMeshOutput{Mesh: meshData(r, active)}, err
}

// UpdateMesh changes what a mesh lets out, and its addresses' preference.
func (s *Service) UpdateMesh(ctx context.Context, in *api.UpdateMeshInput) (*api.UpdateMeshOutput, error) {
	r, err := update(ctx, s, meshes, nil, Mesh{Mesh: *in.MeshName, Name: *in.MeshName, Token: value(in.ClientToken), Spec: value(in.Spec)})
	return &api.UpdateMeshOutput{Mesh: meshData(r, active)}, err
}

// DeleteMesh deletes a mesh with nothing in it.
func (s *Service) DeleteMesh(ctx context.Context, in *api.DeleteMeshInput) (*api.DeleteMeshOutput, error) {
	r, err := remove(ctx, s, meshes, nil, Mesh{Mesh: *in.MeshName, Name: *in.MeshName})
	return &api.DeleteMeshOutput{Mesh: meshData(r, deleted)}, err
}

// ListMeshes lists the meshes of the account.
func (s *Service) ListMeshes(ctx context.Context, in *api.ListMeshesInput) (*api.ListMeshesOutput, error) {
	found, next, err := list(ctx, s, meshes, nil, Mesh{}, in.NextToken, in.Limit)
	out := &api.ListMeshesOutput{Meshes: []api.MeshRef{}, NextToken: next}
	for _, r := range found {
		m := metadata(r)
		out.Meshes = append(out.Meshes, api.MeshRef{
			Arn: m.Arn, CreatedAt: m.CreatedAt, LastUpdatedAt: m.LastUpdatedAt, MeshName: &r.Mesh,
			MeshOwner: m.MeshOwner, ResourceOwner: m.ResourceOwner, Version: m.Version,
		})
	}
	return out, err
}

func meshData(r Mesh, status string) *api.MeshData {
	return &api.MeshData{
		MeshName: &r.Mesh, Metadata: metadata(r), Spec: &r.Spec,
		Status: &api.MeshStatus{Status: api.MeshStatusCode(status)},
	}
}
