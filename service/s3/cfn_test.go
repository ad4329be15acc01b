package s3

import (
	"context"
	"errors"
	"strings"
	"testing"

	api "github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
)

func stack(ctx context.Context, token string) context.Context {
	ctx = awsapi.WithCaller(ctx, awsapi.Caller{Scope: arn.Scope{Account: own, Region: "eu-west-1"}, ARN: "arn:aws:iam::" + own + ":root"})
	return awsapi.WithToken(cfn.With(ctx, cfn.Request{
		StackID: "stack", StackName: "CDKToolkit", LogicalID: "Staging", Token: token,
		Tags: map[string]string{cfn.TagStackID: "stack", cfn.TagStackName: "CDKToolkit", cfn.TagLogicalID: "Staging"},
	}), token)
}

// staging is the bucket that cdk bootstrap makes.
func staging(more map[string]any) map[string]any {
	p := map[string]any{
		"BucketName":              "cdk-hnb659fds-assets-123456789012-eu-west-1",
		"BucketEncryption":        map[string]any{"ServerSideEncryptionConfiguration": []any{map[string]any{"ServerSideEncryptionByDefault": map[string]any{"SSEAlgorithm": "AES256"}}}},
		"VersioningConfiguration": map[string]any{"Status": "Enabled"},
		"PublicAccessBlockConfiguration": map[string]any{
			"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
		},
		"LifecycleConfiguration": map[string]any{"Rules": []any{
			map[string]any{"Id": "CleanupOldVersions", "Status": "Enabled", "NoncurrentVersionExpiration": map[string]any{"NoncurrentDays": 365}},
			map[string]any{"Id": "AbortIncompleteMultipartUploads", "Status": "Enabled", "AbortIncompleteMultipartUpload": map[string]any{"DaysAfterInitiation": 1}},
		}},
	}
	for k, v := range more {
		p[k] = v
	}
	return p
}

func TestABucketOfAStack(t *testing.T) {
	w := newWorld(t)
	typ := w.s3.Resources()[0]
	props := staging(map[string]any{"Tags": []any{map[string]any{"Key": "team", "Value": "a"}}})
	in, err := typ.Create(stack(t.Context(), "1"), props)
	if err != nil {
		t.Fatal(err)
	}
	again, err := typ.Create(stack(t.Context(), "1"), props)
	if err != nil || again.ID != in.ID || string(again.State) != string(in.State) {
		t.Errorf("after a crash: %+v %v", again, err)
	}
	for name, want := range map[string]string{
		"Arn": "arn:aws:s3:::" + in.ID, "DomainName": in.ID + ".s3.amazonaws.com", "RegionalDomainName": in.ID + ".s3.eu-west-1.amazonaws.com",
	} {
		if got, _ := typ.Attribute(in, name); got != want {
			t.Errorf("%s is %v, want %s", name, got, want)
		}
	}
	read, err := typ.Read(stack(t.Context(), "2"), in)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := typ.Drift(props, read, nil); err != nil || len(d.Differences) > 0 {
		t.Errorf("drift at once: %+v %v", d.Differences, err)
	}
	if _, err := w.s3.PutBucketVersioning(stack(t.Context(), ""), &api.PutBucketVersioningInput{
		Bucket: &in.ID, VersioningConfiguration: &api.VersioningConfiguration{Status: "Suspended"},
	}); err != nil {
		t.Fatal(err)
	}
	read, _ = typ.Read(stack(t.Context(), "2"), in)
	if d, err := typ.Drift(props, read, nil); err != nil || len(d.Differences) != 1 || d.Differences[0].Path != "/VersioningConfiguration/Status" {
		t.Errorf("drift of versioning: %+v %v", d.Differences, err)
	}
	delete(props, "LifecycleConfiguration")
	if in, err = typ.Update(stack(t.Context(), "3"), in, props); err != nil {
		t.Fatal(err)
	}
	if b, err := find(w.store.Snapshot(), in.ID); err != nil || len(b.Lifecycle) > 0 || b.Versioning != "Enabled" || b.Tags["team"] != "a" || b.Tags[cfn.TagStackID] != "stack" {
		t.Errorf("%+v %v", b, err)
	}

	if _, err := w.s3.PutObject(stack(t.Context(), ""), putInput(in.ID, "k", "v")); err != nil {
		t.Fatal(err)
	}
	if err := typ.Delete(stack(t.Context(), "4"), in); codeOf(err) != "BucketNotEmpty" {
		t.Errorf("delete with an object: %v", err)
	}
}

func TestBucketsThatAStackCannotMake(t *testing.T) {
	w := newWorld(t)
	w.bucket("taken-by-hand")
	typ := w.s3.Resources()[0]
	for name, c := range map[string]struct {
		more map[string]any
		want string
	}{
		"somebody's":   {map[string]any{"BucketName": "taken-by-hand"}, "BucketAlreadyOwnedByYou"},
		"a bad name":   {map[string]any{"BucketName": "No_Name"}, "InvalidBucketName"},
		"a bad rule":   {map[string]any{"LifecycleConfiguration": map[string]any{"Rules": []any{map[string]any{"Status": "Enabled"}}}}, "InvalidRequest"},
		"a website":    {map[string]any{"WebsiteConfiguration": map[string]any{"IndexDocument": "i"}}, "NotImplemented"},
		"a public ACL": {map[string]any{"AccessControl": "PublicRead"}, "AccessControlListNotSupported"},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := typ.Create(stack(t.Context(), name), staging(c.more))
			if codeOf(err) != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
			if in.ID != "" && in.ID != "taken-by-hand" {
				t.Errorf("made %s", in.ID)
			}
		})
	}
	for b := range Buckets.List(w.store.Snapshot(), "") {
		if b.Name != "taken-by-hand" {
			t.Errorf("%s was made", b.Name)
		}
	}
	in, err := typ.Create(stack(t.Context(), "unnamed"), map[string]any{})
	if err != nil || !strings.HasPrefix(in.ID, "cdktoolkit-staging-") {
		t.Errorf("unnamed: %+v %v", in, err)
	}
}

func TestABucketPolicyOfAStack(t *testing.T) {
	w := newWorld(t)
	ctx := stack(t.Context(), "1")
	bucket, err := w.s3.Resources()[0].Create(ctx, staging(nil))
	if err != nil {
		t.Fatal(err)
	}
	typ := w.s3.Resources()[1]
	policy := func(action string) map[string]any {
		return map[string]any{"Bucket": bucket.ID, "PolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Sid": "AllowSSLRequestsOnly", "Effect": "Deny", "Principal": "*", "Action": action,
			"Resource": []any{"arn:aws:s3:::" + bucket.ID, "arn:aws:s3:::" + bucket.ID + "/*"}, "Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
		}}}}
	}
	var in cfn.Instance
	for range 2 {
		if in, err = typ.Create(ctx, policy("s3:*")); err != nil || in.ID != bucket.ID {
			t.Fatalf("%+v %v", in, err)
		}
	}
	if _, err := typ.Create(ctx, policy("s3:GetObject")); codeOf(err) != "AlreadyExists" {
		t.Errorf("a second policy: %v", err)
	}
	if in, err = typ.Update(ctx, in, policy("s3:GetObject")); err != nil {
		t.Fatal(err)
	}
	read, err := typ.Read(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := typ.Drift(policy("s3:GetObject"), read, nil); err != nil || len(d.Differences) > 0 {
		t.Errorf("drift: %+v %v", d.Differences, err)
	}
	for range 2 {
		if err := typ.Delete(ctx, in); err != nil {
			t.Error(err)
		}
	}
	if _, err := typ.Read(ctx, in); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after deletion: %v", err)
	}
}

func TestFetch(t *testing.T) {
	w := newWorld(t)
	w.bucket("templates")
	w.put("templates", "dir/a.json", "{}")
	root := awsapi.WithCaller(t.Context(), awsapi.Caller{Scope: arn.Scope{Account: own, Region: "us-east-1"}, ARN: "arn:aws:iam::" + own + ":root"})
	for address, code := range map[string]string{
		"https://templates.s3.us-east-1.amazonaws.com/dir/a.json":            "",
		"https://templates.s3.amazonaws.com/dir/a.json":                      "",
		"https://s3.us-east-1.amazonaws.com/templates/dir/a.json":            "",
		"https://s3-us-west-2.amazonaws.com/templates/dir/a.json":            "",
		"https://s3.amazonaws.com/templates/dir/a.json?versionId=null":       "",
		"http://127.0.0.1:4566/templates/dir/a.json":                         "",
		"http://templates.s3.localhost:4566/dir/a.json?X-Amz-Signature=abcd": "",
		"s3://templates/dir/a.json":                                          "",
		"https://s3.amazonaws.com/templates/dir/b.json":                      "NoSuchKey",
		"https://s3.amazonaws.com/nobodys/dir/b.json":                        "NoSuchBucket",
		"https://example.com/templates/a.json":                               "ValidationError",
		"file:///etc/passwd":                                                 "ValidationError",
		"https://s3.amazonaws.com/templates":                                 "ValidationError",
		"%":                                                                  "ValidationError",
	} {
		got, err := w.s3.Fetch(root, address, 2)
		if e, ok := errors.AsType[*awsapi.Error](err); ok != (code != "") || ok && e.Code != code || !ok && string(got) != "{}" {
			t.Errorf("%s: %q, %v, want %q", address, got, err, code)
		}
	}
	if _, err := w.s3.Fetch(root, "s3://templates/dir/a.json", 1); err == nil || !strings.Contains(err.Error(), "has 2 bytes, more than 1") {
		t.Error(err)
	}
	stranger := awsapi.WithCaller(t.Context(), awsapi.Caller{Scope: arn.Scope{Account: foreign, Region: "us-east-1"}, ARN: "arn:aws:iam::" + foreign + ":root"})
	if _, err := w.s3.Fetch(stranger, "s3://templates/dir/a.json", 2); codeOf(err) != "AccessDenied" {
		t.Errorf("another account reads it: %v", err)
	}
}
