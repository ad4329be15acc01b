// Package synth renders a manifest as CloudFormation: the template of the whole platform, the foundation that must exist before images can
// be pushed, and the cloud assembly that the CDK CLI deploys.
//
// It is pure: no clock, no network, no machine; the same manifest gives the same bytes. Each file renders one concern, in the order in which
// a reader would build the platform by hand (network, registry, cluster, mesh, balancer, then each service). References between resources are
// made by intrinsic functions, so the engine and AWS see the same graph; explicit DependsOn stands only where a real dependency has no
// reference, with the reason beside it. Everything a template makes goes away with its stack.
package synth

import (
	"fmt"
	"maps"
	"strings"

	"github.com/slipway-dev/slipway/manifest"
)

// MaxInline is the largest template AWS takes in a request; larger ones need a bucket. Source: "CloudFormation quotas". The CDK sends YAML,
// a third longer than JSON and the longer the deeper the lists. So what AWS takes for granted is not said, nor are descriptions given.
const MaxInline = 51_200

// MaxResources is the most resources a stack may have. Source: "CloudFormation quotas".
const MaxResources = 500

// renderer carries what the concerns share while a template is built.
type renderer struct {
	*Template
	m     *manifest.Manifest
	names Names

	public, private []string // ids of the subnets
	outward         []string // ids of what a task needs to reach the registry and the log service
	among           []string // ids of the rules by which tasks reach each other, and with them all that is outward
}

// Render turns a manifest into the template of its stack.
func Render(m *manifest.Manifest) (*Template, error) {
	r := &renderer{Template: &Template{}, m: m, names: NamesOf(m)}
	r.Description = fmt.Sprintf("Microservice platform %s, environment %s", m.Name, m.Environment)
	r.network()
	r.endpoints()
	r.registry()
	r.cluster()
	r.mesh()
	r.balancer()
	r.shiftingRoles()
	for i := range m.Services {
		r.service(&m.Services[i])
		r.push(&m.Services[i])
		r.scaling(&m.Services[i])
	}
	r.dashboard()
	r.alarms()
	r.outputs()
	return r.Template, r.verify()
}

// add appends a resource.
func (r *renderer) add(id, kind string, properties Object, dependsOn ...string) {
	r.Resources = append(r.Resources, Resource{ID: id, Type: kind, DependsOn: dependsOn, Properties: properties})
}

// tagged is the Tags property. It holds the Name only, and only of what has no other name: what all resources share are tags of the stack
// (see Tags).
func (r *renderer) tagged(what string) Field {
	return Field{"Tags", []Object{{{"Key", "Name"}, {"Value", r.names.Tag(what)}}}}
}

// Tags are the stack's tags: the manifest's, and Environment. CloudFormation puts them on every resource that takes tags, so the template
// need not repeat them some forty times, which keeps the reference platform well below MaxInline.
func Tags(m *manifest.Manifest) map[string]string {
	tags := map[string]string{"Environment": m.Environment}
	maps.Copy(tags, m.Tags)
	return tags
}

func (r *renderer) outputs() {
	r.output("VpcId", ref("Vpc"))
	r.output("ClusterName", ref("Cluster"))
	if r.meshed() {
		r.output("MeshName", attribute("Mesh", "MeshName"))
	}
	r.output("LoadBalancerDns", attribute("LoadBalancer", "DNSName"))
	for i := range r.m.Services {
		if s := &r.m.Services[i]; s.Built() {
			id := manifest.Camel(s.Name)
			r.output(RepositoryOutput(s.Name), attribute(id+"Repository", "RepositoryUri"))
		}
	}
}

func (r *renderer) output(id string, value any) {
	r.Outputs = append(r.Outputs, Output{ID: id, Value: value})
}

// verify finds what a manifest may say but a stack cannot hold.
func (r *renderer) verify() error {
	seen := map[string]bool{}
	for _, one := range r.Resources {
		if seen[one.ID] {
			return fmt.Errorf("render %s: two resources would be called %s; rename a service", r.m.StackName(), one.ID)
		}
		seen[one.ID] = true
	}
	if len(r.Resources) > MaxResources {
		return fmt.Errorf("render %s: %d resources; a stack holds %d", r.m.StackName(), len(r.Resources), MaxResources)
	}
	return nil
}

// Foundation is the part of a template that must exist before images can be pushed: the repositories and their outputs. Deployed first,
// the whole template then is an update of the same stack.
func Foundation(t *Template) *Template {
	out := &Template{Description: t.Description}
	for _, r := range t.Resources {
		if r.Type == repositoryType {
			out.Resources = append(out.Resources, r)
		}
	}
	for _, o := range t.Outputs {
		if strings.HasPrefix(o.ID, "EcrRepo") {
			out.Outputs = append(out.Outputs, o)
		}
	}
	return out
}
