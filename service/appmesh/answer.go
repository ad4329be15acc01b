package appmesh

import api "github.com/slipway-dev/slipway/api/appmeshapi"

// Statuses. A deletion answers with what was deleted.
const (
	active  = "ACTIVE"
	deleted = "DELETED"
)

func metadata[S any](r Resource[S]) *api.ResourceMetadata {
	return &api.ResourceMetadata{
		Arn: new(r.ARN()), CreatedAt: &r.Created, LastUpdatedAt: &r.Updated, Uid: &r.UID, Version: &r.Version,
		MeshOwner: &r.Scope.Account, ResourceOwner: &r.Scope.Account,
	}
}
