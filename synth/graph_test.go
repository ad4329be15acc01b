package synth_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/slipway-dev/slipway/manifest"
	"github.com/slipway-dev/slipway/synth"
)

// graph is a template as CloudFormation sees it.
type graph struct {
	Parameters map[string]any
	Resources  map[string]struct {
		Type       string
		DependsOn  oneOrMany
		Properties map[string]any
	}
	Outputs map[string]any
}

// oneOrMany is a list that may be written as its only value.
type oneOrMany []string

func (l *oneOrMany) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*l = oneOrMany{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(l))
}

func graphOf(t interface{ Fatal(...any) }, data []byte) graph {
	var g graph
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// references lists the ids that a value refers to.
func references(value any, out *[]string) {
	switch v := value.(type) {
	case []any:
		for _, one := range v {
			references(one, out)
		}
	case map[string]any:
		if id, ok := v["Ref"].(string); ok && len(v) == 1 && !strings.HasPrefix(id, "AWS::") {
			*out = append(*out, id)
		}
		if list, ok := v["Fn::GetAtt"].([]any); ok {
			*out = append(*out, list[0].(string))
		}
		if text, ok := v["Fn::Sub"].(string); ok {
			for _, m := range substituted.FindAllStringSubmatch(text, -1) {
				*out = append(*out, m[1])
			}
		}
		for _, one := range v {
			references(one, out)
		}
	}
}

// substituted finds the resources and parameters in the text of Fn::Sub.
var substituted = regexp.MustCompile(`\$\{([A-Za-z0-9]+)(?:\.[A-Za-z0-9.]+)?\}`)

// check finds references to nothing and circles.
func (g graph) check() error {
	edges := map[string][]string{}
	for id, r := range g.Resources {
		to := slices.Clone([]string(r.DependsOn))
		references(r.Properties, &to)
		for _, target := range to {
			_, resource := g.Resources[target]
			if _, parameter := g.Parameters[target]; !resource && !parameter {
				return fmt.Errorf("%s refers to %s, which is not there", id, target)
			}
		}
		edges[id] = to
	}
	var out []string
	references(g.Outputs, &out)
	for _, target := range out {
		if _, ok := g.Resources[target]; !ok {
			return fmt.Errorf("an output refers to %s, which is not there", target)
		}
	}
	const visiting, done = 1, 2
	state := map[string]int{}
	var visit func(id string) error
	visit = func(id string) error {
		switch state[id] {
		case visiting:
			return fmt.Errorf("%s depends on itself", id)
		case done:
			return nil
		}
		state[id] = visiting
		for _, to := range edges[id] {
			if err := visit(to); err != nil {
				return fmt.Errorf("%s -> %w", id, err)
			}
		}
		state[id] = done
		return nil
	}
	for id := range edges {
		if err := visit(id); err != nil {
			return err
		}
	}
	return nil
}

// reaches tells whether one resource is made only after another.
func (g graph) reaches(from, to string) bool {
	r, ok := g.Resources[from]
	if !ok {
		return false
	}
	next := slices.Clone([]string(r.DependsOn))
	references(r.Properties, &next)
	return slices.Contains(next, to) || slices.ContainsFunc(next, func(id string) bool { return g.reaches(id, to) })
}

// What would go wrong on AWS if the order were left to chance.
func TestServicesWaitForWhatTheirTasksNeed(t *testing.T) {
	g := graphOf(t, render(t, reference(t, true)).JSON())
	for _, need := range []string{
		"OrderNode", "Mesh", "TaskToTask8080",
		"Cluster", "HttpListener", "OrderRule", "OrderLogGroup", "OrderExecutionRole", "OrderRepository", "NatGateway1", "InternetGatewayAttachment",
		"PrivateSubnet3DefaultRoute", "PrivateSubnet3RouteTableAssociation", "EcrApiEndpoint", "EcrDkrEndpoint", "LogsEndpoint", "S3Endpoint",
	} {
		if !g.reaches("OrderService", need) {
			t.Errorf("OrderService does not wait for %s", need)
		}
	}
	if g.reaches("OrderService", "PaymentService") {
		t.Error("services wait for each other; they must start in parallel")
	}
}

// Whatever manifest is accepted renders to a template whose references resolve and make no circle, always to the same bytes.
func TestEveryAcceptedManifestRendersSoundly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, err := manifest.Parse("slipway.yaml", []byte(anyManifest(t)), manifest.Options{})
		if err != nil {
			t.Skip(err) // a combination that the manifest refuses, with a reason
		}
		template, err := synth.Render(m)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := synth.Render(m)
		if string(again.JSON()) != string(template.JSON()) {
			t.Fatal("two renderings differ")
		}
		if err := graphOf(t, template.JSON()).check(); err != nil {
			t.Fatal(err)
		}
		if err := graphOf(t, synth.Foundation(template).JSON()).check(); err != nil {
			t.Fatal(err)
		}
	})
}

func anyManifest(t *rapid.T) string {
	pick := func(label string, choices ...string) string { return rapid.SampledFrom(choices).Draw(t, label) }
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nname: %s\nenvironment: %s\n", pick("name", "shop", "a-b", "x2"), pick("environment", "dev", "qa-1", "p"))
	fmt.Fprintf(&b, "network: {cidr: %s, zones: %d, nat: %s, endpoints: %s}\n", pick("cidr", "10.0.0.0/16", "10.3.0.0/20", "192.168.4.0/24"),
		rapid.IntRange(2, 6).Draw(t, "zones"), pick("nat", "single", "zone", "none"),
		pick("endpoints", "[]", "[s3]", "[s3, ecr.api, ecr.dkr, logs]", "[logs, s3, dynamodb, kms, ecr.dkr, ecr.api, ecs-agent]"))
	fmt.Fprintf(&b, "cluster: {spot: {base: %s, weight: %s}, onDemand: {weight: %s}}\n", pick("base", "0", "3"), pick("spot", "0", "1"), pick("weight", "0", "2"))
	if rapid.Bool().Draw(t, "https") {
		b.WriteString("loadBalancer: {internal: true, https: {certificate: 'arn:aws:acm:us-east-1:1:certificate/x'}}\n")
	}
	mesh := rapid.Bool().Draw(t, "mesh")
	fmt.Fprintf(&b, "mesh: {enabled: %t, tls: %s, egress: %s}\n", mesh, pick("tls", "strict", "permissive", "disabled"), pick("egress", "drop", "allow"))
	b.WriteString("services:\n")
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"web", "api", "user-api", "http", "nat-gateway1", "vpc", "load-balancer", "alb-to-task80", "task", "s3", "cluster"}),
		1, 6, rapid.ID).Draw(t, "services")
	for i, name := range names {
		fmt.Fprintf(&b, "  %s: {%s", name, pick("source", "build: x", "image: nginx", "dockerfile: Dockerfile"))
		if port := pick("port", "", "80", "8080"); port != "" {
			fmt.Fprintf(&b, ", port: %s, protocol: %s%s", port, pick("protocol", "http", "http", "http2", "grpc", "tcp"), pick("paths", "", ", paths: []", fmt.Sprintf(", paths: [/p%d]", i)))
		}
		if mesh {
			b.WriteString(pick("tuning", "", ", timeout: 0s", ", timeout: 1m, outlier: {maxServerErrors: 0}", ", retries: {max: 0, on: []}"))
		}
		if i > 0 {
			fmt.Fprintf(&b, ", calls: [%s]", pick("calls", "", names[i-1]))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func TestGoldenTemplatesAreSound(t *testing.T) {
	for _, file := range []string{"reference", "mesh", "frugal", "lavish"} {
		data, err := os.ReadFile("testdata/" + file + ".template.json")
		if err != nil {
			t.Fatal(err)
		}
		if err := graphOf(t, data).check(); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
