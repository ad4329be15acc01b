package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// typeARN is the ARN of a public type of AWS's, which has no account: arn:aws:cloudformation:us-east-1::type/resource/AWS-S3-Bucket.
func typeARN(region, name string) string {
	return fmt.Sprintf("arn:aws:cloudformation:%s::type/resource/%s", region, strings.ReplaceAll(name, "::", "-"))
}

// ListTypes lists the resource types that the engine has. They are all public ones, which must be asked for: the default visibility is PRIVATE, as in AWS.
func (s *Service) ListTypes(ctx context.Context, in *api.ListTypesInput) (*api.ListTypesOutput, error) {
	out := &api.ListTypesOutput{TypeSummaries: []api.TypeSummary{}}
	var types []cfn.Type
	for _, t := range s.types {
		if listed(t, in) {
			types = append(types, t)
		}
	}
	slices.SortFunc(types, func(a, b cfn.Type) int { return strings.Compare(a.Name(), b.Name()) })
	page, next, err := awsapi.Page(types, cfn.Type.Name, in.NextToken, int(deref(in.MaxResults)), pageSize)
	if err != nil {
		return nil, err
	}
	region := awsapi.CallerOf(ctx).Scope.Region
	for _, t := range page {
		out.TypeSummaries = append(out.TypeSummaries, api.TypeSummary{
			Type: "RESOURCE", TypeName: new(t.Name()), TypeArn: new(typeARN(region, t.Name())), Description: new(t.Schema().Description),
		})
	}
	out.NextToken = next
	return out, nil
}

// listed reports whether a request for types means this one.
func listed(t cfn.Type, in *api.ListTypesInput) bool {
	if in.Visibility != "PUBLIC" || (in.Type != "" && in.Type != "RESOURCE") || in.DeprecatedStatus == "DEPRECATED" {
		return false
	}
	if in.ProvisioningType != "" && in.ProvisioningType != provisioning(t) {
		return false
	}
	if f := in.Filters; f != nil {
		if (f.Category != "" && f.Category != "AWS_TYPES") || f.PublisherId != nil {
			return false
		}
		return strings.HasPrefix(t.Name(), deref(f.TypeNamePrefix))
	}
	return true
}

// provisioning is what updates of a type can do.
func provisioning(t cfn.Type) api.ProvisioningType {
	if t.Mutable() {
		return "FULLY_MUTABLE"
	}
	return "IMMUTABLE"
}

// DescribeType describes a resource type. Its schema is that of the engine: it has the properties that the engine takes, which may be fewer than AWS's.
func (s *Service) DescribeType(ctx context.Context, in *api.DescribeTypeInput) (*api.DescribeTypeOutput, error) {
	region := awsapi.CallerOf(ctx).Scope.Region
	name := deref(in.TypeName)
	switch {
	case in.Arn != nil:
		_, rest, _ := strings.Cut(*in.Arn, "type/resource/")
		name = strings.ReplaceAll(rest, "-", "::")
	case name == "" || in.Type == "":
		return nil, invalid("Either Type and TypeName, or Arn must be specified.")
	case in.Type != "RESOURCE":
		return nil, noType(name)
	}
	t, ok := s.types[name]
	if !ok {
		return nil, noType(name)
	}
	schema := t.Schema()
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", name, err)
	}
	return &api.DescribeTypeOutput{
		Arn: new(typeARN(region, name)), Type: "RESOURCE", TypeName: &name, Description: &schema.Description, Schema: new(string(text)),
		ProvisioningType: provisioning(t), DeprecatedStatus: "LIVE", Visibility: "PUBLIC", IsDefaultVersion: new(true),
	}, nil
}

func noType(name string) error {
	return awsapi.Errorf("TypeNotFoundException", 404, "The type '%s' cannot be found.", name)
}
