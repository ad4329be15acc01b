package iam

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	api "github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// document is a policy of a template as the API wants it.
func document(v any) (*string, error) {
	if s, ok := v.(string); ok {
		return &s, nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, malformed("Syntax errors in policy.")
	}
	return new(string(raw)), nil
}

// parsed is a document as a template has it.
func parsed(document string) any {
	var v any
	if json.Unmarshal([]byte(document), &v) != nil {
		return document
	}
	return v
}

// is reports whether err is an API error with that code.
func is(err error, code string) bool { return errors.Is(err, &awsapi.Error{Code: code}) }

// gone turns "no such entity" into success, for deletions.
func gone(err error) error {
	if is(err, "NoSuchEntity") {
		return nil
	}
	return err
}

// owned are the tags that a resource of a stack gets.
func owned(ctx context.Context, own []cfn.Tag) map[string]string {
	r, _ := cfn.From(ctx)
	return r.AllTags(own)
}

// ours reports whether a row with these tags was made by this very request.
func ours(ctx context.Context, tags map[string]string) bool {
	r, ok := cfn.From(ctx)
	return ok && r.Owns(tags)
}

// generated is the name CloudFormation makes up.
func generated(ctx context.Context, limit int) string {
	r, _ := cfn.From(ctx)
	return r.Name(limit)
}

// userTags are the tags a template would have set.
func userTags(tags map[string]string) []cfn.Tag {
	var out []cfn.Tag
	for _, t := range tagset.List[api.Tag](tags) {
		if len(*t.Key) < 4 || (*t.Key)[:4] != "aws:" {
			out = append(out, cfn.Tag{Key: *t.Key, Value: *t.Value})
		}
	}
	return out
}

// removedTags are the keys of before that after lacks.
func removedTags(before, after map[string]string) []string {
	var keys []string
	for k := range before {
		if _, ok := after[k]; !ok {
			keys = append(keys, k)
		}
	}
	return keys
}

// holders are the principals that a policy of a template is for.
type holders struct {
	Roles  []string
	Users  []string
	Groups []string
}

// each calls fn for every principal until one fails.
func (h holders) each(fn func(k Kind, name string) error) error {
	for _, list := range []struct {
		kind  Kind
		names []string
	}{{Role, h.Roles}, {User, h.Users}, {Group, h.Groups}} {
		for _, name := range list.names {
			if err := fn(list.kind, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// minus are the principals of h that are not in other.
func (h holders) minus(other holders) holders {
	diff := func(a, b []string) []string {
		return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
	}
	return holders{Roles: diff(h.Roles, other.Roles), Users: diff(h.Users, other.Users), Groups: diff(h.Groups, other.Groups)}
}
