package sidecar

import (
	"log/slog"
	"strings"
	"testing"
)

func TestEnvironment(t *testing.T) {
	const arn = "arn:aws:appmesh:us-east-1:000000000000:mesh/m/virtualNode/n"
	for _, c := range []struct {
		name string
		env  map[string]string
		want string // in the error; empty: none
		then func(t *testing.T, c Config)
	}{
		{"a node by its ARN", map[string]string{"APPMESH_RESOURCE_ARN": arn}, "", func(t *testing.T, c Config) {
			if c.Node.GetId() != arn || c.Node.GetCluster() != "mesh/m/virtualNode/n" || c.Endpoint != DefaultEndpoint || c.Admin != ":9901" || c.Level.Level() != slog.LevelInfo {
				t.Errorf("got %+v", c)
			}
		}},
		{"the older name", map[string]string{"APPMESH_VIRTUAL_NODE_NAME": "mesh/m/virtualNode/n"}, "", func(t *testing.T, c Config) {
			if c.Node.GetId() != "mesh/m/virtualNode/n" {
				t.Errorf("got %s", c.Node.GetId())
			}
		}},
		{"all that can be chosen", map[string]string{
			"APPMESH_RESOURCE_ARN": arn, "APPMESH_XDS_ENDPOINT": "10.0.0.2:443", "ENVOY_ADMIN_ACCESS_PORT": "9000", "ENVOY_LOG_LEVEL": "off",
			"ENABLE_ENVOY_STATS_TAGS": "1", "APPMESH_RESOURCE_CLUSTER": "orders", "SLIPWAY_INGRESS": "15080=8080", "ENVOY_CONCURRENCY": "1",
		}, "", func(t *testing.T, c Config) {
			if c.Endpoint != "10.0.0.2:443" || c.Admin != ":9000" || c.Threads != 1 || c.Node.GetCluster() != "orders" || c.Node.GetMetadata().GetFields()[IngressKey].GetStringValue() != "15080=8080" {
				t.Errorf("got %+v", c)
			}
			if want := `appmesh_mesh="m",appmesh_virtual_node="n"`; c.Labels != want {
				t.Errorf("labels %s, want %s", c.Labels, want)
			}
			if c.Level.Level() <= slog.LevelError {
				t.Error("off still logs errors")
			}
		}},
		{"nothing", nil, "APPMESH_RESOURCE_ARN is not set", nil},
		{"a name that is none", map[string]string{"APPMESH_RESOURCE_ARN": "orders"}, `APPMESH_RESOURCE_ARN is "orders"`, nil},
		{"a port that is none", map[string]string{"APPMESH_RESOURCE_ARN": arn, "ENVOY_ADMIN_ACCESS_PORT": "x"}, "ENVOY_ADMIN_ACCESS_PORT", nil},
		{"threads that are none", map[string]string{"APPMESH_RESOURCE_ARN": arn, "ENVOY_CONCURRENCY": "-1"}, "ENVOY_CONCURRENCY", nil},
		{"an endpoint without port", map[string]string{"APPMESH_RESOURCE_ARN": arn, "APPMESH_XDS_ENDPOINT": "x"}, "APPMESH_XDS_ENDPOINT", nil},
		{"a level that is none", map[string]string{"APPMESH_RESOURCE_ARN": arn, "ENVOY_LOG_LEVEL": "loud"}, "ENVOY_LOG_LEVEL", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Environment(func(k string) string { return c.env[k] })
			switch {
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want one with %q", err, c.want)
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want == "":
				c.then(t, got)
			}
		})
	}
}
