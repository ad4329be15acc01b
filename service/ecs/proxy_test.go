package ecs

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/node/vpc"
)

// meshed is a definition whose traffic goes through its sidecar.
func meshed(properties ...string) *ecsapi.RegisterTaskDefinitionInput {
	in := &ecsapi.RegisterTaskDefinitionInput{
		Family: new("web"), Cpu: new("256"), Memory: new("512"), RequiresCompatibilities: []ecsapi.Compatibility{"FARGATE"},
		ContainerDefinitions: []ecsapi.ContainerDefinition{
			{
				Name: new("web"), Image: new("good"), PortMappings: []ecsapi.PortMapping{{ContainerPort: new(int32(8080))}},
				DependsOn: []ecsapi.ContainerDependency{{ContainerName: new("envoy"), Condition: "HEALTHY"}},
			},
			{Name: new("envoy"), Image: new("envoy"), User: new("1337"), HealthCheck: &ecsapi.HealthCheck{Command: []string{"CMD", "/envoy", "health"}}},
		},
		ProxyConfiguration: &ecsapi.ProxyConfiguration{ContainerName: new("envoy")},
	}
	for _, p := range properties {
		name, v, ok := strings.Cut(p, "=")
		kv := ecsapi.KeyValuePair{Name: &name}
		if ok {
			kv.Value = &v
		}
		in.ProxyConfiguration.Properties = append(in.ProxyConfiguration.Properties, kv)
	}
	return in
}

// usual are the properties of the reference platform.
func usual(more ...string) []string {
	return append([]string{
		"IgnoredUID=1337", "ProxyIngressPort=15000", "ProxyEgressPort=15001", "AppPorts=8080", "EgressIgnoredIPs=169.254.170.2,169.254.169.254",
	}, more...)
}

func TestProxyConfigurations(t *testing.T) {
	without := func(name string) (out []string) {
		for _, p := range usual() {
			if !strings.HasPrefix(p, name) {
				out = append(out, p)
			}
		}
		return out
	}
	for _, c := range []struct {
		name, want string
		properties []string
		change     func(*ecsapi.RegisterTaskDefinitionInput)
	}{
		{name: "as the platform has it", properties: usual()},
		{name: "all of it", properties: usual("IgnoredGID=1338", "AppPorts= 8080 , 8081", "EgressIgnoredPorts=22,25", "EgressIgnoredIPs=10.0.0.0/8, 192.0.2.1,2001:db8::1")},
		{name: "empty ones, as CloudFormation sends them", properties: usual("IgnoredGID=", "EgressIgnoredPorts=", "EgressIgnoredIPs=")},
		{name: "a group alone", properties: append(without("IgnoredUID"), "IgnoredGID=0")},
		{name: "no value", properties: usual("IgnoredGID"), want: "ProxyConfiguration properties value cannot be null."},
		{name: "no app ports", properties: without("AppPorts"), want: "App ports not found."},
		{name: "empty app ports", properties: append(without("AppPorts"), "AppPorts="), want: "App ports not found."},
		{name: "no ingress port", properties: without("ProxyIngressPort"), want: "Proxy ingress port not found."},
		{name: "no egress port", properties: without("ProxyEgressPort"), want: "Proxy egress port not found."},
		{name: "neither user nor group", properties: without("IgnoredUID"), want: "Ignored UID or ignored GID not found."},
		{name: "a user by name", properties: usual("IgnoredUID=envoy"), want: "Ignored UID 'envoy' is not a number."},
		{name: "port 0", properties: usual("ProxyEgressPort=0"), want: "Proxy egress port '0' is not a port number between 1 and 65535."},
		{name: "a port too high", properties: usual("AppPorts=80,65536"), want: "App ports '65536' is not a port number between 1 and 65535."},
		{name: "sixteen ports", properties: usual("EgressIgnoredPorts=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16"), want: "Egress ignored ports cannot have more than 15 ports."},
		{name: "a host name", properties: usual("EgressIgnoredIPs=example.com"), want: "Egress ignored IPs 'example.com' is not an IP address or a CIDR block."},
		{name: "an unknown property", properties: usual("Ports=1"), want: "Unknown ProxyConfiguration property 'Ports'."},
		{
			name: "another container", properties: usual(), want: "ProxyConfiguration container name 'proxy' does not match any container in the task definition.",
			change: func(in *ecsapi.RegisterTaskDefinitionInput) { in.ProxyConfiguration.ContainerName = new("proxy") },
		},
		{
			name: "another network mode", properties: usual(), want: "ProxyConfiguration is only supported when networkMode=awsvpc.",
			change: func(in *ecsapi.RegisterTaskDefinitionInput) {
				in.NetworkMode, in.RequiresCompatibilities = "bridge", nil
			},
		},
	} {
		in := meshed(c.properties...)
		if c.change != nil {
			c.change(in)
		}
		d := definitionOf(in)
		if got := messageIn(checkDefinition(&d)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// What is asked for is described, and is what the task gets, by either way.
func TestProxyReachesTheTask(t *testing.T) {
	inWorld(t, func(w *world) {
		in := meshed(usual("IgnoredGID=", "EgressIgnoredPorts=22", "EgressIgnoredIPs=10.0.7.0/24")...)
		must(w.RegisterTaskDefinition(w.ctx, in))
		described := must(w.DescribeTaskDefinition(w.ctx, &ecsapi.DescribeTaskDefinitionInput{TaskDefinition: new("web")})).TaskDefinition
		if got := described.ProxyConfiguration; got == nil || got.Type != "APPMESH" || !reflect.DeepEqual(got.Properties, in.ProxyConfiguration.Properties) {
			t.Errorf("described as %+v", got)
		}
		must(w.run(func(*ecsapi.RunTaskInput) {}))

		doc := `{"Family": "web2", "Cpu": "256", "Memory": "512", "RequiresCompatibilities": ["FARGATE"],
			"ContainerDefinitions": [{"Name": "web", "Image": "good"}, {"Name": "envoy", "Image": "envoy"}],
			"ProxyConfiguration": {"Type": "APPMESH", "ContainerName": "envoy", "ProxyConfigurationProperties": [
				{"Name": "IgnoredUID", "Value": "1337"}, {"Name": "AppPorts", "Value": "8080"}, {"Name": "ProxyIngressPort", "Value": "15000"},
				{"Name": "ProxyEgressPort", "Value": "15001"}, {"Name": "EgressIgnoredPorts", "Value": "22"}, {"Name": "EgressIgnoredIPs", "Value": "10.0.7.0/24"}]}}`
		var properties map[string]any
		if err := json.Unmarshal([]byte(doc), &properties); err != nil {
			t.Fatal(err)
		}
		made := must(cfn.Of("AWS::ECS::TaskDefinition", taskDefinitionResource{w.Service}).Create(w.ctx, properties))
		must(w.run(func(in *ecsapi.RunTaskInput) { in.TaskDefinition = &made.ID }))

		want := &agent.Proxy{Container: "envoy", Interception: vpc.Interception{
			IngressPort: 15000, EgressPort: 15001, AppPorts: []uint16{8080}, IgnoredUID: new(uint32(1337)), EgressIgnoredPorts: []uint16{22},
			EgressIgnoredIPs: []netip.Prefix{netip.MustParsePrefix("10.0.7.0/24"), metadataAddresses[0], metadataAddresses[1]},
		}}
		n := 0
		for a := range agent.Tasks.List(w.store.Snapshot(), "") {
			n++
			if !reflect.DeepEqual(a.Proxy, want) {
				t.Errorf("%s: %+v", a.Family, a.Proxy)
			}
			var again agent.Task
			if row, err := json.Marshal(a); err != nil || json.Unmarshal(row, &again) != nil || !reflect.DeepEqual(again.Proxy, want) {
				t.Errorf("%s: read again as %+v", a.Family, again.Proxy)
			}
		}
		if n != 2 {
			t.Errorf("%d tasks", n)
		}
	})
}
