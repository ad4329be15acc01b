package s3

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	api "github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// The settings of a bucket as AWS::S3::Bucket has them. Each knows how to settle
// a bucket; none is what a new bucket has.

type bucketEncryption struct {
	ServerSideEncryptionConfiguration []encryptionRule `cfn:"required"`
}

type encryptionRule struct {
	BucketKeyEnabled              bool
	ServerSideEncryptionByDefault *encryptionDefault
	BlockedEncryptionTypes        *blockedEncryption
}

type encryptionDefault struct {
	SSEAlgorithm   string `cfn:"required"`
	KMSMasterKeyID string
}

type blockedEncryption struct {
	EncryptionType []string
}

func (e *bucketEncryption) settle(ctx context.Context, s *Service, b *Bucket) error {
	b.Encryption = Encryption{Algorithm: "AES256"}
	if e == nil {
		return nil
	}
	in := &api.PutBucketEncryptionInput{Bucket: &b.Name, ServerSideEncryptionConfiguration: &api.ServerSideEncryptionConfiguration{}}
	for _, r := range e.ServerSideEncryptionConfiguration {
		rule := api.ServerSideEncryptionRule{BucketKeyEnabled: new(r.BucketKeyEnabled)}
		if d := r.ServerSideEncryptionByDefault; d != nil {
			rule.ApplyServerSideEncryptionByDefault = &api.ServerSideEncryptionByDefault{
				SSEAlgorithm: api.ServerSideEncryption(d.SSEAlgorithm), KMSMasterKeyID: opt(d.KMSMasterKeyID),
			}
		}
		if t := r.BlockedEncryptionTypes; t != nil {
			rule.BlockedEncryptionTypes = &api.BlockedEncryptionTypes{}
			for _, one := range t.EncryptionType {
				rule.BlockedEncryptionTypes.EncryptionType = append(rule.BlockedEncryptionTypes.EncryptionType, api.EncryptionType(one))
			}
		}
		in.ServerSideEncryptionConfiguration.Rules = append(in.ServerSideEncryptionConfiguration.Rules, rule)
	}
	given, err := encryptionIn(in)
	if err != nil {
		return err
	}
	return s.encrypt(ctx, b, given)
}

func encryptionOf(b Bucket) *bucketEncryption {
	return &bucketEncryption{[]encryptionRule{{
		BucketKeyEnabled: b.Encryption.BucketKey, ServerSideEncryptionByDefault: &encryptionDefault{b.Encryption.Algorithm, b.Encryption.Key},
	}}}
}

type versioning struct {
	Status string `cfn:"required"`
}

// settle leaves a bucket that never was in versions so; one that was can only be suspended.
func (v *versioning) settle(b *Bucket) error {
	switch {
	case v != nil && v.Status != "Enabled" && v.Status != "Suspended":
		return errXML()
	case v != nil && (v.Status == "Enabled" || b.Versioning != ""):
		b.Versioning = v.Status
	case v == nil && b.Versioning != "":
		b.Versioning = "Suspended"
	}
	return nil
}

func versioningOf(b Bucket) *versioning {
	if b.Versioning == "" {
		return nil
	}
	return &versioning{b.Versioning}
}

type ownershipControls struct {
	Rules []struct {
		ObjectOwnership string
	} `cfn:"required"`
}

func (o *ownershipControls) settle(b *Bucket) error {
	b.Ownership = "BucketOwnerEnforced"
	if o == nil {
		return nil
	}
	if len(o.Rules) != 1 {
		return errXML()
	}
	switch own := o.Rules[0].ObjectOwnership; own {
	case "BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter":
		b.Ownership = own
		return nil
	default:
		return errXML()
	}
}

func ownershipOf(b Bucket) *ownershipControls {
	return &ownershipControls{Rules: []struct{ ObjectOwnership string }{{b.Ownership}}}
}

type publicAccessBlock struct {
	BlockPublicAcls       bool
	BlockPublicPolicy     bool
	IgnorePublicAcls      bool
	RestrictPublicBuckets bool
}

func (p *publicAccessBlock) settle(b *Bucket) {
	b.PublicAccess = &PublicAccess{true, true, true, true}
	if p != nil {
		b.PublicAccess = &PublicAccess{BlockACLs: p.BlockPublicAcls, IgnoreACLs: p.IgnorePublicAcls, BlockPolicy: p.BlockPublicPolicy, Restrict: p.RestrictPublicBuckets}
	}
}

func publicAccessOf(b Bucket) *publicAccessBlock {
	p := b.PublicAccess
	if p == nil {
		return nil
	}
	return &publicAccessBlock{BlockPublicAcls: p.BlockACLs, IgnorePublicAcls: p.IgnoreACLs, BlockPublicPolicy: p.BlockPolicy, RestrictPublicBuckets: p.Restrict}
}

type corsConfiguration struct {
	CorsRules []corsRule `cfn:"required"`
}

type corsRule struct {
	Id             string   //nolint:revive // AWS's name
	AllowedMethods []string `cfn:"required"`
	AllowedOrigins []string `cfn:"required"`
	AllowedHeaders []string
	ExposedHeaders []string
	MaxAge         *int32
}

func (c *corsConfiguration) settle(b *Bucket) error {
	b.CORS = nil
	if c == nil {
		return nil
	}
	var rules []api.CORSRule
	for _, r := range c.CorsRules {
		rules = append(rules, api.CORSRule{
			ID: opt(r.Id), AllowedMethods: r.AllowedMethods, AllowedOrigins: r.AllowedOrigins, AllowedHeaders: r.AllowedHeaders,
			ExposeHeaders: r.ExposedHeaders, MaxAgeSeconds: r.MaxAge,
		})
	}
	if err := checkCORS(rules); err != nil {
		return err
	}
	b.CORS = rules
	return nil
}

func corsOf(b Bucket) *corsConfiguration {
	if len(b.CORS) == 0 {
		return nil
	}
	out := &corsConfiguration{}
	for _, r := range b.CORS {
		out.CorsRules = append(out.CorsRules, corsRule{
			Id: val(r.ID), AllowedMethods: r.AllowedMethods, AllowedOrigins: r.AllowedOrigins, AllowedHeaders: r.AllowedHeaders,
			ExposedHeaders: r.ExposeHeaders, MaxAge: r.MaxAgeSeconds,
		})
	}
	return out
}

type lifecycleConfiguration struct {
	Rules                              []lifecycleRule `cfn:"required"`
	TransitionDefaultMinimumObjectSize string
}

type lifecycleRule struct {
	Id                                string //nolint:revive // AWS's name
	Status                            string `cfn:"required"`
	Prefix                            string
	TagFilters                        []cfn.Tag
	ObjectSizeGreaterThan             string // bytes
	ObjectSizeLessThan                string
	ExpirationInDays                  *int32
	ExpirationDate                    string
	ExpiredObjectDeleteMarker         *bool
	NoncurrentVersionExpirationInDays *int32
	NoncurrentVersionExpiration       *noncurrentExpiration
	AbortIncompleteMultipartUpload    *abortUpload
	Transition                        any
	Transitions                       any
	NoncurrentVersionTransition       any
	NoncurrentVersionTransitions      any
}

type noncurrentExpiration struct {
	NoncurrentDays          int32 `cfn:"required"`
	NewerNoncurrentVersions *int32
}

type abortUpload struct {
	DaysAfterInitiation int32 `cfn:"required"`
}

func (l *lifecycleConfiguration) settle(b *Bucket) error {
	b.Lifecycle, b.LifecycleMinimum = nil, ""
	if l == nil {
		return nil
	}
	var rules []api.LifecycleRule
	for i, r := range l.Rules {
		rule, err := r.rule()
		if err != nil {
			return err
		}
		if rule.ID == nil {
			rule.ID = new("rule-" + strconv.Itoa(i+1)) // the same at every update
		}
		rules = append(rules, rule)
	}
	checked, err := checkRules(rules)
	if err != nil {
		return err
	}
	b.Lifecycle, b.LifecycleMinimum = checked, l.TransitionDefaultMinimumObjectSize
	if b.LifecycleMinimum == "" {
		b.LifecycleMinimum = "all_storage_classes_128K"
	}
	return nil
}

func (r lifecycleRule) rule() (api.LifecycleRule, error) {
	out := api.LifecycleRule{ID: opt(r.Id), Status: api.ExpirationStatus(r.Status)}
	if r.Status != "Enabled" && r.Status != "Disabled" {
		return out, errXML()
	}
	for _, t := range []any{r.Transition, r.Transitions, r.NoncurrentVersionTransition, r.NoncurrentVersionTransitions} {
		if t != nil {
			return out, errLater("transitions to other storage classes")
		}
	}
	and := &api.LifecycleRuleAndOperator{Prefix: opt(r.Prefix)}
	for _, t := range r.TagFilters {
		and.Tags = append(and.Tags, api.Tag{Key: new(t.Key), Value: new(t.Value)})
	}
	for _, size := range []struct {
		text string
		to   **int64
	}{{r.ObjectSizeGreaterThan, &and.ObjectSizeGreaterThan}, {r.ObjectSizeLessThan, &and.ObjectSizeLessThan}} {
		if size.text == "" {
			continue
		}
		n, err := strconv.ParseInt(size.text, 10, 64)
		if err != nil {
			return out, errXML()
		}
		*size.to = &n
	}
	out.Filter = &api.LifecycleRuleFilter{And: and}
	if len(and.Tags) == 0 && and.ObjectSizeGreaterThan == nil && and.ObjectSizeLessThan == nil {
		out.Filter = &api.LifecycleRuleFilter{Prefix: new(r.Prefix)}
	}
	if r.ExpirationInDays != nil || r.ExpirationDate != "" || r.ExpiredObjectDeleteMarker != nil {
		out.Expiration = &api.LifecycleExpiration{Days: r.ExpirationInDays, ExpiredObjectDeleteMarker: r.ExpiredObjectDeleteMarker}
		if r.ExpirationDate != "" {
			date, err := time.Parse(time.RFC3339, r.ExpirationDate)
			if err != nil {
				return out, errArgument("Date", r.ExpirationDate, "'Date' must be at midnight GMT")
			}
			out.Expiration.Date = &date
		}
	}
	switch n := r.NoncurrentVersionExpiration; {
	case n != nil:
		out.NoncurrentVersionExpiration = &api.NoncurrentVersionExpiration{NoncurrentDays: &n.NoncurrentDays, NewerNoncurrentVersions: n.NewerNoncurrentVersions}
	case r.NoncurrentVersionExpirationInDays != nil:
		out.NoncurrentVersionExpiration = &api.NoncurrentVersionExpiration{NoncurrentDays: r.NoncurrentVersionExpirationInDays}
	}
	if a := r.AbortIncompleteMultipartUpload; a != nil {
		out.AbortIncompleteMultipartUpload = &api.AbortIncompleteMultipartUpload{DaysAfterInitiation: &a.DaysAfterInitiation}
	}
	return out, nil
}

func lifecycleOf(b Bucket) *lifecycleConfiguration {
	if len(b.Lifecycle) == 0 {
		return nil
	}
	out := &lifecycleConfiguration{TransitionDefaultMinimumObjectSize: b.LifecycleMinimum}
	for _, r := range b.Lifecycle {
		f := filterOf(r)
		rule := lifecycleRule{Id: val(r.ID), Status: string(r.Status), Prefix: f.prefix, ObjectSizeGreaterThan: bytesOf(f.greater), ObjectSizeLessThan: bytesOf(f.less)}
		for _, t := range f.tags {
			rule.TagFilters = append(rule.TagFilters, cfn.Tag{Key: val(t.Key), Value: val(t.Value)})
		}
		if e := r.Expiration; e != nil {
			rule.ExpirationInDays, rule.ExpiredObjectDeleteMarker = e.Days, e.ExpiredObjectDeleteMarker
			if e.Date != nil {
				rule.ExpirationDate = e.Date.UTC().Format(time.RFC3339)
			}
		}
		if n := r.NoncurrentVersionExpiration; n != nil {
			// One of the two says it in the template: drift compares what is there.
			rule.NoncurrentVersionExpirationInDays = n.NoncurrentDays
			rule.NoncurrentVersionExpiration = &noncurrentExpiration{val(n.NoncurrentDays), n.NewerNoncurrentVersions}
		}
		if a := r.AbortIncompleteMultipartUpload; a != nil {
			rule.AbortIncompleteMultipartUpload = &abortUpload{val(a.DaysAfterInitiation)}
		}
		out.Rules = append(out.Rules, rule)
	}
	return out
}

func bytesOf(n *int64) string {
	if n == nil {
		return ""
	}
	return decimal(*n)
}

// document is a policy as text, and parsed the other way round.
func document(policy any) (string, error) {
	if text, ok := policy.(string); ok {
		return text, nil
	}
	text, err := json.Marshal(policy)
	return string(text), err
}

func parsed(policy string) any {
	var out any
	if err := json.Unmarshal([]byte(policy), &out); err != nil {
		return policy
	}
	return out
}
