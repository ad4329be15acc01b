package iam

import (
	"context"
	"slices"

	api "github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

const keysPerUser = 2

// CreateAccessKey makes a key of a user, or of the caller when no name is
// given. The secret is told this once.
func (s *Service) CreateAccessKey(ctx context.Context, in *api.CreateAccessKeyInput) (*api.CreateAccessKeyOutput, error) {
	k := NewKey("AKIA")
	k.Created = now()
	err := s.store.Update(func(tx *store.Tx) error {
		p, err := keyHolder(ctx, tx, in.UserName)
		if err != nil {
			return err
		}
		if len(keysOf(tx, p)) >= keysPerUser {
			return quota("AccessKeysPerUser", keysPerUser)
		}
		k.Account, k.User, k.ARN, k.UserID = p.Account, p.Name, p.ARN(), p.ID
		Keys.Put(tx, k)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateAccessKeyOutput{AccessKey: &api.AccessKey{
		UserName: &k.User, AccessKeyId: &k.ID, Status: api.StatusTypeActive, SecretAccessKey: &k.Secret, CreateDate: &k.Created,
	}}, nil
}

// ListAccessKeys lists the keys of a user without their secrets.
func (s *Service) ListAccessKeys(ctx context.Context, in *api.ListAccessKeysInput) (*api.ListAccessKeysOutput, error) {
	snap := s.store.Snapshot()
	p, err := keyHolder(ctx, snap, in.UserName)
	if err != nil {
		return nil, err
	}
	found, next, err := page(keysOf(snap, p), Keys.Key, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &api.ListAccessKeysOutput{AccessKeyMetadata: []api.AccessKeyMetadata{}, Marker: next, IsTruncated: new(next != nil)}
	for _, k := range found {
		out.AccessKeyMetadata = append(out.AccessKeyMetadata, api.AccessKeyMetadata{UserName: &k.User, AccessKeyId: &k.ID, Status: status(k), CreateDate: &k.Created})
	}
	return out, nil
}

// DeleteAccessKey deletes a key; requests signed with it fail from now on.
func (s *Service) DeleteAccessKey(ctx context.Context, in *api.DeleteAccessKeyInput) (*api.DeleteAccessKeyOutput, error) {
	return nil, s.withKey(ctx, in.UserName, *in.AccessKeyId, func(tx *store.Tx, k Key) { Keys.Delete(tx, Keys.Key(k)) })
}

// UpdateAccessKey switches a key on or off.
func (s *Service) UpdateAccessKey(ctx context.Context, in *api.UpdateAccessKeyInput) (*api.UpdateAccessKeyOutput, error) {
	return nil, s.withKey(ctx, in.UserName, *in.AccessKeyId, func(tx *store.Tx, k Key) {
		k.Disabled = in.Status != api.StatusTypeActive
		Keys.Put(tx, k)
	})
}

func (s *Service) withKey(ctx context.Context, user *string, keyID string, fn func(*store.Tx, Key)) error {
	return s.store.Update(func(tx *store.Tx) error {
		p, err := keyHolder(ctx, tx, user)
		if err != nil {
			return err
		}
		keys := keysOf(tx, p)
		i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == keyID })
		if i < 0 {
			return noSuchKey(keyID)
		}
		fn(tx, keys[i])
		return nil
	})
}

func keysOf(r store.Reader, p Principal) []Key {
	return slices.Collect(Keys.By(r, "user", Principals.Key(p)))
}

// keyHolder is the named user, or the calling one.
func keyHolder(ctx context.Context, r store.Reader, name *string) (Principal, error) {
	if name != nil {
		return principal(r, account(ctx), User, *name)
	}
	a, err := arn.Parse(awsapi.CallerOf(ctx).ARN)
	if err != nil || a.Resource == "root" {
		return Principal{}, validation("Must specify userName when calling with non-User credentials")
	}
	return principal(r, account(ctx), User, a.Name())
}

func status(k Key) api.StatusType {
	if k.Disabled {
		return api.StatusTypeInactive
	}
	return api.StatusTypeActive
}
