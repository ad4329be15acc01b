package cli

import (
	"cmp"
	"context"
	"slices"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/manifest"
)

// history lists the deployments of a service, newest first; only those in
// certain states when some are named.
func (p *platform) history(ctx context.Context, s manifest.Service, states ...ecsapi.ServiceDeploymentStatus) ([]rolloutReport, error) {
	in := &ecsapi.ListServiceDeploymentsInput{Cluster: new(p.names.Cluster()), Service: new(p.names.Service(s.Name)), Status: states}
	var arns []string
	for {
		got, err := call[ecsapi.ListServiceDeploymentsInput, ecsapi.ListServiceDeploymentsOutput](ctx, p.client, "ecs", "ListServiceDeployments", in)
		if isCode(err, "ServiceNotFoundException") || isCode(err, "ClusterNotFoundException") {
			return nil, &notDeployed{p.manifest.StackName()}
		}
		if err != nil {
			return nil, err
		}
		for _, d := range got.ServiceDeployments {
			arns = append(arns, val(d.ServiceDeploymentArn))
		}
		if got.NextToken == nil {
			break
		}
		in.NextToken = got.NextToken
	}
	out, err := p.describeRollouts(ctx, arns)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(out, func(a, b rolloutReport) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID)) })
	return out, p.name(ctx, out)
}

// revisionsMax is the most revisions DescribeServiceRevisions takes. Source:
// ECS API reference.
const revisionsMax = 20

// name adds the task definitions of the revisions that deployments are of.
func (p *platform) name(ctx context.Context, list []rolloutReport) error {
	var arns []string
	for _, r := range list {
		if r.Target != "" && !slices.Contains(arns, r.Target) {
			arns = append(arns, r.Target)
		}
	}
	definition := map[string]string{}
	for batch := range slices.Chunk(arns, revisionsMax) {
		got, err := call[ecsapi.DescribeServiceRevisionsInput, ecsapi.DescribeServiceRevisionsOutput](ctx, p.client, "ecs", "DescribeServiceRevisions",
			&ecsapi.DescribeServiceRevisionsInput{ServiceRevisionArns: batch})
		if err != nil {
			return err
		}
		for _, r := range got.ServiceRevisions {
			definition[val(r.ServiceRevisionArn)] = short(val(r.TaskDefinition))
		}
	}
	for i := range list {
		list[i].Revision = definition[list[i].Target]
	}
	return nil
}
