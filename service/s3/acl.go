package s3

import (
	"context"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/s3api"
)

// cannedACLs are the access control lists that have a name.
// Source: Amazon S3 user guide, Canned ACL.
var cannedACLs = []string{"private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read", "bucket-owner-read", "bucket-owner-full-control", "log-delivery-write"}

const (
	allUsers      = "http://acs.amazonaws.com/groups/global/AllUsers"
	authenticated = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
	logDelivery   = "http://acs.amazonaws.com/groups/s3/LogDelivery"
)

// cannedACL checks the ACL that a request gives a bucket or one of its objects.
// Where the owner of the bucket owns everything (the default) there are no
// others.
func cannedACL(b Bucket, acl string, in any) (string, error) {
	if err := refuseUnserved(in); err != nil {
		return "", err
	}
	switch {
	case acl == "":
		return "", nil
	case !slices.Contains(cannedACLs, acl):
		return "", errArgument("x-amz-acl", acl, "")
	case acl == "aws-exec-read" || acl == "bucket-owner-read":
		return "", errLater("the canned ACL " + acl)
	case acl == "private" || acl == "bucket-owner-full-control":
		return "", nil
	case b.Ownership == "BucketOwnerEnforced":
		return "", fault(400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
	case public(acl) && b.PublicAccess != nil && b.PublicAccess.BlockACLs:
		return "", errDenied()
	}
	return acl, nil
}

func public(acl string) bool { return strings.HasPrefix(acl, "public-") || acl == "authenticated-read" }

// grants is an ACL in full.
func grants(account, acl string) []api.Grant {
	out := []api.Grant{{Grantee: &api.Grantee{ID: new(canonicalID(account)), Type: api.TypeCanonicalUser}, Permission: api.PermissionFullControl}}
	group := func(uri string, permissions ...api.Permission) {
		for _, p := range permissions {
			out = append(out, api.Grant{Grantee: &api.Grantee{URI: &uri, Type: api.TypeGroup}, Permission: p})
		}
	}
	switch acl {
	case "public-read":
		group(allUsers, api.PermissionRead)
	case "public-read-write":
		group(allUsers, api.PermissionRead, api.PermissionWrite)
	case "authenticated-read":
		group(authenticated, api.PermissionRead)
	case "log-delivery-write":
		group(logDelivery, api.PermissionWrite, api.PermissionReadAcp)
	}
	return out
}

// GetBucketAcl tells a bucket's ACL.
func (s *Service) GetBucketAcl(_ context.Context, in *api.GetBucketAclInput) (*api.GetBucketAclOutput, error) { //nolint:revive // AWS's name
	b, err := find(s.Store.Snapshot(), val(in.Bucket))
	if err != nil {
		return nil, err
	}
	return &api.GetBucketAclOutput{Owner: ownerOf(b.Scope.Account), Grants: grants(b.Scope.Account, b.ACL)}, nil
}

// GetObjectAcl tells an object's ACL.
func (s *Service) GetObjectAcl(ctx context.Context, in *api.GetObjectAclInput) (*api.GetObjectAclOutput, error) { //nolint:revive // AWS's name
	o, err := s.object(ctx, s.Store.Snapshot(), in.Bucket, in.Key, in.VersionId)
	if err != nil {
		return nil, err
	}
	return &api.GetObjectAclOutput{Owner: ownerOf(o.Scope.Account), Grants: grants(o.Scope.Account, o.ACL)}, nil
}

// PutBucketAcl sets a canned ACL.
func (s *Service) PutBucketAcl(_ context.Context, in *api.PutBucketAclInput) (*api.PutBucketAclOutput, error) { //nolint:revive // AWS's name
	return &api.PutBucketAclOutput{}, s.change(in.Bucket, func(b *Bucket) (err error) {
		b.ACL, err = givenACL(*b, string(in.ACL), in.AccessControlPolicy, in)
		return err
	})
}

// PutObjectAcl sets a canned ACL.
func (s *Service) PutObjectAcl(ctx context.Context, in *api.PutObjectAclInput) (*api.PutObjectAclOutput, error) { //nolint:revive // AWS's name
	_, err := s.changeObject(ctx, in.Bucket, in.Key, in.VersionId, func(b Bucket, o *Object) (err error) {
		o.ACL, err = givenACL(b, string(in.ACL), in.AccessControlPolicy, in)
		return err
	})
	return &api.PutObjectAclOutput{}, err
}

// givenACL is the canned ACL of a request that changes one: named, or written
// out in full. Others than the canned ones are refused.
func givenACL(b Bucket, acl string, full *api.AccessControlPolicy, in any) (string, error) {
	if full == nil {
		if acl == "" {
			return "", fault(400, "MissingSecurityHeader", "Your request was missing a required header")
		}
		return cannedACL(b, acl, in)
	}
	for _, name := range append([]string{"private"}, cannedACLs...) {
		if sameGrants(full.Grants, grants(b.Scope.Account, name)) {
			return cannedACL(b, name, in)
		}
	}
	if b.Ownership == "BucketOwnerEnforced" {
		return "", fault(400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
	}
	return "", errLater("access control lists other than the canned ones; use a bucket policy")
}

func sameGrants(a, b []api.Grant) bool {
	word := func(g api.Grant) string {
		if g.Grantee == nil {
			return ""
		}
		return val(g.Grantee.ID) + " " + val(g.Grantee.URI) + " " + string(g.Permission)
	}
	words := func(list []api.Grant) (out []string) {
		for _, g := range list {
			out = append(out, word(g))
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(words(a), words(b))
}
