"""Who talks to whom: appmesh, by calls and by a template."""

from expect import pages, refused, same, until

TEMPLATE = """
Resources:
  Mesh: {Type: "AWS::AppMesh::Mesh", Properties: {MeshName: story-stack, Spec: {EgressFilter: {Type: DROP_ALL}}}}
  Node:
    Type: AWS::AppMesh::VirtualNode
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      Spec:
        ServiceDiscovery: {DNS: {Hostname: order.story.local}}
        Listeners:
          - PortMapping: {Port: 8443, Protocol: http}
            TLS: {Mode: STRICT, Certificate: {SDS: {SecretName: order}}, Validation: {Trust: {SDS: {SecretName: ca}}}}
  Router: {Type: "AWS::AppMesh::VirtualRouter", Properties: {MeshName: !GetAtt Mesh.MeshName, Spec: {Listeners: [{PortMapping: {Port: 80, Protocol: http}}]}}}
  Route:
    Type: AWS::AppMesh::Route
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualRouterName: !GetAtt Router.VirtualRouterName
      RouteName: all
      Spec: {HttpRoute: {Match: {Prefix: /}, Action: {WeightedTargets: [{VirtualNode: !GetAtt Node.VirtualNodeName, Weight: 1}]}}}
  Service:
    Type: AWS::AppMesh::VirtualService
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualServiceName: order.story.local
      Spec: {Provider: {VirtualRouter: {VirtualRouterName: !GetAtt Router.VirtualRouterName}}}
  Gateway: {Type: "AWS::AppMesh::VirtualGateway", Properties: {MeshName: !GetAtt Mesh.MeshName, Spec: {Listeners: [{PortMapping: {Port: 80, Protocol: http}}]}}}
  Entry:
    Type: AWS::AppMesh::GatewayRoute
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualGatewayName: !GetAtt Gateway.VirtualGatewayName
      Spec: {HttpRoute: {Match: {Prefix: /order}, Action: {Target: {VirtualService: {VirtualServiceName: !GetAtt Service.VirtualServiceName}}}}}
Outputs:
  Route: {Value: !Ref Route}
  Uid: {Value: !GetAtt Node.Uid}
"""


def mesh(w):
    mesh = w.client("appmesh")
    same(mesh.create_mesh(meshName="story", tags=[{"key": "story", "value": "yes"}])["mesh"]["spec"], {})
    w.undo.append(lambda: mesh.delete_mesh(meshName="story"))
    with refused("ConflictException", "story"):
        mesh.create_mesh(meshName="story")
    at = {"meshName": "story"}
    listener = {"portMapping": {"port": 80, "protocol": "http"}}
    spec = {"listeners": [listener], "serviceDiscovery": {"dns": {"hostname": "server.story.local"}}}
    node = mesh.create_virtual_node(**at, virtualNodeName="server", spec=spec)["virtualNode"]
    w.undo.append(lambda: mesh.delete_virtual_node(**at, virtualNodeName="server"))
    same(node["metadata"]["arn"].split(":")[-1], "mesh/story/virtualNode/server")
    spec["backends"] = [{"virtualService": {"virtualServiceName": "other.story.local"}}]
    node = mesh.update_virtual_node(**at, virtualNodeName="server", spec=spec)["virtualNode"]
    same((node["metadata"]["version"], node["spec"]), (2, spec))
    with refused("BadRequestException", "spec.serviceDiscovery"):
        mesh.create_virtual_node(**at, virtualNodeName="lost", spec={"listeners": [listener]})

    mesh.create_virtual_router(**at, virtualRouterName="server", spec={"listeners": [listener]})
    w.undo.append(lambda: mesh.delete_virtual_router(**at, virtualRouterName="server"))
    mesh.update_virtual_router(**at, virtualRouterName="server", spec={"listeners": [listener]})
    targets = {"weightedTargets": [{"virtualNode": "server", "weight": 100}]}
    route = {"priority": 10, "httpRoute": {"match": {"prefix": "/"}, "action": targets}}
    within = {**at, "virtualRouterName": "server"}
    mesh.create_route(**within, routeName="all", spec=route)
    same(mesh.update_route(**within, routeName="all", spec=route)["route"]["metadata"]["version"], 2)
    same(mesh.describe_route(**within, routeName="all")["route"]["spec"], route)
    mesh.create_virtual_service(**at, virtualServiceName="server.story.local", spec={"provider": {"virtualRouter": {"virtualRouterName": "server"}}})
    mesh.create_virtual_gateway(**at, virtualGatewayName="in", spec={"listeners": [listener]})
    target = {"target": {"virtualService": {"virtualServiceName": "server.story.local"}}}
    entry = {"httpRoute": {"match": {"prefix": "/server"}, "action": target}}
    inside = {**at, "virtualGatewayName": "in"}
    mesh.create_gateway_route(**inside, gatewayRouteName="server", spec=entry)
    same(mesh.describe_gateway_route(**inside, gatewayRouteName="server")["gatewayRoute"]["spec"], entry)
    for operation, key, name, where in [
        ("list_meshes", "meshes", "meshName", {}),
        ("list_virtual_nodes", "virtualNodes", "virtualNodeName", at),
        ("list_virtual_routers", "virtualRouters", "virtualRouterName", at),
        ("list_routes", "routes", "routeName", within),
        ("list_virtual_services", "virtualServices", "virtualServiceName", at),
        ("list_virtual_gateways", "virtualGateways", "virtualGatewayName", at),
        ("list_gateway_routes", "gatewayRoutes", "gatewayRouteName", inside),
    ]:
        same(len([r[name] for r in pages(mesh, operation, key, **where)]), 1, operation)
    mesh.tag_resource(resourceArn=node["metadata"]["arn"], tags=[{"key": "a", "value": "b"}, {"key": "c", "value": "d"}])
    mesh.untag_resource(resourceArn=node["metadata"]["arn"], tagKeys=["a"])
    same(pages(mesh, "list_tags_for_resource", "tags", resourceArn=node["metadata"]["arn"]), [{"key": "c", "value": "d"}])

    for delete, what in [(mesh.delete_mesh, at), (mesh.delete_virtual_node, {**at, "virtualNodeName": "server"}), (mesh.delete_virtual_gateway, inside)]:
        with refused("ResourceInUseException"):
            delete(**what)
    with refused("ResourceInUseException", "GATEWAY_ROUTE: [server]"):
        mesh.delete_virtual_service(**at, virtualServiceName="server.story.local")
    same(mesh.delete_gateway_route(**inside, gatewayRouteName="server")["gatewayRoute"]["status"], {"status": "DELETED"})
    mesh.delete_virtual_gateway(**inside)
    mesh.delete_virtual_service(**at, virtualServiceName="server.story.local")
    mesh.delete_route(**within, routeName="all")
    with refused("NotFoundException", "all"):
        mesh.describe_route(**within, routeName="all")
    template(w, mesh)


def template(w, mesh):
    cfn = w.client("cloudformation")
    cfn.create_stack(StackName="story-mesh", TemplateBody=TEMPLATE)
    status = lambda: cfn.describe_stacks(StackName="story-mesh")["Stacks"][0]["StackStatus"]
    until(status, "CREATE_COMPLETE")
    outputs = {o["OutputKey"]: o["OutputValue"] for o in cfn.describe_stacks(StackName="story-mesh")["Stacks"][0]["Outputs"]}
    node = mesh.list_virtual_nodes(meshName="story-stack")["virtualNodes"][0]["virtualNodeName"]
    same(mesh.describe_virtual_node(meshName="story-stack", virtualNodeName=node)["virtualNode"]["metadata"]["uid"], outputs["Uid"])
    uid = outputs["Uid"]
    cfn.update_stack(StackName="story-mesh", TemplateBody=TEMPLATE.replace("Port: 8443", "Port: 9443"))
    until(status, "UPDATE_COMPLETE")
    changed = mesh.describe_virtual_node(meshName="story-stack", virtualNodeName=node)["virtualNode"]
    same((changed["metadata"]["uid"], changed["metadata"]["version"], changed["spec"]["listeners"][0]["portMapping"]["port"]), (uid, 2, 9443))
    cfn.delete_stack(StackName="story-mesh")
    until(lambda: [m["meshName"] for m in mesh.list_meshes()["meshes"]], ["story"])
