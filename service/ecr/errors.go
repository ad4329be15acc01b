package ecr

import (
	"fmt"
	"strings"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

func errRepositoryNotFound(scope arn.Scope, name string) error {
	return awsapi.Errorf("RepositoryNotFoundException", 400,
		"The repository with name '%s' does not exist in the registry with id '%s'", name, scope.Account)
}

func errRepositoryExists(scope arn.Scope, name string) error {
	return awsapi.Errorf("RepositoryAlreadyExistsException", 400,
		"The repository with name '%s' already exists in the registry with id '%s'", name, scope.Account)
}

func errRepositoryNotEmpty(scope arn.Scope, name string) error {
	return awsapi.Errorf("RepositoryNotEmptyException", 400,
		"The repository with name '%s' in registry with id '%s' cannot be deleted because it still contains images", name, scope.Account)
}

func errForeignRegistry(caller, registry string) error {
	return awsapi.Errorf("AccessDeniedException", 400,
		"User: %s is not authorized to access the registry with id '%s' because no resource-based policy allows it", caller, registry)
}

func errInvalid(format string, args ...any) error {
	return awsapi.Errorf("InvalidParameterException", 400, "Invalid parameter at %s", fmt.Sprintf(format, args...))
}

// quote renders an optional member of an image id as AWS does: 'null' for none.
func quote(p *string) string {
	if p == nil {
		return "'null'"
	}
	return "'" + *p + "'"
}

func errImageNotFound(scope arn.Scope, name string, digest, tag *string) error {
	return awsapi.Errorf("ImageNotFoundException", 400,
		"The image with imageId {imageDigest:%s, imageTag:%s} does not exist within the repository with name '%s' in the registry with id '%s'",
		quote(digest), quote(tag), name, scope.Account)
}

func errImageExists(scope arn.Scope, name, digest, tag string) error {
	return awsapi.Errorf("ImageAlreadyExistsException", 400,
		"Image with digest '%s' and tag '%s' already exists in the repository with name '%s' in registry with id '%s'", digest, tag, name, scope.Account)
}

func errTagImmutable(name, tag string) error {
	return awsapi.Errorf("ImageTagAlreadyExistsException", 400,
		"The image tag '%s' already exists in the '%s' repository and cannot be overwritten because the tag is immutable.", tag, name)
}

func errLayersNotFound(scope arn.Scope, name string, digests []string) error {
	return awsapi.Errorf("LayersNotFoundException", 400,
		"Layers with digests '[%s]' required for pushing image into repository with name '%s' in the registry with id '%s' do not exist",
		strings.Join(digests, ", "), name, scope.Account)
}

func errReferencedImages(scope arn.Scope, name string, digests []string) error {
	return awsapi.Errorf("ReferencedImagesNotFoundException", 400,
		"Images with digests '[%s]' required for pushing image into repository with name '%s' in the registry with id '%s' do not exist",
		strings.Join(digests, ", "), name, scope.Account)
}

func errDigestMismatch(got, want string) error {
	return awsapi.Errorf("ImageDigestDoesNotMatchException", 400,
		"The provided image digest '%s' does not match the digest '%s' of the image manifest", got, want)
}

func errUploadNotFound(scope arn.Scope, name, id string) error {
	return awsapi.Errorf("UploadNotFoundException", 400,
		"Upload with id '%s' does not exist in the repository with name '%s' in the registry with id '%s'", id, name, scope.Account)
}

func errEmptyUpload(scope arn.Scope, name, id string) error {
	return awsapi.Errorf("EmptyUploadException", 400,
		"The upload with id '%s' in the repository with name '%s' in the registry with id '%s' has no parts", id, name, scope.Account)
}

func errInvalidLayer(digest string) error {
	return awsapi.Errorf("InvalidLayerException", 400, "The layer content does not match the digest '%s'", digest)
}

func errLayerExists(scope arn.Scope, name, digest string) error {
	return awsapi.Errorf("LayerAlreadyExistsException", 400,
		"The layer with digest '%s' already exists in the repository with name '%s' in registry with id '%s'", digest, name, scope.Account)
}

func errLayerInaccessible(scope arn.Scope, name, digest string) error {
	return awsapi.Errorf("LayersNotFoundException", 400,
		"The layer with digest '%s' does not exist in the repository with name '%s' in the registry with id '%s'", digest, name, scope.Account)
}

func errInvalidPart(scope arn.Scope, name, id string, size int64) error {
	e := awsapi.Errorf("InvalidLayerPartException", 400,
		"The layer part does not begin after the last byte received: %d", size-1)
	e.Fields = map[string]any{
		"registryId": scope.Account, "repositoryName": name, "uploadId": id, "lastValidByteReceived": size - 1,
	}
	return e
}

func errNoPolicy(kind, code string, scope arn.Scope, name string) error {
	return awsapi.Errorf(code, 400,
		"%s policy does not exist for the repository with name '%s' in the registry with id '%s'", kind, name, scope.Account)
}
