package ssm

import (
	"context"
	"strings"

	api "github.com/slipway-dev/slipway/api/ssmapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Largest pages.
const (
	mostByPath   = 10
	mostDescribe = 50
)

// GetParametersByPath tells the values of the parameters below a path. With a
// filter by label it tells the versions that have one, and not the newest.
func (s *Service) GetParametersByPath(ctx context.Context, in *api.GetParametersByPathInput) (*api.GetParametersByPathOutput, error) {
	path := *in.Path
	if err := checkPath(path); err != nil {
		return nil, err
	}
	all, err := filters(in.ParameterFilters, []string{"Type", "KeyId", "Label"})
	if err != nil {
		return nil, err
	}
	byLabel := false
	for _, f := range in.ParameterFilters {
		byLabel = byLabel || *f.Key == "Label"
	}
	snap := s.Store.Snapshot()
	found := publicBelow(scope(ctx), path, val(in.Recursive))
	for p := range Parameters.List(snap, pathPrefix(scope(ctx), path)) {
		if !below(p.Name, path, val(in.Recursive)) {
			continue
		}
		for _, v := range versions(snap, p, byLabel) {
			if v.passes(p, all) {
				found = append(found, v)
			}
		}
	}
	page, next, err := awsapi.Page(found, Versions.Key, in.NextToken, int(val(in.MaxResults)), mostByPath)
	if err != nil {
		return nil, err
	}
	out := &api.GetParametersByPathOutput{NextToken: next, Parameters: []api.Parameter{}}
	for _, v := range page {
		p, err := s.answer(v, "", val(in.WithDecryption))
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, *p)
	}
	return out, nil
}

// pathPrefix is the beginning of the keys of all parameters below a path.
// Those without a path are below the root too.
func pathPrefix(s arn.Scope, path string) string {
	if path = strings.TrimSuffix(path, "/"); path == "" {
		return s.Key("parameter", "")
	}
	return parameterKey(s, path+"/")
}

// versions are all of a parameter's, or the newest alone.
func versions(r store.Reader, p Parameter, all bool) []Version {
	if all {
		return history(r, p.Scope, p.Name)
	}
	v, err := latest(r, p)
	if err != nil {
		return nil
	}
	return []Version{v}
}

// DescribeParameters lists the parameters of the account, without values.
func (s *Service) DescribeParameters(ctx context.Context, in *api.DescribeParametersInput) (*api.DescribeParametersOutput, error) {
	if len(in.Filters) > 0 && len(in.ParameterFilters) > 0 {
		return nil, invalid("You can use either Filters or ParameterFilters in a single request.")
	}
	given := in.ParameterFilters
	for _, f := range in.Filters {
		given = append(given, api.ParameterStringFilter{Key: new(string(f.Key)), Values: f.Values})
	}
	all, err := filters(given, []string{"Name", "Type", "KeyId", "Path", "Tier", "DataType", "tag"})
	if err != nil {
		return nil, err
	}
	snap := s.Store.Snapshot()
	var found []Version
	for p := range Parameters.List(snap, parameterKey(scope(ctx), "")) {
		if val(in.Shared) {
			break // nobody shares any
		}
		if v, err := latest(snap, p); err == nil && v.passes(p, all) {
			found = append(found, v)
		}
	}
	page, next, err := awsapi.Page(found, Versions.Key, in.NextToken, int(val(in.MaxResults)), mostDescribe)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeParametersOutput{NextToken: next, Parameters: []api.ParameterMetadata{}}
	for _, v := range page {
		out.Parameters = append(out.Parameters, api.ParameterMetadata{
			Name: &v.Name, ARN: new(v.ARN()), Type: api.ParameterType(v.Type), KeyId: opt(v.Key), LastModifiedDate: &v.Modified, LastModifiedUser: &v.User,
			Description: opt(v.Description), AllowedPattern: opt(v.AllowedPattern), Version: &v.Number, Tier: api.ParameterTier(v.Tier),
			Policies: []api.ParameterInlinePolicy{}, DataType: &v.DataType,
		})
	}
	return out, nil
}

// GetParameterHistory lists the versions of a parameter, the oldest first.
func (s *Service) GetParameterHistory(ctx context.Context, in *api.GetParameterHistoryInput) (*api.GetParameterHistoryOutput, error) {
	snap := s.Store.Snapshot()
	p, err := parameter(snap, scope(ctx), *in.Name)
	if err != nil {
		return nil, err
	}
	page, next, err := awsapi.Page(history(snap, p.Scope, p.Name), Versions.Key, in.NextToken, int(val(in.MaxResults)), mostDescribe)
	if err != nil {
		return nil, err
	}
	out := &api.GetParameterHistoryOutput{NextToken: next, Parameters: []api.ParameterHistory{}}
	for _, v := range page {
		value, err := s.value(v, val(in.WithDecryption))
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, api.ParameterHistory{
			Name: &v.Name, Type: api.ParameterType(v.Type), KeyId: opt(v.Key), LastModifiedDate: &v.Modified, LastModifiedUser: &v.User,
			Description: opt(v.Description), Value: &value, AllowedPattern: opt(v.AllowedPattern), Version: &v.Number, Labels: append([]string{}, v.Labels...),
			Tier: api.ParameterTier(v.Tier), Policies: []api.ParameterInlinePolicy{}, DataType: &v.DataType,
		})
	}
	return out, nil
}
