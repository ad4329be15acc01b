// Package sts is the AWS Security Token Service: who am I, and temporary
// credentials for roles and sessions.
//
// Sessions are access keys of IAM that end: the rows are iam.Keys, so that the
// API endpoint verifies them like any other key. A loop deletes them one hour
// after their end; until then a request signed with one is told that its token
// has expired.
package sts

import (
	"context"
	"log/slog"
	"time"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/iam"
)

// Config is what the service needs.
type Config struct {
	Store *store.Store
	Log   *slog.Logger // nil: discard
}

// Service implements the STS API.
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

// Tables is empty: the rows are IAM's.
func Tables() []store.Schema { return nil }

// Resources is empty: CloudFormation has no types of STS.
func (s *Service) Resources() []cfn.Type { return nil }

// API is the service with the operations it implements.
func (s *Service) API() *awsapi.Service {
	a := awsapi.NewService("sts")
	awsapi.Handle(a, "GetCallerIdentity", s.GetCallerIdentity)
	awsapi.Handle(a, "AssumeRole", s.AssumeRole)
	awsapi.Handle(a, "AssumeRoleWithWebIdentity", s.AssumeRoleWithWebIdentity)
	awsapi.Handle(a, "GetSessionToken", s.GetSessionToken)
	awsapi.Handle(a, "GetAccessKeyInfo", s.GetAccessKeyInfo)
	return a
}

// Loops deletes sessions that ended.
func (s *Service) Loops() []loop.Loop {
	return []loop.Loop{{Name: "sts-sessions", List: s.sessions, Keys: s.touched, Reconcile: s.expire}}
}

// remembered is how long an ended session still answers ExpiredToken.
const remembered = time.Hour

func (s *Service) sessions(snap *store.Snapshot) []string {
	var keys []string
	for k := range iam.Keys.List(snap, "") {
		if !k.Expires.IsZero() {
			keys = append(keys, iam.Keys.Key(k))
		}
	}
	return keys
}

func (s *Service) touched(_ *store.Snapshot, c store.Change) []string {
	if c.Table != iam.Keys.Name() {
		return nil
	}
	return []string{c.Key}
}

// expire deletes the session under key when its time has come.
func (s *Service) expire(_ context.Context, key string) (time.Duration, error) {
	k, err := iam.Keys.Get(s.store.Snapshot(), key)
	if err != nil || k.Expires.IsZero() {
		return 0, nil
	}
	if left := time.Until(k.Expires.Add(remembered)); left > 0 {
		return left, nil
	}
	return 0, s.store.Update(func(tx *store.Tx) error {
		iam.Keys.Delete(tx, key)
		return nil
	})
}
