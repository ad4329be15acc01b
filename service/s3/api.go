package s3

import (
	"context"
	"errors"
	"net/http"
	"reflect"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/loop"
)

// API is the service with the operations it implements.
func (s *Service) API() *awsapi.Service {
	a := awsapi.NewService("s3")
	s.handleBuckets(a)
	s.handleObjects(a)
	return a
}

func (s *Service) handleBuckets(a *awsapi.Service) {
	handle(s, a, "CreateBucket", "s3:CreateBucket", s.CreateBucket)
	handle(s, a, "HeadBucket", "s3:ListBucket", s.HeadBucket)
	handle(s, a, "DeleteBucket", "s3:DeleteBucket", s.DeleteBucket)
	handle(s, a, "ListBuckets", "s3:ListAllMyBuckets", s.ListBuckets)
	handle(s, a, "GetBucketLocation", "s3:GetBucketLocation", s.GetBucketLocation)
	handle(s, a, "PutBucketTagging", "s3:PutBucketTagging", s.PutBucketTagging)
	handle(s, a, "GetBucketTagging", "s3:GetBucketTagging", s.GetBucketTagging)
	handle(s, a, "DeleteBucketTagging", "s3:PutBucketTagging", s.DeleteBucketTagging)
	handle(s, a, "PutBucketVersioning", "s3:PutBucketVersioning", s.PutBucketVersioning)
	handle(s, a, "GetBucketVersioning", "s3:GetBucketVersioning", s.GetBucketVersioning)
	handle(s, a, "PutBucketEncryption", "s3:PutEncryptionConfiguration", s.PutBucketEncryption)
	handle(s, a, "GetBucketEncryption", "s3:GetEncryptionConfiguration", s.GetBucketEncryption)
	handle(s, a, "DeleteBucketEncryption", "s3:PutEncryptionConfiguration", s.DeleteBucketEncryption)
	handle(s, a, "PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock", s.PutPublicAccessBlock)
	handle(s, a, "GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", s.GetPublicAccessBlock)
	handle(s, a, "DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock", s.DeletePublicAccessBlock)
	handle(s, a, "PutBucketOwnershipControls", "s3:PutBucketOwnershipControls", s.PutBucketOwnershipControls)
	handle(s, a, "GetBucketOwnershipControls", "s3:GetBucketOwnershipControls", s.GetBucketOwnershipControls)
	handle(s, a, "DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls", s.DeleteBucketOwnershipControls)
	handle(s, a, "PutBucketPolicy", "s3:PutBucketPolicy", s.PutBucketPolicy)
	handle(s, a, "GetBucketPolicy", "s3:GetBucketPolicy", s.GetBucketPolicy)
	handle(s, a, "DeleteBucketPolicy", "s3:DeleteBucketPolicy", s.DeleteBucketPolicy)
	handle(s, a, "GetBucketPolicyStatus", "s3:GetBucketPolicyStatus", s.GetBucketPolicyStatus)
	handle(s, a, "PutBucketAcl", "s3:PutBucketAcl", s.PutBucketAcl)
	handle(s, a, "GetBucketAcl", "s3:GetBucketAcl", s.GetBucketAcl)
	handle(s, a, "PutBucketCors", "s3:PutBucketCORS", s.PutBucketCors)
	handle(s, a, "GetBucketCors", "s3:GetBucketCORS", s.GetBucketCors)
	handle(s, a, "DeleteBucketCors", "s3:PutBucketCORS", s.DeleteBucketCors)
	handle(s, a, "PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration", s.PutBucketLifecycleConfiguration)
	handle(s, a, "GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration", s.GetBucketLifecycleConfiguration)
	handle(s, a, "DeleteBucketLifecycle", "s3:PutLifecycleConfiguration", s.DeleteBucketLifecycle)
	s.handleUnset(a)
}

func (s *Service) handleUnset(a *awsapi.Service) {
	handle(s, a, "GetBucketWebsite", "s3:GetBucketWebsite", s.GetBucketWebsite)
	handle(s, a, "DeleteBucketWebsite", "s3:DeleteBucketWebsite", s.DeleteBucketWebsite)
	handle(s, a, "GetBucketReplication", "s3:GetReplicationConfiguration", s.GetBucketReplication)
	handle(s, a, "DeleteBucketReplication", "s3:PutReplicationConfiguration", s.DeleteBucketReplication)
	handle(s, a, "GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration", s.GetObjectLockConfiguration)
	handle(s, a, "GetObjectRetention", "s3:GetObjectRetention", s.GetObjectRetention)
	handle(s, a, "GetObjectLegalHold", "s3:GetObjectLegalHold", s.GetObjectLegalHold)
	handle(s, a, "GetBucketLogging", "s3:GetBucketLogging", s.GetBucketLogging)
	handle(s, a, "PutBucketLogging", "s3:PutBucketLogging", s.PutBucketLogging)
	handle(s, a, "GetBucketNotificationConfiguration", "s3:GetBucketNotification", s.GetBucketNotificationConfiguration)
	handle(s, a, "PutBucketNotificationConfiguration", "s3:PutBucketNotification", s.PutBucketNotificationConfiguration)
	handle(s, a, "GetBucketRequestPayment", "s3:GetBucketRequestPayment", s.GetBucketRequestPayment)
	handle(s, a, "PutBucketRequestPayment", "s3:PutBucketRequestPayment", s.PutBucketRequestPayment)
	handle(s, a, "GetBucketAccelerateConfiguration", "s3:GetAccelerateConfiguration", s.GetBucketAccelerateConfiguration)
	handle(s, a, "PutBucketAccelerateConfiguration", "s3:PutAccelerateConfiguration", s.PutBucketAccelerateConfiguration)
}

func (s *Service) handleObjects(a *awsapi.Service) {
	handle(s, a, "PutObject", "s3:PutObject", s.PutObject)
	handle(s, a, "GetObject", "s3:GetObject", s.GetObject)
	handle(s, a, "HeadObject", "s3:GetObject", s.HeadObject)
	handle(s, a, "GetObjectAttributes", "s3:GetObject", s.GetObjectAttributes)
	handle(s, a, "DeleteObject", "s3:DeleteObject", s.DeleteObject)
	handle(s, a, "DeleteObjects", "", s.DeleteObjects)
	handle(s, a, "CopyObject", "s3:PutObject", s.CopyObject)
	handle(s, a, "ListObjects", "s3:ListBucket", s.ListObjects)
	handle(s, a, "ListObjectsV2", "s3:ListBucket", s.ListObjectsV2)
	handle(s, a, "ListObjectVersions", "s3:ListBucketVersions", s.ListObjectVersions)
	handle(s, a, "PutObjectTagging", "s3:PutObjectTagging", s.PutObjectTagging)
	handle(s, a, "GetObjectTagging", "s3:GetObjectTagging", s.GetObjectTagging)
	handle(s, a, "DeleteObjectTagging", "s3:DeleteObjectTagging", s.DeleteObjectTagging)
	handle(s, a, "PutObjectAcl", "s3:PutObjectAcl", s.PutObjectAcl)
	handle(s, a, "GetObjectAcl", "s3:GetObjectAcl", s.GetObjectAcl)
	handle(s, a, "CreateMultipartUpload", "s3:PutObject", s.CreateMultipartUpload)
	handle(s, a, "UploadPart", "s3:PutObject", s.UploadPart)
	handle(s, a, "UploadPartCopy", "s3:PutObject", s.UploadPartCopy)
	handle(s, a, "CompleteMultipartUpload", "s3:PutObject", s.CompleteMultipartUpload)
	handle(s, a, "AbortMultipartUpload", "s3:AbortMultipartUpload", s.AbortMultipartUpload)
	handle(s, a, "ListParts", "s3:ListMultipartUploadParts", s.ListParts)
	handle(s, a, "ListMultipartUploads", "s3:ListBucketMultipartUploads", s.ListMultipartUploads)
}

// Loops carry lifecycle rules out.
func (s *Service) Loops() []loop.Loop { return []loop.Loop{s.lifecycleLoop()} }

// versioned are the actions that have a name of their own for a version.
var versioned = map[string]string{
	"s3:GetObject": "s3:GetObjectVersion", "s3:DeleteObject": "s3:DeleteObjectVersion", "s3:GetObjectTagging": "s3:GetObjectVersionTagging",
	"s3:PutObjectTagging": "s3:PutObjectVersionTagging", "s3:DeleteObjectTagging": "s3:DeleteObjectVersionTagging",
	"s3:GetObjectAcl": "s3:GetObjectVersionAcl", "s3:PutObjectAcl": "s3:PutObjectVersionAcl",
}

// handle makes fn an operation of the API: with the caller's leave for action on
// the bucket and key of the input, and with the headers that every answer of a
// bucket has.
func handle[I, O any](s *Service, a *awsapi.Service, op, action string, fn func(context.Context, *I) (*O, error)) {
	awsapi.Handle(a, op, func(ctx context.Context, in *I) (*O, error) {
		if err := s.admit(ctx, op, action, in); err != nil {
			return nil, err
		}
		out, err := fn(context.WithValue(ctx, authorised{}, true), in)
		if errors.Is(err, &awsapi.Error{Code: "NoSuchKey"}) && (action == "s3:GetObject" || action == "s3:GetObjectTagging") {
			err = s.hideKey(ctx, in, err)
		}
		return out, err
	})
}

func (s *Service) admit(ctx context.Context, op, action string, in any) error {
	c := caller(ctx)
	name := member(in, "Bucket")
	if op == "ListBuckets" || op == "CreateBucket" {
		resource := Bucket{Scope: c.Scope, Name: name}
		if op == "ListBuckets" {
			resource.Name = "*"
		}
		return s.may(ctx, s.Store.Snapshot(), resource, action, "", nil)
	}
	r := s.Store.Snapshot()
	b, err := find(r, name)
	if err != nil {
		return err
	}
	awsapi.SetHeader(ctx, "X-Amz-Bucket-Region", b.Scope.Region)
	if err := s.rightRegion(ctx, op, b); err != nil {
		return err
	}
	if owner := member(in, "ExpectedBucketOwner"); owner != "" && owner != b.Scope.Account {
		return errDenied()
	}
	if action == "" { // asked for each object
		return nil
	}
	if id := member(in, "VersionId"); id != "" && versioned[action] != "" {
		action = versioned[action]
	}
	if err := s.may(ctx, r, b, action, member(in, "Key"), conditionKeys(in)); err != nil {
		return err
	}
	if member(in, "Tagging") != "" {
		return s.may(ctx, r, b, "s3:PutObjectTagging", member(in, "Key"), nil)
	}
	return nil
}

// conditionKeys are the members of an input that policies can ask about.
// Source: Service authorization reference, Condition keys for Amazon S3.
func conditionKeys(in any) map[string]string {
	keys := map[string]string{}
	for name, key := range map[string]string{
		"Prefix": "s3:prefix", "Delimiter": "s3:delimiter", "VersionId": "s3:versionid", "ACL": "s3:x-amz-acl",
		"ServerSideEncryption": "s3:x-amz-server-side-encryption", "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
		"StorageClass": "s3:x-amz-storage-class", "CopySource": "s3:x-amz-copy-source", "MetadataDirective": "s3:x-amz-metadata-directive",
	} {
		if v := member(in, name); v != "" {
			keys[key] = v
		}
	}
	if f := reflect.Indirect(reflect.ValueOf(in)).FieldByName("MaxKeys"); f.IsValid() && !f.IsNil() {
		keys["s3:max-keys"] = decimal(f.Elem().Int())
	}
	return keys
}

// rightRegion answers a request that was signed for another region than the
// bucket's, so that clients can go on as on AWS: they read the region and try
// again.
func (s *Service) rightRegion(ctx context.Context, op string, b Bucket) error {
	region := caller(ctx).Region
	switch {
	case region == b.Scope.Region, op == "GetBucketLocation", region == "", caller(ctx).ARN == "", s.AnyAuth: // a URL signed in version 2 names none
		return nil
	case op == "HeadBucket":
		return fault(http.StatusMovedPermanently, "PermanentRedirect", "Moved Permanently")
	}
	return fault(400, "AuthorizationHeaderMalformed", "The authorization header is malformed; the region '"+region+"' is wrong; expecting '"+b.Scope.Region+"'", "Region", b.Scope.Region)
}

// hideKey answers that access is denied instead of that a key is not there to
// who may not list the bucket.
func (s *Service) hideKey(ctx context.Context, in any, notThere error) error {
	r := s.Store.Snapshot()
	b, err := find(r, member(in, "Bucket"))
	if err != nil {
		return err
	}
	if err := s.may(ctx, r, b, "s3:ListBucket", "", nil); err != nil {
		return err
	}
	return notThere
}
