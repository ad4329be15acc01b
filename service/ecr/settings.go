package ecr

import (
	"context"
	"encoding/json"
	"maps"
	"path"
	"strings"

	"github.com/slipway-dev/slipway/api/ecrapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

func setMutability(r *Repository, m ecrapi.ImageTagMutability, filters []ecrapi.ImageTagMutabilityExclusionFilter) error {
	if m != "" {
		r.Mutability = string(m)
	}
	withExclusion := strings.HasSuffix(r.Mutability, "_WITH_EXCLUSION")
	if withExclusion != (len(filters) > 0) {
		return errInvalid("'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'exclusion filters must be given with, and only with, a mutability with exclusion'")
	}
	r.Exclusions = nil
	for _, f := range filters {
		r.Exclusions = append(r.Exclusions, val(f.Filter))
	}
	return nil
}

func exclusions(patterns []string) []ecrapi.ImageTagMutabilityExclusionFilter {
	var out []ecrapi.ImageTagMutabilityExclusionFilter
	for _, p := range patterns {
		out = append(out, ecrapi.ImageTagMutabilityExclusionFilter{
			FilterType: ecrapi.ImageTagMutabilityExclusionFilterTypeWildcard, Filter: new(p),
		})
	}
	return out
}

// immutable reports whether a tag, once given, stays.
func (r Repository) immutable(tag string) bool {
	excluded := false
	for _, p := range r.Exclusions {
		if ok, err := path.Match(p, tag); err == nil && ok {
			excluded = true
		}
	}
	return strings.HasPrefix(r.Mutability, "IMMUTABLE") != excluded
}

// PutImageTagMutability says whether tags may be moved.
func (s *Service) PutImageTagMutability(ctx context.Context, in *ecrapi.PutImageTagMutabilityInput) (*ecrapi.PutImageTagMutabilityOutput, error) {
	r, err := s.change(ctx, in.RegistryId, in.RepositoryName, func(r *Repository) error {
		return setMutability(r, in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters)
	})
	if err != nil {
		return nil, err
	}
	return &ecrapi.PutImageTagMutabilityOutput{
		RegistryId: new(r.Scope.Account), RepositoryName: new(r.Name),
		ImageTagMutability: ecrapi.ImageTagMutability(r.Mutability), ImageTagMutabilityExclusionFilters: exclusions(r.Exclusions),
	}, nil
}

// PutImageScanningConfiguration stores whether images are scanned on push.
func (s *Service) PutImageScanningConfiguration(ctx context.Context, in *ecrapi.PutImageScanningConfigurationInput) (*ecrapi.PutImageScanningConfigurationOutput, error) {
	r, err := s.change(ctx, in.RegistryId, in.RepositoryName, func(r *Repository) error {
		r.ScanOnPush = in.ImageScanningConfiguration != nil && val(in.ImageScanningConfiguration.ScanOnPush)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecrapi.PutImageScanningConfigurationOutput{
		RegistryId: new(r.Scope.Account), RepositoryName: new(r.Name),
		ImageScanningConfiguration: &ecrapi.ImageScanningConfiguration{ScanOnPush: new(r.ScanOnPush)},
	}, nil
}

// SetRepositoryPolicy stores a resource policy.
func (s *Service) SetRepositoryPolicy(ctx context.Context, in *ecrapi.SetRepositoryPolicyInput) (*ecrapi.SetRepositoryPolicyOutput, error) {
	var doc struct{ Statement any }
	if err := json.Unmarshal([]byte(val(in.PolicyText)), &doc); err != nil || doc.Statement == nil {
		return nil, errInvalid("'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'")
	}
	r, err := s.change(ctx, in.RegistryId, in.RepositoryName, func(r *Repository) error {
		r.Policy = val(in.PolicyText)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecrapi.SetRepositoryPolicyOutput{RegistryId: new(r.Scope.Account), RepositoryName: new(r.Name), PolicyText: new(r.Policy)}, nil
}

// GetRepositoryPolicy reads the resource policy.
func (s *Service) GetRepositoryPolicy(ctx context.Context, in *ecrapi.GetRepositoryPolicyInput) (*ecrapi.GetRepositoryPolicyOutput, error) {
	r, err := s.lookup(ctx, s.store.Snapshot(), in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if r.Policy == "" {
		return nil, errNoPolicy("Repository", "RepositoryPolicyNotFoundException", r.Scope, r.Name)
	}
	return &ecrapi.GetRepositoryPolicyOutput{RegistryId: new(r.Scope.Account), RepositoryName: new(r.Name), PolicyText: new(r.Policy)}, nil
}

// DeleteRepositoryPolicy removes the resource policy.
func (s *Service) DeleteRepositoryPolicy(ctx context.Context, in *ecrapi.DeleteRepositoryPolicyInput) (*ecrapi.DeleteRepositoryPolicyOutput, error) {
	var text string
	r, err := s.change(ctx, in.RegistryId, in.RepositoryName, func(r *Repository) error {
		if r.Policy == "" {
			return errNoPolicy("Repository", "RepositoryPolicyNotFoundException", r.Scope, r.Name)
		}
		text, r.Policy = r.Policy, ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecrapi.DeleteRepositoryPolicyOutput{RegistryId: new(r.Scope.Account), RepositoryName: new(r.Name), PolicyText: new(text)}, nil
}

// changeARN updates the repository that an ARN names.
func (s *Service) changeARN(ctx context.Context, resource *string, fn func(*Repository) error) error {
	name, err := repositoryOfARN(ctx, val(resource))
	if err != nil {
		return err
	}
	_, err = s.change(ctx, nil, &name, fn)
	return err
}

func repositoryOfARN(ctx context.Context, s string) (string, error) {
	a, err := arn.Parse(s)
	name, ok := strings.CutPrefix(a.Resource, "repository/")
	if err != nil || a.Service != "ecr" || !ok {
		return "", errInvalid("'resourceArn' failed to satisfy constraint: 'Invalid ARN'")
	}
	if a.Scope() != awsapi.CallerOf(ctx).Scope {
		return "", errRepositoryNotFound(a.Scope(), name)
	}
	return name, nil
}

// TagResource adds or replaces tags of a repository.
func (s *Service) TagResource(ctx context.Context, in *ecrapi.TagResourceInput) (*ecrapi.TagResourceOutput, error) {
	err := s.changeARN(ctx, in.ResourceArn, func(r *Repository) error {
		tags := maps.Clone(r.Tags)
		if tags == nil {
			tags = map[string]string{}
		}
		maps.Copy(tags, tagset.Of(in.Tags))
		r.Tags = tags
		return checkTags(tags)
	})
	return &ecrapi.TagResourceOutput{}, err
}

// UntagResource removes tags of a repository.
func (s *Service) UntagResource(ctx context.Context, in *ecrapi.UntagResourceInput) (*ecrapi.UntagResourceOutput, error) {
	err := s.changeARN(ctx, in.ResourceArn, func(r *Repository) error {
		tags := maps.Clone(r.Tags)
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
		r.Tags = tags
		return nil
	})
	return &ecrapi.UntagResourceOutput{}, err
}

// ListTagsForResource lists the tags of a repository.
func (s *Service) ListTagsForResource(ctx context.Context, in *ecrapi.ListTagsForResourceInput) (*ecrapi.ListTagsForResourceOutput, error) {
	name, err := repositoryOfARN(ctx, val(in.ResourceArn))
	if err != nil {
		return nil, err
	}
	r, err := s.lookup(ctx, s.store.Snapshot(), nil, &name)
	if err != nil {
		return nil, err
	}
	return &ecrapi.ListTagsForResourceOutput{Tags: tagset.List[ecrapi.Tag](r.Tags)}, nil
}

func checkTags(tags map[string]string) error {
	if len(tags) > 50 {
		return awsapi.Errorf("TooManyTagsException", 400, "The number of tags exceeds the limit of 50")
	}
	return nil
}
