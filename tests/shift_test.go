package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/api/servicediscoveryapi"
	"github.com/slipway-dev/slipway/tests/rig"
)

// v2 is the virtual node of payment's second version.
const v2 = "payment-v2-node-dev"

// A second version of a service runs beside the first, on a virtual node of its
// own. Calls move to it by weight while orders are taken: all goes well with a
// good version, and a bad one is left at once.
func TestShift(t *testing.T) {
	w := meshed(t, "--speed", "10")
	w.scaleByHand()
	w.secondVersion()
	t.Run("a good version", func(t *testing.T) {
		w := world{t, w.Engine}
		_, stop := w.orderLoad(4, 5*time.Millisecond)
		w.must("mesh", "shift", "payment", "--to", "v2", "--weight", "50", "--steps", "10", "--pause", "5s")
		if got := w.weights("payment"); got[v2] == 0 || got[v2] != got["payment-node-dev"] {
			t.Errorf("weights %v, want half and half", got)
		}
		w.lost(stop(), "to half the calls")
		if n := w.calls(v2); n == 0 {
			t.Error("nobody called the second version")
		}
	})
	t.Run("a bad version", func(t *testing.T) {
		w := world{t, w.Engine}
		w.must("mesh", "shift", "payment", "--to", "v2", "--weight", "0", "--pause", "0s")
		before := w.weights("payment")
		w.misbehave("payment-v2", "/payment/fault?status=500&rate=1&for=10m")
		answered, stop := w.orderLoad(4, 5*time.Millisecond)
		w.eventually(time.Minute, "orders are taken", func() (bool, error) { return answered.Load() > 20, nil })
		out := w.fails(1, "mesh", "shift", "payment", "--to", "v2", "--weight", "20", "--pause", "1m")
		back := time.Now()
		says(t, out, "calls failed", "the old weights are back")
		if got := w.weights("payment"); !sameWeights(got, before) {
			t.Errorf("weights %v, were %v", got, before)
		}
		so := answered.Load()
		w.eventually(time.Minute, "100 orders after that", func() (bool, error) { return answered.Load() > so+100, nil })
		result := stop()
		failed := result.Failures()
		if len(failed) == 0 {
			t.Error("no order failed: the bad version was never asked")
		}
		for _, f := range failed {
			if f.At.After(back) {
				t.Errorf("an order failed after the old weights were back (%s): %s", back.Format("05.000"), f)
			}
		}
		t.Logf("%d orders, of which %d failed before the weights were back", len(result), len(failed))
	})
}

// secondVersion runs payment once more, as v2, with what it takes to be called.
func (w world) secondVersion() {
	w.Helper()
	mesh := new("microservices-mesh-dev")
	one := w.describe("payment")
	def := call[ecsapi.DescribeTaskDefinitionInput, ecsapi.DescribeTaskDefinitionOutput](w, "ecs", "DescribeTaskDefinition", &ecsapi.DescribeTaskDefinitionInput{TaskDefinition: one.TaskDefinition}).TaskDefinition
	node := call[appmeshapi.DescribeVirtualNodeInput, appmeshapi.DescribeVirtualNodeOutput](w, "appmesh", "DescribeVirtualNode",
		&appmeshapi.DescribeVirtualNodeInput{MeshName: mesh, VirtualNodeName: new("payment-node-dev")}).VirtualNode
	arn := strings.TrimSuffix(*node.Metadata.Arn, "payment-node-dev") + v2

	// It may have its node's configuration.
	role := (*def.TaskRoleArn)[strings.LastIndexByte(*def.TaskRoleArn, '/')+1:]
	policy, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{
		map[string]any{"Effect": "Allow", "Action": "appmesh:StreamAggregatedResources", "Resource": arn},
	}})
	call[iamapi.PutRolePolicyInput, iamapi.PutRolePolicyOutput](w, "iam", "PutRolePolicy", &iamapi.PutRolePolicyInput{RoleName: &role, PolicyName: new("v2"), PolicyDocument: new(string(policy))})

	// It is found, and is a node of the mesh like the first.
	found := call[servicediscoveryapi.ListServicesInput, servicediscoveryapi.ListServicesOutput](w, "servicediscovery", "ListServices", &servicediscoveryapi.ListServicesInput{})
	i := slices.IndexFunc(found.Services, func(s servicediscoveryapi.ServiceSummary) bool { return val(s.Name) == "payment" })
	first := call[servicediscoveryapi.GetServiceInput, servicediscoveryapi.GetServiceOutput](w, "servicediscovery", "GetService", &servicediscoveryapi.GetServiceInput{Id: found.Services[i].Id}).Service
	second := call[servicediscoveryapi.CreateServiceInput, servicediscoveryapi.CreateServiceOutput](w, "servicediscovery", "CreateService", &servicediscoveryapi.CreateServiceInput{
		Name: new("payment-v2"), NamespaceId: first.NamespaceId, DnsConfig: &servicediscoveryapi.DnsConfig{DnsRecords: first.DnsConfig.DnsRecords},
		HealthCheckCustomConfig: first.HealthCheckCustomConfig,
	}).Service
	spec := *node.Spec
	spec.ServiceDiscovery = &appmeshapi.ServiceDiscovery{AwsCloudMap: &appmeshapi.AwsCloudMapServiceDiscovery{
		NamespaceName: node.Spec.ServiceDiscovery.AwsCloudMap.NamespaceName, ServiceName: new("payment-v2"),
	}}
	call[appmeshapi.CreateVirtualNodeInput, appmeshapi.CreateVirtualNodeOutput](w, "appmesh", "CreateVirtualNode",
		&appmeshapi.CreateVirtualNodeInput{MeshName: mesh, VirtualNodeName: new(v2), Spec: &spec})

	containers := slices.Clone(def.ContainerDefinitions)
	for i := range containers {
		containers[i].Environment = slices.Clone(containers[i].Environment)
		for j := range containers[i].Environment {
			if val(containers[i].Environment[j].Name) == "APPMESH_RESOURCE_ARN" {
				containers[i].Environment[j].Value = &arn
			}
		}
	}
	registered := call[ecsapi.RegisterTaskDefinitionInput, ecsapi.RegisterTaskDefinitionOutput](w, "ecs", "RegisterTaskDefinition", &ecsapi.RegisterTaskDefinitionInput{
		Family: new("payment-v2-dev"), ContainerDefinitions: containers, Cpu: def.Cpu, Memory: def.Memory, NetworkMode: def.NetworkMode,
		RequiresCompatibilities: def.RequiresCompatibilities, TaskRoleArn: def.TaskRoleArn, ExecutionRoleArn: def.ExecutionRoleArn,
		ProxyConfiguration: def.ProxyConfiguration, Volumes: def.Volumes, RuntimePlatform: def.RuntimePlatform,
	}).TaskDefinition
	call[ecsapi.CreateServiceInput, ecsapi.CreateServiceOutput](w, "ecs", "CreateService", &ecsapi.CreateServiceInput{
		Cluster: new("microservices-cluster-dev"), ServiceName: new("payment-v2-service-dev"), TaskDefinition: registered.TaskDefinitionArn, DesiredCount: new(int32(2)),
		LaunchType: "FARGATE", NetworkConfiguration: one.NetworkConfiguration, ServiceRegistries: []ecsapi.ServiceRegistry{{RegistryArn: second.Arn}},
	})
	w.eventually(2*time.Minute, "the second version is in the mesh", func() (bool, error) {
		n := 0
		for _, node := range w.mesh().Nodes {
			if node.Name == v2 && node.Connected && node.Acked == node.Version {
				n++
			}
		}
		return n == 2 && *w.describe("payment-v2").RunningCount == 2, fmt.Errorf("%d of 2", n)
	})
}

// weights are how a service's route divides its calls.
func (w world) weights(service string) map[string]int32 {
	w.Helper()
	mesh, router := new("microservices-mesh-dev"), new(service+"-router-dev")
	routes := call[appmeshapi.ListRoutesInput, appmeshapi.ListRoutesOutput](w, "appmesh", "ListRoutes", &appmeshapi.ListRoutesInput{MeshName: mesh, VirtualRouterName: router})
	route := call[appmeshapi.DescribeRouteInput, appmeshapi.DescribeRouteOutput](w, "appmesh", "DescribeRoute", &appmeshapi.DescribeRouteInput{
		MeshName: mesh, VirtualRouterName: router, RouteName: routes.Routes[0].RouteName,
	}).Route
	out := map[string]int32{}
	for _, t := range route.Spec.HttpRoute.Action.WeightedTargets {
		out[val(t.VirtualNode)] = *t.Weight
	}
	return out
}

// sameWeights compares shares: a node without any is one that is not there.
func sameWeights(a, b map[string]int32) bool {
	for _, node := range []string{"payment-node-dev", v2} {
		if (a[node] == 0) != (b[node] == 0) {
			return false
		}
	}
	return true
}

// calls counts those that a virtual node has been sent.
func (w world) calls(node string) (n int64) {
	w.Helper()
	for _, e := range w.mesh().Edges {
		if e.Destination == node {
			n += e.Requests
		}
	}
	return n
}

// misbehave has every task of a service fail as asked, past its sidecar.
func (w world) misbehave(service, how string) {
	w.Helper()
	for _, p := range w.sidecars(service) {
		client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return rig.DialInside(ctx, p.Pid, "127.0.0.1:8080")
		}}}
		req, err := http.NewRequestWithContext(w.Context(), http.MethodPut, "http://payment"+how, nil)
		if err != nil {
			w.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			w.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			w.Fatalf("PUT %s: %s", how, resp.Status)
		}
	}
}
