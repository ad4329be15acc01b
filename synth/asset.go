package synth

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// What cdk bootstrap makes, under its usual qualifier. Source: the CDK's DefaultStackSynthesizer.
const (
	bootstrapBucket    = "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"
	bootstrapPublisher = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/cdk-hnb659fds-file-publishing-role-${AWS::AccountId}-${AWS::Region}"
	bootstrapParameter = "/cdk-bootstrap/hnb659fds/version"
	bootstrapVersion   = 6 // the lowest that has all of it
)

// templateAsset is a template that goes to CloudFormation by the bucket of cdk bootstrap, because it is too long for a request.
type templateAsset struct{ file, hash string }

// assetOf decides whether a template, as it is written to a file, has to be an asset. The CDK sends it in a request as YAML, which is what must not be longer than
// a request takes; a template that fits needs no bootstrap. Deployed is with the caller's own credentials in both cases, as with the CDK's
// CliCredentialsStackSynthesizer, so that a stack that grows beyond the limit stays whose it is.
func assetOf(file string, body []byte) (*templateAsset, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if yamlLength(v, 0) <= MaxInline {
		return nil, nil
	}
	sum := sha256.Sum256(body)
	return &templateAsset{file: file, hash: hex.EncodeToString(sum[:])}, nil
}

func (a *templateAsset) key() string { return a.hash + ".json" }

// manifest is the file that tells the CDK what to publish.
func (a *templateAsset) manifest(stack string) map[string]any {
	return map[string]any{
		"version": assemblyVersion,
		"files": map[string]any{a.hash: map[string]any{
			"displayName": stack + " Template",
			"source":      map[string]any{"path": a.file, "packaging": "file"},
			"destinations": map[string]any{"current_account-current_region": map[string]any{
				"bucketName": bootstrapBucket, "objectKey": a.key(), "assumeRoleArn": bootstrapPublisher,
			}},
		}},
		"dockerImages": map[string]any{},
	}
}

// artifact is the entry of that file in the assembly.
func (a *templateAsset) artifact(file string) map[string]any {
	return map[string]any{"type": "cdk:asset-manifest", "properties": map[string]any{
		"file": file, "requiresBootstrapStackVersion": bootstrapVersion, "bootstrapStackVersionSsmParameter": bootstrapParameter,
	}}
}

// refer makes a stack's artifact take its template from the bucket.
func (a *templateAsset) refer(artifact, properties map[string]any, assets string) {
	artifact["dependencies"] = []string{assets}
	properties["stackTemplateAssetObjectUrl"] = "s3://" + bootstrapBucket + "/" + a.key()
	properties["requiresBootstrapStackVersion"] = bootstrapVersion
	properties["bootstrapStackVersionSsmParameter"] = bootstrapParameter
}
