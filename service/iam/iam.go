// Package iam is AWS Identity and Access Management: roles, users and groups,
// their policies, instance profiles, and the access keys with which requests
// are signed.
//
// IAM has no regions, so its rows are keyed by account and the word "global".
// Names are told apart without regard to case, as AWS does. Policies are kept
// and checked for form; nothing is authorised by them yet.
//
// Invariants: a role, user or group that is attached to something cannot be
// deleted; a managed policy always has a default version; every access key row
// belongs to the root of its account, to a user, or to a session that ends.
package iam

import (
	"context"
	"log/slog"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Config is what the service needs.
type Config struct {
	Store *store.Store
	Log   *slog.Logger // nil: discard
}

// Service implements the IAM API.
type Service struct {
	store *store.Store
	log   *slog.Logger
}

// New makes the service.
func New(c Config) *Service {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{store: c.Store, log: c.Log}
}

// Tables are the rows of this service.
func Tables() []store.Schema { return []store.Schema{Principals, Policies, Profiles, Keys} }

// Loops is empty: nothing in IAM happens by itself.
func (s *Service) Loops() []loop.Loop { return nil }

// Resources are the CloudFormation types of this service.
func (s *Service) Resources() []cfn.Type {
	return []cfn.Type{
		cfn.Of[roleProperties]("AWS::IAM::Role", roleResource{s}),
		cfn.Of[inlineProperties]("AWS::IAM::Policy", inlineResource{s}),
		cfn.Of[managedProperties]("AWS::IAM::ManagedPolicy", managedResource{s}),
		cfn.Of[profileProperties]("AWS::IAM::InstanceProfile", profileResource{s}),
	}
}

// account is the account of the caller.
func account(ctx context.Context) string { return awsapi.CallerOf(ctx).Account }

// global is the scope of rows without a region.
func global(account string) arn.Scope { return arn.Scope{Account: account, Region: "global"} }
