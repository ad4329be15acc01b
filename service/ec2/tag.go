package ec2

import (
	"context"
	"maps"
	"slices"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// kinds are all types of resources, for operations on tags.
func kinds() []tagged {
	return []tagged{
		vpcKind, subnetKind, groupKind, ruleKind, interfaceKind, routeTableKind, internetGatewayKind, natKind, addressKind, endpointKind, aclKind,
	}
}

// tagsFor are the tags that a request gives to a new resource of a type.
func tagsFor(specs []ec2api.TagSpecification, resourceType ec2api.ResourceType) (map[string]string, error) {
	tags := map[string]string{}
	for _, s := range specs {
		if s.ResourceType != resourceType {
			return nil, errInvalidParameter("'%s' is not a valid taggable resource type for this operation.", s.ResourceType)
		}
		for _, t := range s.Tags {
			if err := checkTag(val(t.Key), val(t.Value)); err != nil {
				return nil, err
			}
			tags[*t.Key] = val(t.Value)
		}
	}
	if len(tags) == 0 {
		return nil, nil
	}
	return tags, checkTagCount(tags)
}

func checkTag(key, value string) error {
	switch {
	case key == "":
		return errInvalidParameter("Tag key cannot be null or empty")
	case len([]rune(key)) > 128:
		return errInvalidParameter("Tag key exceeds the maximum length of 128 characters")
	case len([]rune(value)) > 256:
		return errInvalidParameter("Tag value exceeds the maximum length of 256 characters")
	}
	return nil
}

func checkTagCount(tags map[string]string) error {
	n := 0
	for k := range tags {
		if !reserved(k) {
			n++
		}
	}
	if n > 50 {
		return fault("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
	}
	return nil
}

// reserved keys are set by services only; CloudFormation, which calls
// operations directly, passes them in tag specifications.
func reserved(key string) bool { return tagset.Reserved(key) }

// apiTags are tags in the order of their keys.
func apiTags(tags map[string]string) []ec2api.Tag {
	var out []ec2api.Tag
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, ec2api.Tag{Key: new(k), Value: new(tags[k])})
	}
	return out
}

// CreateTags adds or replaces tags of any resources.
func (s *Service) CreateTags(ctx context.Context, in *ec2api.CreateTagsInput) (*ec2api.CreateTagsOutput, error) {
	for _, t := range in.Tags {
		if err := checkTag(val(t.Key), val(t.Value)); err != nil {
			return nil, err
		}
		if reserved(*t.Key) {
			return nil, errReservedTag()
		}
	}
	return &ec2api.CreateTagsOutput{}, s.changeTags(ctx, in.Resources, func(tags map[string]string) {
		for _, t := range in.Tags {
			tags[*t.Key] = val(t.Value)
		}
	})
}

// DeleteTags removes tags by key, or by key and value when a value is given;
// without any, all but reserved ones.
func (s *Service) DeleteTags(ctx context.Context, in *ec2api.DeleteTagsInput) (*ec2api.DeleteTagsOutput, error) {
	return &ec2api.DeleteTagsOutput{}, s.changeTags(ctx, in.Resources, func(tags map[string]string) {
		for k, v := range tags {
			named := len(in.Tags) == 0
			for _, t := range in.Tags {
				named = named || val(t.Key) == k && (t.Value == nil || *t.Value == v)
			}
			if named && !reserved(k) {
				delete(tags, k)
			}
		}
	})
}

func (s *Service) changeTags(ctx context.Context, ids []string, change func(map[string]string)) error {
	scope := scopeOf(ctx)
	return s.store.Update(func(tx *store.Tx) error {
		for _, id := range ids {
			i := slices.IndexFunc(kinds(), func(k tagged) bool { return k.hasID(id) })
			if i < 0 {
				return fault("InvalidID", "The ID '%s' is not valid", id)
			}
			err := kinds()[i].changeTags(tx, scope, id, change)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// DescribeTags lists the tags of all resources.
func (s *Service) DescribeTags(ctx context.Context, in *ec2api.DescribeTagsInput) (*ec2api.DescribeTagsOutput, error) {
	snap, scope := s.store.Snapshot(), scopeOf(ctx)
	var all []ec2api.TagDescription
	for _, k := range kinds() {
		for id, tags := range k.eachTags(snap, scope) {
			for _, t := range apiTags(tags) {
				ok, err := matches(in.Filters, map[string][]string{
					"key": one(*t.Key), "value": one(*t.Value), "resource-id": one(id), "resource-type": one(k.resourceType()),
				}, map[string]string{*t.Key: *t.Value})
				if err != nil {
					return nil, err
				}
				if ok {
					all = append(all, ec2api.TagDescription{Key: t.Key, Value: t.Value, ResourceId: new(id), ResourceType: ec2api.ResourceType(k.resourceType())})
				}
			}
		}
	}
	page, next, err := awsapi.Page(all, func(t ec2api.TagDescription) string { return *t.ResourceId + "\x00" + *t.Key }, in.NextToken, int(val(in.MaxResults)), pageLimit)
	if err != nil {
		return nil, err
	}
	return &ec2api.DescribeTagsOutput{Tags: page, NextToken: next}, nil
}
