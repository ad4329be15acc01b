package sts

import (
	"context"
	"strings"
	"time"

	api "github.com/slipway-dev/slipway/api/stsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/iam"
)

// AssumeRole gives out credentials of a role to whom its trust policy and his
// own policies let (iam.MayAssume). A role that does not exist is refused as AWS
// does, without saying so. Session policies are not implemented and refused:
// without them the session could do more than was asked for.
func (s *Service) AssumeRole(ctx context.Context, in *api.AssumeRoleInput) (*api.AssumeRoleOutput, error) {
	caller := awsapi.CallerOf(ctx)
	if in.Policy != nil || len(in.PolicyArns) > 0 {
		return nil, validation("Session policies are not implemented by this engine.")
	}
	hold := time.Hour
	if in.DurationSeconds != nil {
		hold = time.Duration(*in.DurationSeconds) * time.Second
	}
	out := &api.AssumeRoleOutput{SourceIdentity: in.SourceIdentity}
	err := s.store.Update(func(tx *store.Tx) error {
		role, ok := roleOf(tx, *in.RoleArn)
		if !ok {
			return notAuthorized(caller.ARN, *in.RoleArn)
		}
		if err := mayAssume(tx, caller, role, in); err != nil {
			return err
		}
		if hold > time.Duration(role.MaxSession)*time.Second {
			return validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
		}
		if hold > time.Hour && strings.Contains(caller.ARN, ":assumed-role/") {
			return validation("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
		}
		k := Issue(tx, role, *in.RoleSessionName, time.Now(), hold)
		out.Credentials = credentials(k)
		out.AssumedRoleUser = &api.AssumedRoleUser{AssumedRoleId: &k.UserID, Arn: &k.ARN}
		return nil
	})
	return out, err
}

// mayAssume asks the policies, also whether the session may have the tags and
// the source identity that it is given.
func mayAssume(r store.Reader, caller awsapi.Caller, role iam.Principal, in *api.AssumeRoleInput) error {
	actions := []string{"sts:AssumeRole"}
	if len(in.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if in.SourceIdentity != nil {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	keys := map[string]string{"sts:rolesessionname": *in.RoleSessionName}
	if in.ExternalId != nil {
		keys["sts:externalid"] = *in.ExternalId
	}
	if in.SourceIdentity != nil {
		keys["sts:sourceidentity"] = *in.SourceIdentity
	}
	for _, t := range in.Tags {
		keys["aws:requesttag/"+strings.ToLower(*t.Key)] = *t.Value
	}
	for _, action := range actions {
		err := iam.MayAssume(r, iam.Access{
			Caller: caller.ARN, Action: action, Resource: role.ARN(), Owner: role.Account, Region: caller.Region, Policy: role.Trust, Context: keys,
		})
		if err != nil {
			return awsapi.Errorf("AccessDenied", 403, "%s", err.Error())
		}
	}
	return nil
}

// roleOf finds a role by its whole ARN, path included.
func roleOf(r store.Reader, text string) (iam.Principal, bool) {
	a, err := arn.Parse(text)
	if err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "role/") {
		return iam.Principal{}, false
	}
	role, err := iam.GetRole(r, a.Account, a.Name())
	return role, err == nil && role.ARN() == text
}

// AssumeRoleWithWebIdentity is refused: there are no identity providers.
func (s *Service) AssumeRoleWithWebIdentity(_ context.Context, in *api.AssumeRoleWithWebIdentityInput) (*api.AssumeRoleWithWebIdentityOutput, error) {
	a, err := arn.Parse(*in.RoleArn)
	if err != nil {
		return nil, validation("Request ARN is invalid")
	}
	provider := "the token's issuer"
	if in.ProviderId != nil {
		provider = *in.ProviderId
	}
	return nil, awsapi.Errorf("InvalidIdentityToken", 0, "No OpenIDConnect provider found in your account %s for %s", a.Account, provider)
}
