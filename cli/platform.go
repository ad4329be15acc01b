package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/manifest"
	"github.com/slipway-dev/slipway/synth"
)

// platform is what a manifest describes, as the API shows it running.
type platform struct {
	*app
	*client
	manifest *manifest.Manifest
	names    synth.Names
}

// platform reads the manifest and finds the engine.
func (a *app) platform() (*platform, error) {
	m, err := a.manifest()
	if err != nil {
		return nil, err
	}
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	return &platform{app: a, client: c, manifest: m, names: synth.NamesOf(m)}, nil
}

// platformWith is the platform and those of its services that were named, all
// when none was.
func (a *app) platformWith(words []string) (*platform, []manifest.Service, error) {
	p, err := a.platform()
	if err != nil {
		return nil, nil, err
	}
	chosen, err := p.choose(words)
	return p, chosen, err
}

// choose finds the services that were named, all when none was. The name of
// the manifest and that of the ECS service both do.
func (p *platform) choose(words []string) ([]manifest.Service, error) {
	if len(words) == 0 {
		return p.manifest.Services, nil
	}
	var out []manifest.Service
	for _, word := range words {
		s, ok := p.service(word)
		if !ok {
			return nil, p.unknown(word)
		}
		if !slices.ContainsFunc(out, func(o manifest.Service) bool { return o.Name == s.Name }) {
			out = append(out, *s)
		}
	}
	return out, nil
}

func (p *platform) service(word string) (*manifest.Service, bool) {
	for i := range p.manifest.Services {
		if s := &p.manifest.Services[i]; s.Name == word || p.names.Service(s.Name) == word {
			return s, true
		}
	}
	return nil, false
}

func (p *platform) unknown(word string) error {
	var all []string
	for _, s := range p.manifest.Services {
		all = append(all, s.Name)
	}
	hint := ""
	if meant := closest(word, all); meant != "" {
		hint = "; did you mean " + meant + "?"
	}
	return usage("there is no service %s%s (services: %s)", word, hint, strings.Join(all, ", "))
}

// closest is the name that was probably meant, or nothing. Cobra does the
// same for commands, so services become commands for a moment.
func closest(word string, names []string) string {
	c := &cobra.Command{SuggestionsMinimumDistance: 1 + len(word)/4}
	for _, n := range names {
		c.AddCommand(&cobra.Command{Use: n, Run: func(*cobra.Command, []string) {}})
	}
	if found := c.SuggestionsFor(word); len(found) > 0 {
		return found[0]
	}
	return ""
}

// completeServices completes names of services on the command line.
func (a *app) completeServices(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if m, err := a.manifest(); err == nil {
		for _, s := range m.Services {
			names = append(names, s.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// describeMax is the most services DescribeServices takes, and
// describeTasksMax the most tasks of DescribeTasks. Source: ECS API reference.
const (
	describeMax      = 10
	describeTasksMax = 100
)

// describeServices reads ECS services by the manifest's names. Those that do
// not exist are left out.
func (p *platform) describeServices(ctx context.Context, services []manifest.Service) (map[string]ecsapi.Service, error) {
	out := map[string]ecsapi.Service{}
	for batch := range slices.Chunk(services, describeMax) {
		in := &ecsapi.DescribeServicesInput{Cluster: new(p.names.Cluster())}
		of := map[string]string{}
		for _, s := range batch {
			name := p.names.Service(s.Name)
			in.Services, of[name] = append(in.Services, name), s.Name
		}
		got, err := call[ecsapi.DescribeServicesInput, ecsapi.DescribeServicesOutput](ctx, p.client, "ecs", "DescribeServices", in)
		if isCode(err, "ClusterNotFoundException") {
			return nil, &notDeployed{p.manifest.StackName()}
		}
		if err != nil {
			return nil, err
		}
		for _, s := range got.Services {
			if val(s.Status) != "INACTIVE" {
				out[of[val(s.ServiceName)]] = s
			}
		}
	}
	return out, nil
}

// notDeployed says that there is no platform yet.
type notDeployed struct{ stack string }

func (e *notDeployed) Error() string {
	return "stack " + e.stack + " is not deployed; deploy it with: slipway up"
}

// tasks lists the tasks of the cluster that are to run, or with stopped those
// that are not, newest first: of one ECS service, or of all when it is empty.
// Tasks outlive their services here.
func (p *platform) tasks(ctx context.Context, desired ecsapi.DesiredStatus, service string) ([]ecsapi.Task, error) {
	var arns []string
	in := &ecsapi.ListTasksInput{Cluster: new(p.names.Cluster()), DesiredStatus: desired}
	if service != "" {
		in.ServiceName = &service
	}
	for {
		list, err := call[ecsapi.ListTasksInput, ecsapi.ListTasksOutput](ctx, p.client, "ecs", "ListTasks", in)
		if isCode(err, "ClusterNotFoundException") {
			return nil, &notDeployed{p.manifest.StackName()}
		}
		if isCode(err, "ServiceNotFoundException") {
			return nil, nil // it went away meanwhile
		}
		if err != nil {
			return nil, err
		}
		arns = append(arns, list.TaskArns...)
		if list.NextToken == nil {
			break
		}
		in.NextToken = list.NextToken
	}
	var out []ecsapi.Task
	for batch := range slices.Chunk(arns, describeTasksMax) {
		got, err := call[ecsapi.DescribeTasksInput, ecsapi.DescribeTasksOutput](ctx, p.client, "ecs", "DescribeTasks",
			&ecsapi.DescribeTasksInput{Cluster: new(p.names.Cluster()), Tasks: batch})
		if err != nil {
			return nil, err
		}
		out = append(out, got.Tasks...)
	}
	slices.SortStableFunc(out, func(a, b ecsapi.Task) int { return val(b.CreatedAt).Compare(val(a.CreatedAt)) })
	return out, nil
}

// serviceOf is the manifest's name of the service a task belongs to; empty
// for tasks that were run by themselves.
func (p *platform) serviceOf(t ecsapi.Task) string {
	name, ok := strings.CutPrefix(val(t.Group), "service:")
	if !ok {
		return ""
	}
	if s, ok := p.service(name); ok {
		return s.Name
	}
	return name
}
