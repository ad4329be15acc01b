package appmesh

import (
	"errors"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

func invalid(format string, args ...any) error {
	return awsapi.Errorf("BadRequestException", 400, format, args...)
}

func conflict(format string, args ...any) error {
	return awsapi.Errorf("ConflictException", 409, format, args...)
}

func inUse(format string, args ...any) error {
	return awsapi.Errorf("ResourceInUseException", 409, format, args...)
}

func notFound(format string, args ...any) error {
	return awsapi.Errorf("NotFoundException", 404, format, args...)
}

func noMesh(sc arn.Scope, mesh string) error {
	return notFound("Mesh with name %s is not present for account %s", mesh, sc.Account)
}

// missing words a reference to nothing, as UpdateRoute does (observed).
func missing(word, name string) error {
	return notFound("%s with name %s is missing", word, name)
}

// notShared refuses the mesh of another account: AWS shares meshes through
// RAM, which is not here.
func notShared(mesh, owner string) error {
	return awsapi.Errorf("ForbiddenException", 403,
		"Mesh %s of account %s is not shared with this account: meshes are not shared between accounts by this engine; leave meshOwner out, or name your own account", mesh, owner)
}

func tooMany(format string, args ...any) error {
	return awsapi.Errorf("LimitExceededException", 400, format, args...)
}

// message is an error's text without its code.
func message(err error) string {
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		return e.Message
	}
	return err.Error()
}
