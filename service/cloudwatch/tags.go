package cloudwatch

import (
	"context"
	"maps"
	"strings"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

const maxTags = 50

// tagged finds the tags of an alarm or a dashboard by ARN and puts back what
// change makes of them; nil changes nothing.
func tagged(ctx context.Context, r store.Reader, resource string, change func(map[string]string) map[string]string) (map[string]string, error) {
	scope := scopeOf(ctx)
	a, err := arn.Parse(resource)
	if err != nil || a.Service != "cloudwatch" {
		return nil, errBad(resource, "ResourceARN")
	}
	if a.Account != scope.Account {
		return nil, errNoTagged
	}
	tx, _ := r.(*store.Tx)
	if name, ok := strings.CutPrefix(a.Resource, "alarm:"); ok && a.Region == scope.Region {
		al, err := Alarms.Get(r, scope.Key(name))
		if err != nil {
			return nil, errNoTagged
		}
		if change != nil {
			al.Tags = change(al.Tags)
			Alarms.Put(tx, al)
		}
		return al.Tags, nil
	}
	if name, ok := strings.CutPrefix(a.Resource, "dashboard/"); ok {
		d, err := Dashboards.Get(r, dashboardKey(scope, name))
		if err != nil {
			return nil, errNoTagged
		}
		if change != nil {
			d.Tags = change(d.Tags)
			Dashboards.Put(tx, d)
		}
		return d.Tags, nil
	}
	return nil, errNoTagged
}

// retag changes tags in a transaction.
func (s *Service) retag(ctx context.Context, resource *string, add map[string]string, drop []string) error {
	return s.store.Update(func(tx *store.Tx) error {
		tags, err := tagged(ctx, tx, val(resource), func(old map[string]string) map[string]string {
			next := map[string]string{}
			maps.Copy(next, old)
			maps.Copy(next, add)
			for _, k := range drop {
				delete(next, k)
			}
			return next
		})
		if err == nil && len(tags) > maxTags {
			return errTags
		}
		return err
	})
}

// TagResource adds or replaces tags of an alarm or a dashboard.
func (s *Service) TagResource(ctx context.Context, in *cloudwatchapi.TagResourceInput) (*cloudwatchapi.TagResourceOutput, error) {
	return &cloudwatchapi.TagResourceOutput{}, s.retag(ctx, in.ResourceARN, tagset.Of(in.Tags), nil)
}

// UntagResource removes tags.
func (s *Service) UntagResource(ctx context.Context, in *cloudwatchapi.UntagResourceInput) (*cloudwatchapi.UntagResourceOutput, error) {
	return &cloudwatchapi.UntagResourceOutput{}, s.retag(ctx, in.ResourceARN, nil, in.TagKeys)
}

// ListTagsForResource lists tags.
func (s *Service) ListTagsForResource(ctx context.Context, in *cloudwatchapi.ListTagsForResourceInput) (*cloudwatchapi.ListTagsForResourceOutput, error) {
	tags, err := tagged(ctx, s.store.Snapshot(), val(in.ResourceARN), nil)
	return &cloudwatchapi.ListTagsForResourceOutput{Tags: tagset.List[cloudwatchapi.Tag](tags)}, err
}
