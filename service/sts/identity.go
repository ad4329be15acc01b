package sts

import (
	"context"
	"strings"
	"time"

	api "github.com/slipway-dev/slipway/api/stsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/iam"
)

// GetCallerIdentity tells whose credentials signed the request.
func (s *Service) GetCallerIdentity(ctx context.Context, _ *api.GetCallerIdentityInput) (*api.GetCallerIdentityOutput, error) {
	c := awsapi.CallerOf(ctx)
	return &api.GetCallerIdentityOutput{UserId: &c.UserID, Account: &c.Account, Arn: &c.ARN}, nil
}

// GetSessionToken gives out temporary credentials of the caller, who must be a
// user or the root: 12 hours unless asked otherwise, for the root one hour at
// most.
func (s *Service) GetSessionToken(ctx context.Context, in *api.GetSessionTokenInput) (*api.GetSessionTokenOutput, error) {
	c := awsapi.CallerOf(ctx)
	if strings.HasPrefix(c.AccessKey, "ASIA") {
		return nil, awsapi.Errorf("AccessDenied", 403, "Cannot call GetSessionToken with session credentials")
	}
	hold := 12 * time.Hour
	if in.DurationSeconds != nil {
		hold = time.Duration(*in.DurationSeconds) * time.Second
	}
	if strings.HasSuffix(c.ARN, ":root") {
		hold = min(hold, time.Hour)
	}
	k := newSession(time.Now(), hold)
	k.Account, k.ARN, k.UserID = c.Account, c.ARN, c.UserID
	err := s.store.Update(func(tx *store.Tx) error {
		iam.Keys.Put(tx, k)
		return nil
	})
	return &api.GetSessionTokenOutput{Credentials: credentials(k)}, err
}

// GetAccessKeyInfo tells the account of an access key.
func (s *Service) GetAccessKeyInfo(_ context.Context, in *api.GetAccessKeyInfoInput) (*api.GetAccessKeyInfoOutput, error) {
	for k := range iam.Keys.By(s.store.Snapshot(), "id", *in.AccessKeyId) {
		return &api.GetAccessKeyInfoOutput{Account: &k.Account}, nil
	}
	return nil, validation("1 validation error detected: Value '" + *in.AccessKeyId + "' at 'accessKeyId' failed to satisfy constraint: it is not an access key known here")
}
