package appmesh

import (
	"fmt"
	"slices"
	"testing"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
)

// The life of a mesh: made from the inside out, and taken apart from the
// outside in, since everything holds what it needs.
func TestMeshIsTakenApartFromTheOutside(t *testing.T) {
	w := newWorld(t)
	shop := new("shop")
	m := w.mesh("shop")
	if *m.Metadata.Arn != here.ARN("appmesh", "mesh/shop") || *m.Metadata.Version != 1 || m.Status.Status != "ACTIVE" || m.Spec == nil || *m.Metadata.MeshOwner != here.Account {
		t.Errorf("%+v", m)
	}
	w.node("order", 8080)
	w.router("order", 80)
	refused[api.CreateRouteOutput](w, "CreateRoute", &api.CreateRouteInput{MeshName: shop, VirtualRouterName: new("order"), RouteName: new("all"), Spec: routeTo("gone")}, "NotFoundException", "VirtualNode with name gone is missing")
	r := call[api.CreateRouteOutput](w, "CreateRoute", &api.CreateRouteInput{MeshName: shop, VirtualRouterName: new("order"), RouteName: new("all"), Spec: routeTo("order")}).Route
	if *r.Metadata.Arn != here.ARN("appmesh", "mesh/shop/virtualRouter/order/route/all") || *r.VirtualRouterName != "order" {
		t.Errorf("%+v", r)
	}
	refused[api.CreateVirtualServiceOutput](w, "CreateVirtualService", &api.CreateVirtualServiceInput{MeshName: shop, VirtualServiceName: new("x"), Spec: &api.VirtualServiceSpec{Provider: byRouter("gone")}}, "NotFoundException", "gone is missing")
	w.virtualService("order.dev.local", byRouter("order"))
	call[api.CreateVirtualGatewayOutput](w, "CreateVirtualGateway", &api.CreateVirtualGatewayInput{MeshName: shop, VirtualGatewayName: new("in"), Spec: gatewaySpecOf(9080)})
	refused[api.CreateGatewayRouteOutput](w, "CreateGatewayRoute", &api.CreateGatewayRouteInput{MeshName: shop, VirtualGatewayName: new("in"), GatewayRouteName: new("order"), Spec: gatewayRouteTo("gone", "/order")}, "NotFoundException", "VirtualService with name gone is missing")
	g := call[api.CreateGatewayRouteOutput](w, "CreateGatewayRoute", &api.CreateGatewayRouteInput{MeshName: shop, VirtualGatewayName: new("in"), GatewayRouteName: new("order"), Spec: gatewayRouteTo("order.dev.local", "/order")}).GatewayRoute
	if *g.Metadata.Arn != here.ARN("appmesh", "mesh/shop/virtualGateway/in/gatewayRoute/order") {
		t.Errorf("%+v", g)
	}

	deleteMesh := &api.DeleteMeshInput{MeshName: shop}
	deleteNode := &api.DeleteVirtualNodeInput{MeshName: shop, VirtualNodeName: new("order")}
	deleteRouter := &api.DeleteVirtualRouterInput{MeshName: shop, VirtualRouterName: new("order")}
	deleteService := &api.DeleteVirtualServiceInput{MeshName: shop, VirtualServiceName: new("order.dev.local")}
	deleteGateway := &api.DeleteVirtualGatewayInput{MeshName: shop, VirtualGatewayName: new("in")}
	refused[api.DeleteMeshOutput](w, "DeleteMesh", deleteMesh, "ResourceInUseException", "Mesh shop for account 123456789012 has active VirtualNodes, please delete VirtualNodes before deleting the Mesh")
	refused[api.DeleteVirtualNodeOutput](w, "DeleteVirtualNode", deleteNode, "ResourceInUseException", "because it is the target of one or more routes")
	refused[api.DeleteVirtualRouterOutput](w, "DeleteVirtualRouter", deleteRouter, "ResourceInUseException", "because it is a VirtualService provider")
	refused[api.DeleteVirtualServiceOutput](w, "DeleteVirtualService", deleteService, "ResourceInUseException", "VirtualService order.dev.local is being referenced in the following: GATEWAY_ROUTE: [order]")
	refused[api.DeleteVirtualGatewayOutput](w, "DeleteVirtualGateway", deleteGateway, "ResourceInUseException", "GatewayRoutes")

	gone := call[api.DeleteGatewayRouteOutput](w, "DeleteGatewayRoute", &api.DeleteGatewayRouteInput{MeshName: shop, VirtualGatewayName: new("in"), GatewayRouteName: new("order")}).GatewayRoute
	if gone.Status.Status != api.GatewayRouteStatusCodeDeleted {
		t.Errorf("%+v", gone.Status)
	}
	call[api.DeleteVirtualGatewayOutput](w, "DeleteVirtualGateway", deleteGateway)
	call[api.DeleteVirtualServiceOutput](w, "DeleteVirtualService", deleteService)
	refused[api.DeleteVirtualRouterOutput](w, "DeleteVirtualRouter", deleteRouter, "ResourceInUseException", "active Routes")
	call[api.DeleteRouteOutput](w, "DeleteRoute", &api.DeleteRouteInput{MeshName: shop, VirtualRouterName: new("order"), RouteName: new("all")})
	call[api.DeleteVirtualRouterOutput](w, "DeleteVirtualRouter", deleteRouter)
	w.virtualService("order.dev.local", byNode("order"))
	refused[api.DeleteVirtualNodeOutput](w, "DeleteVirtualNode", deleteNode, "ResourceInUseException", "because it is a VirtualService provider")
	call[api.UpdateVirtualServiceOutput](w, "UpdateVirtualService", &api.UpdateVirtualServiceInput{MeshName: shop, VirtualServiceName: new("order.dev.local"), Spec: &api.VirtualServiceSpec{}})
	call[api.DeleteVirtualNodeOutput](w, "DeleteVirtualNode", deleteNode)
	refused[api.DeleteMeshOutput](w, "DeleteMesh", deleteMesh, "ResourceInUseException", "active VirtualServices")
	call[api.DeleteVirtualServiceOutput](w, "DeleteVirtualService", deleteService)
	call[api.DeleteMeshOutput](w, "DeleteMesh", deleteMesh)
	refused[api.DeleteMeshOutput](w, "DeleteMesh", deleteMesh, "NotFoundException", "shop")
}

func TestRequestsAreRepeatedUnderTheirToken(t *testing.T) {
	w := newWorld(t)
	w.mesh("shop")
	in := &api.CreateVirtualNodeInput{MeshName: new("shop"), VirtualNodeName: new("order"), Spec: nodeSpecOf(8080), ClientToken: new("one")}
	first := call[api.CreateVirtualNodeOutput](w, "CreateVirtualNode", in).VirtualNode
	again := call[api.CreateVirtualNodeOutput](w, "CreateVirtualNode", in).VirtualNode
	if *first.Metadata.Uid != *again.Metadata.Uid {
		t.Error("the same request made another node")
	}
	other := *in
	other.Spec = nodeSpecOf(9090)
	refused[api.CreateVirtualNodeOutput](w, "CreateVirtualNode", &other, "ConflictException", "order already exists")
	other = *in
	other.ClientToken = new("two")
	refused[api.CreateVirtualNodeOutput](w, "CreateVirtualNode", &other, "ConflictException")

	change := &api.UpdateVirtualNodeInput{MeshName: new("shop"), VirtualNodeName: new("order"), Spec: nodeSpecOf(9090), ClientToken: new("three")}
	for range 2 {
		n := call[api.UpdateVirtualNodeOutput](w, "UpdateVirtualNode", change).VirtualNode
		if *n.Metadata.Version != 2 || *n.Spec.Listeners[0].PortMapping.Port != 9090 || *n.Metadata.Uid != *first.Metadata.Uid {
			t.Errorf("%+v", n.Metadata)
		}
	}
	change.ClientToken = new("four")
	if n := call[api.UpdateVirtualNodeOutput](w, "UpdateVirtualNode", change).VirtualNode; *n.Metadata.Version != 3 {
		t.Errorf("version %d, want one more for each update", *n.Metadata.Version)
	}
}

func TestWhatIsNotThereIsNamed(t *testing.T) {
	w := newWorld(t)
	none := new("none")
	refused[api.DescribeMeshOutput](w, "DescribeMesh", &api.DescribeMeshInput{MeshName: none}, "NotFoundException", "Mesh with name none")
	refused[api.DescribeVirtualNodeOutput](w, "DescribeVirtualNode", &api.DescribeVirtualNodeInput{MeshName: none, VirtualNodeName: none}, "NotFoundException", "Mesh with name none")
	refused[api.ListVirtualNodesOutput](w, "ListVirtualNodes", &api.ListVirtualNodesInput{MeshName: none}, "NotFoundException")
	refused[api.CreateVirtualNodeOutput](w, "CreateVirtualNode", &api.CreateVirtualNodeInput{MeshName: none, VirtualNodeName: none, Spec: nodeSpecOf(1)}, "NotFoundException")
	w.mesh("shop")
	shop := new("shop")
	refused[api.DescribeVirtualNodeOutput](w, "DescribeVirtualNode", &api.DescribeVirtualNodeInput{MeshName: shop, VirtualNodeName: none}, "NotFoundException", "VirtualNode with name none is not present under mesh shop for account 123456789012")
	refused[api.UpdateVirtualServiceOutput](w, "UpdateVirtualService", &api.UpdateVirtualServiceInput{MeshName: shop, VirtualServiceName: none, Spec: &api.VirtualServiceSpec{}}, "NotFoundException", "VirtualService with name none")
	refused[api.DescribeRouteOutput](w, "DescribeRoute", &api.DescribeRouteInput{MeshName: shop, VirtualRouterName: none, RouteName: none}, "NotFoundException", "VirtualRouter with name none")
	w.router("order")
	refused[api.DeleteRouteOutput](w, "DeleteRoute", &api.DeleteRouteInput{MeshName: shop, VirtualRouterName: new("order"), RouteName: none}, "NotFoundException", "Route with name none", "VirtualRouter order")
	refused[api.ListGatewayRoutesOutput](w, "ListGatewayRoutes", &api.ListGatewayRoutesInput{MeshName: shop, VirtualGatewayName: none}, "NotFoundException", "VirtualGateway with name none")
	refused[api.DescribeMeshOutput](w, "DescribeMesh", &api.DescribeMeshInput{MeshName: shop, MeshOwner: new("999999999999")}, "ForbiddenException", "not shared")
	call[api.DescribeMeshOutput](w, "DescribeMesh", &api.DescribeMeshInput{MeshName: shop, MeshOwner: new(here.Account)})
	refused[api.CreateMeshOutput](w, "CreateMesh", &api.CreateMeshInput{MeshName: new("a/b")}, "BadRequestException", "hyphens")
}

func TestListsComeInPages(t *testing.T) {
	w := newWorld(t)
	w.mesh("shop")
	w.mesh("shop2")
	for i := range 5 {
		w.node(fmt.Sprintf("node-%d", i), 8080)
	}
	call[api.CreateVirtualNodeOutput](w, "CreateVirtualNode", &api.CreateVirtualNodeInput{MeshName: new("shop2"), VirtualNodeName: new("other"), Spec: nodeSpecOf(8080)})
	var names []string
	var token *string
	for pages := 0; ; pages++ {
		out := call[api.ListVirtualNodesOutput](w, "ListVirtualNodes", &api.ListVirtualNodesInput{MeshName: new("shop"), Limit: new(int32(2)), NextToken: token})
		for _, n := range out.VirtualNodes {
			names = append(names, *n.VirtualNodeName)
		}
		if token = out.NextToken; token == nil {
			if pages != 2 {
				t.Errorf("%d pages", pages+1)
			}
			break
		}
	}
	if want := []string{"node-0", "node-1", "node-2", "node-3", "node-4"}; !slices.Equal(names, want) {
		t.Errorf("%v", names)
	}
	if all := call[api.ListMeshesOutput](w, "ListMeshes", &api.ListMeshesInput{}).Meshes; len(all) != 2 || *all[1].Arn != here.ARN("appmesh", "mesh/shop2") {
		t.Errorf("%+v", all)
	}
	refused[api.ListMeshesOutput](w, "ListMeshes", &api.ListMeshesInput{NextToken: new("forged")}, "BadRequestException", "token")
}

func TestTags(t *testing.T) {
	w := newWorld(t)
	call[api.CreateMeshOutput](w, "CreateMesh", &api.CreateMeshInput{MeshName: new("shop"), Tags: []api.TagRef{{Key: new("team"), Value: new("a")}}})
	n := w.node("order", 8080)
	for _, name := range []string{here.ARN("appmesh", "mesh/shop"), *n.Metadata.Arn} {
		call[api.TagResourceOutput](w, "TagResource", &api.TagResourceInput{ResourceArn: &name, Tags: []api.TagRef{{Key: new("stage"), Value: new("dev")}, {Key: new("team"), Value: new("b")}}})
		call[api.UntagResourceOutput](w, "UntagResource", &api.UntagResourceInput{ResourceArn: &name, TagKeys: []string{"stage"}})
		tags := call[api.ListTagsForResourceOutput](w, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceArn: &name}).Tags
		if len(tags) != 1 || *tags[0].Key != "team" || *tags[0].Value != "b" {
			t.Errorf("%s: %+v", name, tags)
		}
	}
	refused[api.TagResourceOutput](w, "TagResource", &api.TagResourceInput{ResourceArn: n.Metadata.Arn, Tags: []api.TagRef{{Key: new("aws:x"), Value: new("y")}}}, "BadRequestException", "reserved")
	refused[api.ListTagsForResourceOutput](w, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceArn: new(here.ARN("appmesh", "mesh/shop/virtualNode/none"))}, "NotFoundException", "none")
	refused[api.ListTagsForResourceOutput](w, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceArn: new(here.ARN("appmesh", "mesh/shop/nothing/none"))}, "BadRequestException")
	refused[api.ListTagsForResourceOutput](w, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceArn: new(here.ARN("appmesh", "mesh"))}, "BadRequestException")
	var many []api.TagRef
	for i := range 50 {
		many = append(many, api.TagRef{Key: new(fmt.Sprint(i)), Value: new("")})
	}
	refused[api.TagResourceOutput](w, "TagResource", &api.TagResourceInput{ResourceArn: n.Metadata.Arn, Tags: many}, "TooManyTagsException")
}

// Several listeners make ports necessary, on either side of a route and
// whichever of the two comes last.
func TestPortsTellListenersApart(t *testing.T) {
	w := newWorld(t)
	shop := new("shop")
	w.mesh("shop")
	w.node("order", 8080, 8081)
	w.node("plain", 8080)
	w.router("two", 80, 81)
	w.router("one", 80)
	route := func(router string, match, target *int32, node string) *api.CreateRouteInput {
		spec := routeTo(node)
		spec.HttpRoute.Match.Port, spec.HttpRoute.Action.WeightedTargets[0].Port = match, target
		return &api.CreateRouteInput{MeshName: shop, VirtualRouterName: &router, RouteName: new("r"), Spec: spec}
	}
	port := func(n int32) *int32 { return &n }
	refused[api.CreateRouteOutput](w, "CreateRoute", route("two", nil, nil, "plain"), "BadRequestException", "Route must define a port match criteria if the Virtual Router has multiple listeners")
	refused[api.CreateRouteOutput](w, "CreateRoute", route("two", port(82), nil, "plain"), "BadRequestException", "no listener on port 82")
	refused[api.CreateRouteOutput](w, "CreateRoute", route("two", port(81), nil, "order"), "BadRequestException", "multiple listeners", "order")
	refused[api.CreateRouteOutput](w, "CreateRoute", route("two", port(81), port(9), "order"), "BadRequestException", "no listener on port 9")
	grpc := &api.RouteSpec{GrpcRoute: &api.GrpcRoute{Match: &api.GrpcRouteMatch{}, Action: &api.GrpcRouteAction{WeightedTargets: routeTo("plain").HttpRoute.Action.WeightedTargets}}}
	refused[api.CreateRouteOutput](w, "CreateRoute", &api.CreateRouteInput{MeshName: shop, VirtualRouterName: new("one"), RouteName: new("r"), Spec: grpc}, "BadRequestException", "protocol grpc")
	call[api.CreateRouteOutput](w, "CreateRoute", route("two", port(81), port(8081), "order"))
	call[api.CreateRouteOutput](w, "CreateRoute", route("one", nil, nil, "plain"))

	refused[api.UpdateVirtualRouterOutput](w, "UpdateVirtualRouter", &api.UpdateVirtualRouterInput{MeshName: shop, VirtualRouterName: new("one"), Spec: routerSpecOf(80, 81)}, "BadRequestException", "All Routes for this Virtual Router must")
	refused[api.UpdateVirtualNodeOutput](w, "UpdateVirtualNode", &api.UpdateVirtualNodeInput{MeshName: shop, VirtualNodeName: new("plain"), Spec: nodeSpecOf(80, 81)}, "BadRequestException", "Route r of VirtualRouter one")
	refused[api.UpdateVirtualNodeOutput](w, "UpdateVirtualNode", &api.UpdateVirtualNodeInput{MeshName: shop, VirtualNodeName: new("order"), Spec: nodeSpecOf(8080)}, "BadRequestException", "no listener on port 8081")

	w.virtualService("order.local", byNode("order"))
	call[api.CreateVirtualGatewayOutput](w, "CreateVirtualGateway", &api.CreateVirtualGatewayInput{MeshName: shop, VirtualGatewayName: new("in"), Spec: gatewaySpecOf(80, 81)})
	enter := func(match, target *int32) *api.CreateGatewayRouteInput {
		spec := gatewayRouteTo("order.local", "/order")
		spec.HttpRoute.Match.Port, spec.HttpRoute.Action.Target.Port = match, target
		return &api.CreateGatewayRouteInput{MeshName: shop, VirtualGatewayName: new("in"), GatewayRouteName: new("r"), Spec: spec}
	}
	refused[api.CreateGatewayRouteOutput](w, "CreateGatewayRoute", enter(nil, port(8080)), "BadRequestException", "Virtual Gateway has multiple listeners")
	refused[api.CreateGatewayRouteOutput](w, "CreateGatewayRoute", enter(port(80), nil), "BadRequestException", "multiple listeners")
	call[api.CreateGatewayRouteOutput](w, "CreateGatewayRoute", enter(port(80), port(8080)))
	second := enter(port(80), port(8081))
	second.GatewayRouteName = new("s")
	refused[api.CreateGatewayRouteOutput](w, "CreateGatewayRoute", second, "BadRequestException", "same match")
	second.Spec.Priority = new(int32(7))
	call[api.CreateGatewayRouteOutput](w, "CreateGatewayRoute", second)
	refused[api.UpdateVirtualGatewayOutput](w, "UpdateVirtualGateway", &api.UpdateVirtualGatewayInput{MeshName: shop, VirtualGatewayName: new("in"), Spec: gatewaySpecOf(81)}, "BadRequestException", "All Gateway Routes")
}

func TestQuotas(t *testing.T) {
	w := newWorld(t)
	w.mesh("shop")
	for i := range gatewayMost {
		call[api.CreateVirtualGatewayOutput](w, "CreateVirtualGateway", &api.CreateVirtualGatewayInput{MeshName: new("shop"), VirtualGatewayName: new(fmt.Sprint(i)), Spec: gatewaySpecOf(80)})
	}
	more := &api.CreateVirtualGatewayInput{MeshName: new("shop"), VirtualGatewayName: new("more"), Spec: gatewaySpecOf(80)}
	refused[api.CreateVirtualGatewayOutput](w, "CreateVirtualGateway", more, "LimitExceededException", "3", "VirtualGateway")
	w.service.strict = false
	call[api.CreateVirtualGatewayOutput](w, "CreateVirtualGateway", more)
}

// What a proxy needs comes in one piece, and only of its own mesh.
func TestMeshIsReadWhole(t *testing.T) {
	w := newWorld(t)
	w.mesh("shop")
	w.mesh("shop2")
	w.node("order", 8080)
	w.router("order", 80)
	w.virtualService("order.local", byRouter("order"))
	before := w.store.Snapshot()
	call[api.CreateRouteOutput](w, "CreateRoute", &api.CreateRouteInput{MeshName: new("shop"), VirtualRouterName: new("order"), RouteName: new("all"), Spec: routeTo("order")})
	snap := w.store.Snapshot()
	v, ok := Read(snap, here, "shop")
	if !ok || len(v.Nodes) != 1 || len(v.Routes["order"]) != 1 || *v.Services["order.local"].Spec.Provider.VirtualRouter.VirtualRouterName != "order" || len(v.Routers) != 1 {
		t.Errorf("%+v", v)
	}
	if v, ok := Read(snap, here, "shop2"); !ok || len(v.Nodes)+len(v.Routers)+len(v.Services) != 0 {
		t.Errorf("%+v", v)
	}
	if _, ok := Read(snap, here, "none"); ok {
		t.Error("there is no such mesh")
	}
	changes, _, err := w.store.Changes(t.Context(), before.Revision())
	if err != nil || len(changes) != 1 {
		t.Fatalf("%v %v", changes, err)
	}
	for _, c := range changes {
		if key, ok := MeshKey(c); !ok || key != here.Key("shop") {
			t.Errorf("%+v is about %q", c, key)
		}
	}
}
