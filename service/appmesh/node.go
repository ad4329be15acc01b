package appmesh

import (
	"context"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// nodes are the virtual nodes of a mesh.
var nodes = &kind[api.VirtualNodeSpec]{
	word: "VirtualNode", table: VirtualNodes, most: nodeMost,
	check: checkNode, within: nodeWithin, held: nodeHeld,
}

// nodeWithin keeps a node's listeners apart for the routes that lead to it:
// with several of them a target names a port.
func nodeWithin(r store.Reader, n VirtualNode) error {
	for route := range Routes.List(r, n.Scope.Key(n.Mesh, "")) {
		for _, t := range targetsOf(route.Spec) {
			if *t.VirtualNode != n.Name {
				continue
			}
			if err := portOf(n, t.Port); err != nil {
				return invalid("Route %s of VirtualRouter %s targets VirtualNode %s: %s", route.Name, route.Parent, n.Name, message(err))
			}
		}
	}
	return nil
}

// nodeHeld says who names a node (observed words).
func nodeHeld(r store.Reader, n VirtualNode) error {
	within := n.Scope.Key(n.Mesh, "")
	for route := range Routes.List(r, within) {
		for _, t := range targetsOf(route.Spec) {
			if *t.VirtualNode == n.Name {
				return inUse("VirtualNode with name %s cannot be deleted because it is the target of one or more routes.", n.Name)
			}
		}
	}
	for v := range VirtualServices.List(r, within) {
		if p := v.Spec.Provider; p != nil && p.VirtualNode != nil && *p.VirtualNode.VirtualNodeName == n.Name {
			return inUse("VirtualNode with name %s cannot be deleted because it is a VirtualService provider", n.Name)
		}
	}
	return nil
}

// CreateVirtualNode makes a virtual node: who the tasks of a service are in the mesh.
func (s *Service) CreateVirtualNode(ctx context.Context, in *api.CreateVirtualNodeInput) (*api.CreateVirtualNodeOutput, error) {
	r, err := create(ctx, s, nodes, in.MeshOwner, VirtualNode{Mesh: *in.MeshName, Name: *in.VirtualNodeName, Token: value(in.ClientToken), Spec: value(in.Spec)}, in.Tags)
	return &api.CreateVirtualNodeOutput{VirtualNode: nodeData(r, active)}, err
}

// DescribeVirtualNode tells about a virtual node.
func (s *Service) DescribeVirtualNode(ctx context.Context, in *api.DescribeVirtualNodeInput) (*api.DescribeVirtualNodeOutput, error) {
	r, err := describe(ctx, s, nodes, in.MeshOwner, VirtualNode{Mesh: *in.MeshName, Name: *in.VirtualNodeName})
	return &api.DescribeVirtualNodeOutput{VirtualNode: nodeData(r, active)}, err
}

// UpdateVirtualNode overwrites a virtual node's spec.
func (s *Service) UpdateVirtualNode(ctx context.Context, in *api.UpdateVirtualNodeInput) (*api.UpdateVirtualNodeOutput, error) {
	r, err := update(ctx, s, nodes, in.MeshOwner, VirtualNode{Mesh: *in.MeshName, Name: *in.VirtualNodeName, Token: value(in.ClientToken), Spec: value(in.Spec)})
	return &api.UpdateVirtualNodeOutput{VirtualNode: nodeData(r, active)}, err
}

// DeleteVirtualNode deletes a virtual node that no route and no service names.
func (s *Service) DeleteVirtualNode(ctx context.Context, in *api.DeleteVirtualNodeInput) (*api.DeleteVirtualNodeOutput, error) {
	r, err := remove(ctx, s, nodes, in.MeshOwner, VirtualNode{Mesh: *in.MeshName, Name: *in.VirtualNodeName})
	return &api.DeleteVirtualNodeOutput{VirtualNode: nodeData(r, deleted)}, err
}

// ListVirtualNodes lists the virtual nodes of a mesh.
func (s *Service) ListVirtualNodes(ctx context.Context, in *api.ListVirtualNodesInput) (*api.ListVirtualNodesOutput, error) {
	found, next, err := list(ctx, s, nodes, in.MeshOwner, VirtualNode{Mesh: *in.MeshName}, in.NextToken, in.Limit)
	out := &api.ListVirtualNodesOutput{VirtualNodes: []api.VirtualNodeRef{}, NextToken: next}
	for _, r := range found {
		m := metadata(r)
		out.VirtualNodes = append(out.VirtualNodes, api.VirtualNodeRef{
			Arn: m.Arn, CreatedAt: m.CreatedAt, LastUpdatedAt: m.LastUpdatedAt, MeshName: &r.Mesh, VirtualNodeName: &r.Name,
			MeshOwner: m.MeshOwner, ResourceOwner: m.ResourceOwner, Version: m.Version,
		})
	}
	return out, err
}

func nodeData(r VirtualNode, status string) *api.VirtualNodeData {
	return &api.VirtualNodeData{
		MeshName: &r.Mesh, VirtualNodeName: &r.Name, Metadata: metadata(r), Spec: &r.Spec,
		Status: &api.VirtualNodeStatus{Status: api.VirtualNodeStatusCode(status)},
	}
}
