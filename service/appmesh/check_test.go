package appmesh

import (
	"encoding/json"
	"strings"
	"testing"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
)

// specCase is a spec as a client writes it, and what is wrong with it: words
// of the refusal, or none.
type specCase struct{ name, spec, wrong string }

// specs sends each case's spec in a request of its own.
func specs[O, I any](t *testing.T, w *world, op string, in *I, spec func(*I, []byte), cases []specCase) {
	for _, c := range cases {
		t.Run(op+" "+c.name, func(t *testing.T) {
			w.t = t
			spec(in, []byte(c.spec))
			if c.wrong != "" {
				refused[O](w, op, in, "BadRequestException", strings.Split(c.wrong, "|")...)
				return
			}
			call[O](w, op, in)
		})
	}
}

func read[S any](t *testing.T, doc []byte) *S {
	var s S
	if err := json.Unmarshal(doc, &s); err != nil {
		t.Fatal(err)
	}
	return &s
}

const found = `"serviceDiscovery":{"dns":{"hostname":"a.local"}},`

func TestNodeSpecs(t *testing.T) {
	w := newWorld(t)
	w.mesh("shop")
	w.node("n", 80)
	on := func(rest string) string {
		return `{` + found + `"listeners":[{"portMapping":{"port":80,"protocol":"http"}` + rest + `}]}`
	}
	file := `"certificate":{"file":{"certificateChain":"/c","privateKey":"/k"}}`
	in := &api.UpdateVirtualNodeInput{MeshName: new("shop"), VirtualNodeName: new("n")}
	specs[api.UpdateVirtualNodeOutput](t, w, "UpdateVirtualNode", in, func(in *api.UpdateVirtualNodeInput, doc []byte) { in.Spec = read[api.VirtualNodeSpec](t, doc) }, []specCase{
		{"nothing", `{}`, ""},
		{"found twice", `{"serviceDiscovery":{"dns":{"hostname":"a"},"awsCloudMap":{"namespaceName":"n","serviceName":"s"}}}`, "spec.serviceDiscovery must have exactly one of awsCloudMap, dns, not 2"},
		{"found nowhere", `{"listeners":[{"portMapping":{"port":80,"protocol":"http"}}]}`, "spec.serviceDiscovery must be given"},
		{"cloud map", `{"serviceDiscovery":{"awsCloudMap":{"namespaceName":"n","serviceName":"s"}}}`, ""},
		{"port 0", `{` + found + `"listeners":[{"portMapping":{"port":0,"protocol":"http"}}]}`, "greater than or equal to 1"},
		{"protocol", `{` + found + `"listeners":[{"portMapping":{"port":1,"protocol":"udp"}}]}`, "enum value set"},
		{"one port twice", `{` + found + `"listeners":[{"portMapping":{"port":1,"protocol":"http"}},{"portMapping":{"port":1,"protocol":"grpc"}}]}`, "spec.listeners[1].portMapping.port"},
		{"health", on(`,"healthCheck":{"protocol":"http","path":"/health","healthyThreshold":2,"unhealthyThreshold":2,"timeoutMillis":2000,"intervalMillis":5000}`), ""},
		{"health without path", on(`,"healthCheck":{"protocol":"http","healthyThreshold":2,"unhealthyThreshold":2,"timeoutMillis":2000,"intervalMillis":5000}`), "healthCheck.path must begin with /"},
		{"health elsewhere", on(`,"healthCheck":{"protocol":"tcp","port":81,"healthyThreshold":2,"unhealthyThreshold":2,"timeoutMillis":2000,"intervalMillis":5000}`), "must match the port of the listener, 80"},
		{"health too often", on(`,"healthCheck":{"protocol":"tcp","healthyThreshold":2,"unhealthyThreshold":2,"timeoutMillis":2000,"intervalMillis":4999}`), "5000"},
		{"health waits too long", on(`,"healthCheck":{"protocol":"tcp","healthyThreshold":2,"unhealthyThreshold":2,"timeoutMillis":9000,"intervalMillis":5000}`), "timeoutMillis"},
		{"pool", on(`,"connectionPool":{"http":{"maxConnections":10,"maxPendingRequests":5}}`), ""},
		{"pool of another protocol", on(`,"connectionPool":{"grpc":{"maxRequests":10}}`), "connectionPool is for the protocol grpc, but the listener's is http"},
		{"pool of none", on(`,"connectionPool":{}`), "connectionPool must have exactly one"},
		{"pool of nobody", on(`,"connectionPool":{"http":{"maxConnections":0}}`), "greater than or equal to 1"},
		{"timeout", on(`,"timeout":{"http":{"perRequest":{"unit":"s","value":5},"idle":{"unit":"ms","value":0}}}`), ""},
		{"timeout of another protocol", on(`,"timeout":{"tcp":{"idle":{"unit":"s","value":5}}}`), "timeout is for the protocol tcp"},
		{"timeout without unit", on(`,"timeout":{"http":{"perRequest":{"value":5}}}`), "timeout.http.perRequest must have a unit and a value"},
		{"outliers", on(`,"outlierDetection":{"maxServerErrors":5,"maxEjectionPercent":50,"interval":{"unit":"s","value":10},"baseEjectionDuration":{"unit":"s","value":10}}`), ""},
		{"outliers of more than all", on(`,"outlierDetection":{"maxServerErrors":5,"maxEjectionPercent":101,"interval":{"unit":"s","value":10},"baseEjectionDuration":{"unit":"s","value":10}}`), "100"},
		{"tls", on(`,"tls":{"mode":"STRICT",` + file + `,"validation":{"trust":{"file":{"certificateChain":"/ca"}},"subjectAlternativeNames":{"match":{"exact":["order.dev.local"]}}}}`), ""},
		{"tls of sds", on(`,"tls":{"mode":"PERMISSIVE","certificate":{"sds":{"secretName":"s"}},"validation":{"trust":{"sds":{"secretName":"ca"}}}}`), ""},
		{"tls of two", on(`,"tls":{"mode":"STRICT","certificate":{"sds":{"secretName":"s"},"acm":{"certificateArn":"arn"}}}`), "tls.certificate must have exactly one of acm, file, sds, not 2"},
		{"tls mode", on(`,"tls":{"mode":"MAYBE",` + file + `}`), "enum value set"},
		{"tls trusts nobody", on(`,"tls":{"mode":"STRICT",` + file + `,"validation":{"trust":{}}}`), "validation.trust must have exactly one of file, sds"},
		{"tls names nobody", on(`,"tls":{"mode":"STRICT",` + file + `,"validation":{"trust":{"sds":{"secretName":"ca"}},"subjectAlternativeNames":{"match":{"exact":[]}}}}`), "at least one name"},
		{"backend", `{"backends":[{"virtualService":{"virtualServiceName":"not.there.yet","clientPolicy":{"tls":{"enforce":true,"ports":[443],` + file + `,"validation":{"trust":{"acm":{"certificateAuthorityArns":["arn"]}}}}}}}]}`, ""},
		{"backend twice", `{"backends":[{"virtualService":{"virtualServiceName":"a"}},{"virtualService":{"virtualServiceName":"a"}}]}`, "spec.backends[1]|second time"},
		{"backend's port", `{"backendDefaults":{"clientPolicy":{"tls":{"ports":[70000],"validation":{"trust":{"file":{"certificateChain":"/ca"}}}}}}}`, "65535"},
		{"backend's trust", `{"backendDefaults":{"clientPolicy":{"tls":{"validation":{"trust":{}}}}}}`, "spec.backendDefaults.clientPolicy.tls.validation.trust"},
		{"log", `{"logging":{"accessLog":{"file":{"path":"/dev/stdout","format":{"json":[{"key":"k","value":"%a%"}]}}}}}`, ""},
		{"log in two formats", `{"logging":{"accessLog":{"file":{"path":"/dev/stdout","format":{"text":"x","json":[{"key":"k","value":"v"}]}}}}}`, "format must have exactly one"},
		{"two faults at once", `{"backends":[{}],"logging":{"accessLog":{}}}`, "spec.backends[0]|spec.logging.accessLog"},
	})
}

func TestRouteSpecs(t *testing.T) {
	w := newWorld(t)
	w.mesh("shop")
	w.node("n", 80)
	w.router("r")
	to := `"action":{"weightedTargets":[{"virtualNode":"n","weight":100}]}`
	call[api.CreateRouteOutput](w, "CreateRoute", &api.CreateRouteInput{MeshName: new("shop"), VirtualRouterName: new("r"), RouteName: new("x"), Spec: routeTo("n")})
	in := &api.UpdateRouteInput{MeshName: new("shop"), VirtualRouterName: new("r"), RouteName: new("x")}
	http := func(match string) string { return `{"httpRoute":{"match":{` + match + `},` + to + `}}` }
	retry := func(policy string) string {
		return `{"httpRoute":{"match":{"prefix":"/"},` + to + `,"retryPolicy":{"maxRetries":3,"perRetryTimeout":{"unit":"s","value":1},` + policy + `}}}`
	}
	targets := func(list string) string {
		return `{"tcpRoute":{"action":{"weightedTargets":[` + list + `]}}}`
	}
	specs[api.UpdateRouteOutput](t, w, "UpdateRoute", in, func(in *api.UpdateRouteInput, doc []byte) { in.Spec = read[api.RouteSpec](t, doc) }, []specCase{
		{"nothing", `{}`, "exactly one of grpcRoute, http2Route, httpRoute, tcpRoute, not 0"},
		{"two protocols", `{"tcpRoute":{` + to + `},"httpRoute":{"match":{"prefix":"/"},` + to + `}}`, "not 2"},
		{"tcp", `{"priority":1000,"tcpRoute":{` + to + `,"timeout":{"idle":{"unit":"s","value":1}}}}`, ""},
		{"priority", `{"priority":1001,"tcpRoute":{` + to + `}}`, "less than or equal to 1000"},
		{"grpc", `{"grpcRoute":{"match":{"serviceName":"s","methodName":"m","metadata":[{"name":"k","match":{"range":{"start":1,"end":5}}}]},` + to + `,"retryPolicy":{"maxRetries":1,"perRetryTimeout":{"unit":"ms","value":9},"grpcRetryEvents":["unavailable"]}}}`, ""},
		{"grpc method alone", `{"grpcRoute":{"match":{"methodName":"m"},` + to + `}}`, "serviceName must be given with methodName"},
		{"http2", `{"http2Route":{"match":{"path":{"regex":"/a[0-9]+"},"method":"GET","scheme":"https","queryParameters":[{"name":"q","match":{"exact":"1"}}]},` + to + `}}`, ""},
		{"prefix and path", http(`"prefix":"/","path":{"exact":"/a"}`), "path and prefix together"},
		{"prefix without slash", http(`"prefix":"a"`), "prefix must begin with /"},
		{"path without slash", http(`"path":{"exact":"a"}`), "path.exact must begin with /"},
		{"path in two ways", http(`"path":{"exact":"/a","regex":"/a"}`), "exactly one of exact, regex"},
		{"path of no regex", http(`"path":{"regex":"("}`), "is not a regular expression"},
		{"method", http(`"prefix":"/","method":"BREW"`), "enum value set"},
		{"header", http(`"prefix":"/","headers":[{"name":"x","invert":true},{"name":"y","match":{"suffix":"z"}}]`), ""},
		{"header in two ways", http(`"prefix":"/","headers":[{"name":"x","match":{"exact":"a","prefix":"b"}}]`), "headers[0].match must have exactly one"},
		{"header's range", http(`"prefix":"/","headers":[{"name":"x","match":{"range":{"start":5,"end":5}}}]`), "must begin before it ends"},
		{"retry", retry(`"httpRetryEvents":["server-error","stream-error"],"tcpRetryEvents":["connection-error"]`), ""},
		{"retry after nothing", retry(`"httpRetryEvents":null`), "at least one retry event"},
		{"retry after anything", retry(`"httpRetryEvents":["any-error"]`), "httpRetryEvents[0] is \"any-error\""},
		{"retry against time", `{"httpRoute":{"match":{"prefix":"/"},` + to + `,"retryPolicy":{"maxRetries":-1,"perRetryTimeout":{"unit":"s","value":1},"tcpRetryEvents":["connection-error"]}}}`, "greater than or equal to 0"},
		{"no targets", targets(``), "greater than or equal to 1"},
		{"weight", targets(`{"virtualNode":"n","weight":101}`), "less than or equal to 100"},
		{"weights", targets(`{"virtualNode":"n","weight":60},{"virtualNode":"n","weight":60,"port":80}`), "add up to 120"},
		{"no weight", targets(`{"virtualNode":"n","weight":0}`), "add up to 0"},
		{"target twice", targets(`{"virtualNode":"n","weight":1},{"virtualNode":"n","weight":1}`), "weightedTargets[1]"},
	})
}

func TestGatewaySpecs(t *testing.T) {
	w := newWorld(t)
	w.mesh("shop")
	call[api.CreateVirtualGatewayOutput](w, "CreateVirtualGateway", &api.CreateVirtualGatewayInput{MeshName: new("shop"), VirtualGatewayName: new("in"), Spec: gatewaySpecOf(80)})
	in := &api.UpdateVirtualGatewayInput{MeshName: new("shop"), VirtualGatewayName: new("in")}
	on := func(rest string) string {
		return `{"listeners":[{"portMapping":{"port":80,"protocol":"http"}` + rest + `}]}`
	}
	specs[api.UpdateVirtualGatewayOutput](t, w, "UpdateVirtualGateway", in, func(in *api.UpdateVirtualGatewayInput, doc []byte) { in.Spec = read[api.VirtualGatewaySpec](t, doc) }, []specCase{
		{"nothing", `{"listeners":[]}`, "at least one listener"},
		{"tcp", `{"listeners":[{"portMapping":{"port":80,"protocol":"tcp"}}]}`, "enum value set"},
		{"pool of another protocol", on(`,"connectionPool":{"http2":{"maxRequests":1}}`), "is for the protocol http2"},
		{"tls of none", on(`,"tls":{"mode":"STRICT","certificate":{}}`), "tls.certificate must have exactly one"},
		{"all", on(`,"connectionPool":{"http":{"maxConnections":1}},"tls":{"mode":"STRICT","certificate":{"acm":{"certificateArn":"arn"}}}`), ""},
	})
}

func TestGatewayRouteSpecs(t *testing.T) {
	w := newWorld(t)
	w.mesh("shop")
	w.node("n", 80)
	w.virtualService("s", byNode("n"))
	call[api.CreateVirtualGatewayOutput](w, "CreateVirtualGateway", &api.CreateVirtualGatewayInput{MeshName: new("shop"), VirtualGatewayName: new("in"), Spec: gatewaySpecOf(80)})
	call[api.CreateGatewayRouteOutput](w, "CreateGatewayRoute", &api.CreateGatewayRouteInput{MeshName: new("shop"), VirtualGatewayName: new("in"), GatewayRouteName: new("x"), Spec: gatewayRouteTo("s", "/")})
	in := &api.UpdateGatewayRouteInput{MeshName: new("shop"), VirtualGatewayName: new("in"), GatewayRouteName: new("x")}
	http := func(match, rewrite string) string {
		return `{"httpRoute":{"match":{` + match + `},"action":{"target":{"virtualService":{"virtualServiceName":"s"}}` + rewrite + `}}}`
	}
	specs[api.UpdateGatewayRouteOutput](t, w, "UpdateGatewayRoute", in, func(in *api.UpdateGatewayRouteInput, doc []byte) { in.Spec = read[api.GatewayRouteSpec](t, doc) }, []specCase{
		{"nothing", `{}`, "exactly one of grpcRoute, http2Route, httpRoute"},
		{"matches nothing", http(``, ``), "must have a prefix"},
		{"hostname", http(`"hostname":{"suffix":".local"}`, `,"rewrite":{"hostname":{"defaultTargetHostname":"DISABLED"}}`), ""},
		{"hostname in two ways", http(`"hostname":{"suffix":".local","exact":"a"}`, ``), "hostname must have exactly one"},
		{"prefix and path", http(`"prefix":"/","path":{"exact":"/a"}`, ``), "path and prefix together"},
		{"prefix rewritten", http(`"prefix":"/a"`, `,"rewrite":{"prefix":{"value":"/b/"}}`), ""},
		{"prefix rewritten twice", http(`"prefix":"/a"`, `,"rewrite":{"prefix":{"value":"/b/","defaultPrefix":"DISABLED"}}`), "rewrite.prefix must have exactly one of defaultPrefix, value"},
		{"prefix rewritten, path matched", http(`"path":{"exact":"/a"}`, `,"rewrite":{"prefix":{"value":"/b/"}}`), "needs a match by prefix"},
		{"path rewritten", http(`"path":{"regex":"/a.*"}`, `,"rewrite":{"path":{"exact":"/b"}}`), ""},
		{"path rewritten, prefix matched", http(`"prefix":"/a"`, `,"rewrite":{"path":{"exact":"/b"}}`), "needs a match by path"},
		{"both rewritten", http(`"prefix":"/a"`, `,"rewrite":{"path":{"exact":"/b"},"prefix":{"value":"/b"}}`), "path and prefix together"},
		{"grpc on http", `{"grpcRoute":{"match":{"serviceName":"s"},"action":{"target":{"virtualService":{"virtualServiceName":"s"}}}}}`, "protocol grpc"},
		{"grpc matches nothing", `{"grpcRoute":{"match":{},"action":{"target":{"virtualService":{"virtualServiceName":"s"}}}}}`, "must have a hostname"},
	})
}
