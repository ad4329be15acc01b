package iam

import (
	"context"
	"errors"

	api "github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// retagged is have with tags added.
func retagged(ctx context.Context, have map[string]string, tags []api.Tag) (map[string]string, error) {
	if len(tagset.Of(tags)) < len(tags) {
		return nil, invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
	}
	out, err := tagset.Added(ctx, have, tags)
	switch {
	case errors.Is(err, tagset.ErrReserved):
		return nil, invalid("Tag keys that start with 'aws:' are reserved for AWS use.")
	case err != nil:
		return nil, quota("TagsPerResource", tagset.Most)
	}
	return out, nil
}

// shown are the tags inside another answer, where none means absent.
func shown(tags map[string]string) []api.Tag {
	if len(tags) == 0 {
		return nil
	}
	return tagset.List[api.Tag](tags)
}

func (s *Service) tag(ctx context.Context, k Kind, name string, tags []api.Tag) error {
	return s.change(ctx, k, name, func(_ *store.Tx, p *Principal) (err error) {
		p.Tags, err = retagged(ctx, p.Tags, tags)
		return err
	})
}

func (s *Service) untag(ctx context.Context, k Kind, name string, keys []string) error {
	return s.change(ctx, k, name, func(_ *store.Tx, p *Principal) error {
		p.Tags = without(p.Tags, keys...)
		return nil
	})
}

// tagPage is one page of tags.
func tagPage(tags map[string]string, marker *string, max *int32) ([]api.Tag, *string, error) {
	return page(tagset.List[api.Tag](tags), func(t api.Tag) string { return *t.Key }, marker, max)
}

// TagRole adds tags to a role.
func (s *Service) TagRole(ctx context.Context, in *api.TagRoleInput) (*api.TagRoleOutput, error) {
	return nil, s.tag(ctx, Role, *in.RoleName, in.Tags)
}

// UntagRole removes tags from a role.
func (s *Service) UntagRole(ctx context.Context, in *api.UntagRoleInput) (*api.UntagRoleOutput, error) {
	return nil, s.untag(ctx, Role, *in.RoleName, in.TagKeys)
}

// ListRoleTags lists a role's tags.
func (s *Service) ListRoleTags(ctx context.Context, in *api.ListRoleTagsInput) (*api.ListRoleTagsOutput, error) {
	p, err := principal(s.store.Snapshot(), account(ctx), Role, *in.RoleName)
	if err != nil {
		return nil, err
	}
	tags, next, err := tagPage(p.Tags, in.Marker, in.MaxItems)
	return &api.ListRoleTagsOutput{Tags: tags, Marker: next, IsTruncated: new(next != nil)}, err
}

// TagUser adds tags to a user.
func (s *Service) TagUser(ctx context.Context, in *api.TagUserInput) (*api.TagUserOutput, error) {
	return nil, s.tag(ctx, User, *in.UserName, in.Tags)
}

// UntagUser removes tags from a user.
func (s *Service) UntagUser(ctx context.Context, in *api.UntagUserInput) (*api.UntagUserOutput, error) {
	return nil, s.untag(ctx, User, *in.UserName, in.TagKeys)
}

// ListUserTags lists a user's tags.
func (s *Service) ListUserTags(ctx context.Context, in *api.ListUserTagsInput) (*api.ListUserTagsOutput, error) {
	p, err := principal(s.store.Snapshot(), account(ctx), User, *in.UserName)
	if err != nil {
		return nil, err
	}
	tags, next, err := tagPage(p.Tags, in.Marker, in.MaxItems)
	return &api.ListUserTagsOutput{Tags: tags, Marker: next, IsTruncated: new(next != nil)}, err
}

// TagPolicy adds tags to a managed policy.
func (s *Service) TagPolicy(ctx context.Context, in *api.TagPolicyInput) (*api.TagPolicyOutput, error) {
	return nil, s.changePolicy(ctx, *in.PolicyArn, func(_ *store.Tx, p Policy) (*Policy, error) {
		tags, err := retagged(ctx, p.Tags, in.Tags)
		p.Tags = tags
		return &p, err
	})
}

// UntagPolicy removes tags from a managed policy.
func (s *Service) UntagPolicy(ctx context.Context, in *api.UntagPolicyInput) (*api.UntagPolicyOutput, error) {
	return nil, s.changePolicy(ctx, *in.PolicyArn, func(_ *store.Tx, p Policy) (*Policy, error) {
		p.Tags = without(p.Tags, in.TagKeys...)
		return &p, nil
	})
}

// ListPolicyTags lists a managed policy's tags.
func (s *Service) ListPolicyTags(ctx context.Context, in *api.ListPolicyTagsInput) (*api.ListPolicyTagsOutput, error) {
	p, ok := findPolicy(s.store.Snapshot(), account(ctx), *in.PolicyArn)
	if !ok {
		return nil, noSuchPolicy(*in.PolicyArn)
	}
	tags, next, err := tagPage(p.Tags, in.Marker, in.MaxItems)
	return &api.ListPolicyTagsOutput{Tags: tags, Marker: next, IsTruncated: new(next != nil)}, err
}

// TagInstanceProfile adds tags to an instance profile.
func (s *Service) TagInstanceProfile(ctx context.Context, in *api.TagInstanceProfileInput) (*api.TagInstanceProfileOutput, error) {
	return nil, s.changeProfile(ctx, *in.InstanceProfileName, func(_ *store.Tx, p Profile) (*Profile, error) {
		tags, err := retagged(ctx, p.Tags, in.Tags)
		p.Tags = tags
		return &p, err
	})
}

// UntagInstanceProfile removes tags from an instance profile.
func (s *Service) UntagInstanceProfile(ctx context.Context, in *api.UntagInstanceProfileInput) (*api.UntagInstanceProfileOutput, error) {
	return nil, s.changeProfile(ctx, *in.InstanceProfileName, func(_ *store.Tx, p Profile) (*Profile, error) {
		p.Tags = without(p.Tags, in.TagKeys...)
		return &p, nil
	})
}

// ListInstanceProfileTags lists an instance profile's tags.
func (s *Service) ListInstanceProfileTags(ctx context.Context, in *api.ListInstanceProfileTagsInput) (*api.ListInstanceProfileTagsOutput, error) {
	p, err := Profiles.Get(s.store.Snapshot(), profileKey(account(ctx), *in.InstanceProfileName))
	if err != nil {
		return nil, noSuchProfile(*in.InstanceProfileName)
	}
	tags, next, err := tagPage(p.Tags, in.Marker, in.MaxItems)
	return &api.ListInstanceProfileTagsOutput{Tags: tags, Marker: next, IsTruncated: new(next != nil)}, err
}
