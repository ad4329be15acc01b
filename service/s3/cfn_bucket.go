package s3

import (
	"context"
	"errors"
	"strings"

	api "github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Resources are the CloudFormation types of this service.
func (s *Service) Resources() []cfn.Type {
	return []cfn.Type{
		cfn.Of[bucketProperties]("AWS::S3::Bucket", bucketResource{s}),
		cfn.Of[policyProperties]("AWS::S3::BucketPolicy", policyResource{s}),
	}
}

// bucketProperties is AWS::S3::Bucket. The last ones are known, and refused.
type bucketProperties struct {
	BucketName                     string `cfn:"id,createOnly"`
	AccessControl                  string // a canned ACL in CamelCase
	BucketEncryption               *bucketEncryption
	CorsConfiguration              *corsConfiguration
	LifecycleConfiguration         *lifecycleConfiguration
	OwnershipControls              *ownershipControls
	PublicAccessBlockConfiguration *publicAccessBlock
	VersioningConfiguration        *versioning
	Tags                           []cfn.Tag

	Arn                 string `cfn:"readOnly"`
	DomainName          string `cfn:"readOnly"`
	RegionalDomainName  string `cfn:"readOnly"`
	DualStackDomainName string `cfn:"readOnly"`
	WebsiteURL          string `cfn:"readOnly"`

	unserved
}

type unserved struct {
	AccelerateConfiguration          any
	AnalyticsConfigurations          any
	IntelligentTieringConfigurations any
	InventoryConfigurations          any
	LoggingConfiguration             any
	MetricsConfigurations            any
	NotificationConfiguration        any
	ObjectLockConfiguration          any
	ObjectLockEnabled                *bool
	ReplicationConfiguration         any
	WebsiteConfiguration             any
}

func (u unserved) refuse() error {
	for name, value := range map[string]any{
		"AccelerateConfiguration": u.AccelerateConfiguration, "AnalyticsConfigurations": u.AnalyticsConfigurations,
		"IntelligentTieringConfigurations": u.IntelligentTieringConfigurations, "InventoryConfigurations": u.InventoryConfigurations,
		"LoggingConfiguration": u.LoggingConfiguration, "MetricsConfigurations": u.MetricsConfigurations,
		"NotificationConfiguration": u.NotificationConfiguration, "ObjectLockConfiguration": u.ObjectLockConfiguration,
		"ReplicationConfiguration": u.ReplicationConfiguration, "WebsiteConfiguration": u.WebsiteConfiguration,
	} {
		if value != nil {
			return errLater(name)
		}
	}
	if val(u.ObjectLockEnabled) {
		return errLater("ObjectLockEnabled")
	}
	return nil
}

type bucketResource struct{ s *Service }

var _ cfn.Updater[bucketProperties] = bucketResource{}

func (r bucketResource) Create(ctx context.Context, p *bucketProperties) error {
	q, _ := cfn.From(ctx)
	name := p.BucketName
	if name == "" {
		name = strings.ToLower(q.Name(63))
	}
	switch b, err := find(r.s.Store.Snapshot(), name); {
	case err == nil && b.Scope == caller(ctx).Scope && q.Owns(b.Tags): // ours: made before a restart
	case err == nil && b.Scope.Account != caller(ctx).Account:
		return errTaken(name)
	case err == nil:
		return errOwned(name)
	default:
		// Whatever is wrong with the settings is found before there is a bucket.
		trial := Bucket{Scope: caller(ctx).Scope, Name: name}
		if err := r.settle(ctx, &trial, p); err != nil {
			return err
		}
		if err := r.create(ctx, name, q.AllTags(p.Tags)); err != nil {
			return err
		}
	}
	p.BucketName = name
	return cfn.HalfMade(r.Update(ctx, nil, p))
}

// create makes a bucket that carries its tags from the beginning.
func (r bucketResource) create(ctx context.Context, name string, tags map[string]string) error {
	in := &api.CreateBucketInput{Bucket: &name}
	if region := caller(ctx).Region; region != home {
		in.CreateBucketConfiguration = &api.CreateBucketConfiguration{LocationConstraint: api.BucketLocationConstraint(region)}
	}
	_, err := r.s.createBucket(ctx, in, tags)
	return err
}

func (r bucketResource) Update(ctx context.Context, _, p *bucketProperties) error {
	err := r.s.change(&p.BucketName, func(b *Bucket) error { return r.settle(ctx, b, p) })
	if err != nil {
		return err
	}
	return r.Read(ctx, p)
}

// settle gives a bucket the settings of a template, and AWS's defaults for what it leaves out.
func (r bucketResource) settle(ctx context.Context, b *Bucket, p *bucketProperties) error {
	if err := p.refuse(); err != nil {
		return err
	}
	q, _ := cfn.From(ctx)
	if err := p.OwnershipControls.settle(b); err != nil {
		return err
	}
	p.PublicAccessBlockConfiguration.settle(b)
	acl, err := cannedACL(*b, kebab(p.AccessControl), api.PutBucketAclInput{})
	if err != nil {
		return err
	}
	b.ACL = acl
	if err := p.VersioningConfiguration.settle(b); err != nil {
		return err
	}
	if err := p.BucketEncryption.settle(ctx, r.s, b); err != nil {
		return err
	}
	if err := p.LifecycleConfiguration.settle(b); err != nil {
		return err
	}
	if err := p.CorsConfiguration.settle(b); err != nil {
		return err
	}
	b.Tags = q.AllTags(p.Tags)
	return nil
}

func (r bucketResource) Read(ctx context.Context, p *bucketProperties) error {
	b, err := find(r.s.Store.Snapshot(), p.BucketName)
	if err != nil {
		return err
	}
	if b.Scope.Account != caller(ctx).Account {
		return store.ErrNotFound
	}
	*p = bucketProperties{
		BucketName: b.Name, AccessControl: camel(b.ACL), Tags: cfn.TagsOf(b.Tags),
		BucketEncryption: encryptionOf(b), VersioningConfiguration: versioningOf(b), OwnershipControls: ownershipOf(b),
		PublicAccessBlockConfiguration: publicAccessOf(b), LifecycleConfiguration: lifecycleOf(b), CorsConfiguration: corsOf(b),
		Arn: b.ARN(), DomainName: b.Name + ".s3.amazonaws.com", RegionalDomainName: b.Name + ".s3." + b.Scope.Region + ".amazonaws.com",
		DualStackDomainName: b.Name + ".s3.dualstack." + b.Scope.Region + ".amazonaws.com",
		WebsiteURL:          "http://" + b.Name + ".s3-website-" + b.Scope.Region + ".amazonaws.com",
	}
	return nil
}

func (r bucketResource) Delete(ctx context.Context, p *bucketProperties) error {
	_, err := r.s.DeleteBucket(ctx, &api.DeleteBucketInput{Bucket: &p.BucketName})
	if errors.Is(err, &awsapi.Error{Code: "NoSuchBucket"}) {
		return nil
	}
	return err
}

// canned are the names that templates have for canned ACLs.
var canned = map[string]string{
	"Private": "private", "PublicRead": "public-read", "PublicReadWrite": "public-read-write", "AuthenticatedRead": "authenticated-read",
	"LogDeliveryWrite": "log-delivery-write", "BucketOwnerRead": "bucket-owner-read", "BucketOwnerFullControl": "bucket-owner-full-control",
	"AwsExecRead": "aws-exec-read",
}

// kebab is a canned ACL as the API has it; what is none stays, to be refused.
func kebab(acl string) string {
	if name, ok := canned[acl]; ok {
		return name
	}
	return acl
}

func camel(acl string) string {
	for name, of := range canned {
		if of == acl {
			return name
		}
	}
	return ""
}

// policyProperties is AWS::S3::BucketPolicy. Its id is the bucket's name.
type policyProperties struct {
	Bucket         string `cfn:"id,createOnly,required"`
	PolicyDocument any    `cfn:"required"`
}

type policyResource struct{ s *Service }

var _ cfn.Updater[policyProperties] = policyResource{}

func (r policyResource) Create(ctx context.Context, p *policyProperties) error {
	b, err := find(r.s.Store.Snapshot(), p.Bucket)
	if err != nil {
		return err
	}
	text, err := document(p.PolicyDocument)
	if err != nil {
		return err
	}
	if b.Policy != "" && b.Policy != text {
		return fault(400, "AlreadyExists", "The bucket policy already exists on bucket "+p.Bucket+".")
	}
	return r.put(ctx, p)
}

func (r policyResource) put(ctx context.Context, p *policyProperties) error {
	text, err := document(p.PolicyDocument)
	if err != nil {
		return err
	}
	_, err = r.s.PutBucketPolicy(ctx, &api.PutBucketPolicyInput{Bucket: &p.Bucket, Policy: &text})
	return err
}

func (r policyResource) Update(ctx context.Context, _, after *policyProperties) error {
	return r.put(ctx, after)
}

func (r policyResource) Read(_ context.Context, p *policyProperties) error {
	b, err := find(r.s.Store.Snapshot(), p.Bucket)
	if err != nil {
		return err
	}
	if b.Policy == "" {
		return store.ErrNotFound
	}
	p.PolicyDocument = parsed(b.Policy)
	return nil
}

func (r policyResource) Delete(ctx context.Context, p *policyProperties) error {
	_, err := r.s.DeleteBucketPolicy(ctx, &api.DeleteBucketPolicyInput{Bucket: &p.Bucket})
	if errors.Is(err, &awsapi.Error{Code: "NoSuchBucket"}) {
		return nil
	}
	return err
}
