package s3

import (
	"context"
	"time"
	"unicode/utf8"

	api "github.com/slipway-dev/slipway/api/s3api"
)

const maxRules = 1000

// PutBucketLifecycleConfiguration says what becomes of objects that grow old.
func (s *Service) PutBucketLifecycleConfiguration(_ context.Context, in *api.PutBucketLifecycleConfigurationInput) (*api.PutBucketLifecycleConfigurationOutput, error) {
	if in.LifecycleConfiguration == nil || len(in.LifecycleConfiguration.Rules) == 0 || len(in.LifecycleConfiguration.Rules) > maxRules {
		return nil, errXML()
	}
	rules, err := checkRules(in.LifecycleConfiguration.Rules)
	if err != nil {
		return nil, err
	}
	least := string(in.TransitionDefaultMinimumObjectSize)
	if least == "" {
		least = "all_storage_classes_128K"
	}
	return &api.PutBucketLifecycleConfigurationOutput{TransitionDefaultMinimumObjectSize: api.TransitionDefaultMinimumObjectSize(least)}, s.change(in.Bucket, func(b *Bucket) error {
		b.Lifecycle, b.LifecycleMinimum = rules, least
		return nil
	})
}

// checkRules checks lifecycle rules and gives an id to those without.
func checkRules(in []api.LifecycleRule) ([]api.LifecycleRule, error) {
	rules := make([]api.LifecycleRule, len(in))
	ids := map[string]bool{}
	for i, r := range in {
		if err := checkRule(r); err != nil {
			return nil, err
		}
		if val(r.ID) == "" {
			r.ID = new(random(24))
		}
		if utf8.RuneCountInString(*r.ID) > 255 {
			return nil, errArgument("ID", *r.ID, "ID length should not exceed allowed limit of 255")
		}
		if ids[*r.ID] {
			return nil, errArgument("ID", *r.ID, "Rule ID must be unique. Found same ID for more than one rule")
		}
		ids[*r.ID] = true
		rules[i] = r
	}
	return rules, nil
}

func checkRule(r api.LifecycleRule) error {
	if r.Filter != nil && r.Prefix != nil || r.Filter == nil && r.Prefix == nil {
		return errXML()
	}
	if len(r.Transitions)+len(r.NoncurrentVersionTransitions) > 0 {
		return errLater("transitions to other storage classes")
	}
	if r.Expiration == nil && r.NoncurrentVersionExpiration == nil && r.AbortIncompleteMultipartUpload == nil {
		return errRequest("At least one action needs to be specified in a rule.")
	}
	if f := r.Filter; f != nil {
		n := 0
		for _, set := range []bool{f.Prefix != nil, f.Tag != nil, f.And != nil, f.ObjectSizeGreaterThan != nil, f.ObjectSizeLessThan != nil} {
			if set {
				n++
			}
		}
		if n > 1 {
			return errXML()
		}
	}
	if e := r.Expiration; e != nil {
		switch {
		case e.Days != nil && *e.Days <= 0:
			return errArgument("Days", decimal(int64(*e.Days)), "'Days' for Expiration action must be a positive integer")
		case e.Date != nil && !e.Date.Equal(e.Date.UTC().Truncate(24*time.Hour)):
			return errArgument("Date", e.Date.String(), "'Date' must be at midnight GMT")
		case e.Days == nil && e.Date == nil && e.ExpiredObjectDeleteMarker == nil, e.Days != nil && e.Date != nil:
			return errXML()
		}
	}
	if n := r.NoncurrentVersionExpiration; n != nil && val(n.NoncurrentDays) <= 0 {
		return errArgument("NoncurrentDays", decimal(int64(val(n.NoncurrentDays))), "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer")
	}
	if a := r.AbortIncompleteMultipartUpload; a != nil {
		if val(a.DaysAfterInitiation) <= 0 {
			return errArgument("DaysAfterInitiation", decimal(int64(val(a.DaysAfterInitiation))), "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer")
		}
		if f := filterOf(r); len(f.tags) > 0 {
			return errRequest("AbortIncompleteMultipartUpload cannot be specified with Tags.")
		}
	}
	return nil
}

// GetBucketLifecycleConfiguration tells the rules; none is an error.
func (s *Service) GetBucketLifecycleConfiguration(_ context.Context, in *api.GetBucketLifecycleConfigurationInput) (*api.GetBucketLifecycleConfigurationOutput, error) {
	b, err := find(s.Store.Snapshot(), val(in.Bucket))
	if err != nil {
		return nil, err
	}
	if len(b.Lifecycle) == 0 {
		return nil, fault(404, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", "BucketName", b.Name)
	}
	return &api.GetBucketLifecycleConfigurationOutput{
		Rules: b.Lifecycle, TransitionDefaultMinimumObjectSize: api.TransitionDefaultMinimumObjectSize(b.LifecycleMinimum),
	}, nil
}

// DeleteBucketLifecycle removes the rules.
func (s *Service) DeleteBucketLifecycle(_ context.Context, in *api.DeleteBucketLifecycleInput) (*api.DeleteBucketLifecycleOutput, error) {
	return &api.DeleteBucketLifecycleOutput{}, s.change(in.Bucket, func(b *Bucket) error {
		b.Lifecycle, b.LifecycleMinimum = nil, ""
		return nil
	})
}

// filter is what a rule applies to.
type filter struct {
	prefix        string
	tags          []api.Tag
	greater, less *int64
}

func filterOf(r api.LifecycleRule) filter {
	f := filter{prefix: val(r.Prefix)}
	if in := r.Filter; in != nil {
		f.prefix, f.greater, f.less = val(in.Prefix), in.ObjectSizeGreaterThan, in.ObjectSizeLessThan
		if in.Tag != nil {
			f.tags = []api.Tag{*in.Tag}
		}
		if and := in.And; and != nil {
			f = filter{val(and.Prefix), and.Tags, and.ObjectSizeGreaterThan, and.ObjectSizeLessThan}
		}
	}
	return f
}
