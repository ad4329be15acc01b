// Package s3 is Amazon S3: buckets, and objects in versions.
//
// Bytes are blobs on disk (package blob), encrypted, written once; rows name
// them. A row is written after its bytes are durable, and a blob is removed when
// no row names it any more, at once or by the sweep at the next start. So a copy
// and the completion of an upload in parts move no bytes: they name the same
// blobs.
//
// Invariants. A bucket's name is unique over all accounts and regions. The
// versions of a key are rows of which the newest sorts first, and only that one
// may be a marker that hides the object. A blob named by a new row is named by
// another row in the same transaction, or was just written and is still held.
//
// Requests are authorised here, by the caller's policies and the bucket's, before
// an operation runs (api.go); who calls operations directly, as CloudFormation
// does, has done so himself.
package s3

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/seal"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/s3/blob"
)

// Config of a Service.
type Config struct {
	Store *store.Store
	Log   *slog.Logger // default: slog.Default()
	// Dir holds the blobs.
	Dir string
	// Keys encrypt them.
	Keys *seal.Keyring
	// AnyAuth lets everybody do everything: for other people's test suites.
	AnyAuth bool
	// Speed divides the days of lifecycle rules; 0 means 1.
	Speed float64
	// Key finds a key of KMS by id, alias or ARN and answers its ARN; nil knows
	// none but AWS's own.
	Key func(ctx context.Context, scope arn.Scope, id string) (string, error)
}

// Service implements the operations of S3.
type Service struct {
	Config
	blobs *blob.Store
}

// New opens the store of objects and removes what no row names.
func New(cfg Config) (*Service, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Speed <= 0 {
		cfg.Speed = 1
	}
	blobs, err := blob.Open(cfg.Dir, cfg.Keys)
	if err != nil {
		return nil, err
	}
	s := &Service{Config: cfg, blobs: blobs}
	if err := s.Sweep(); err != nil {
		return nil, err
	}
	return s, nil
}

// Sweep removes every blob that no row names.
func (s *Service) Sweep() error {
	n, err := s.blobs.Sweep(func(id string) bool { return named(s.Store.Snapshot(), id) })
	if err != nil {
		return fmt.Errorf("sweep the store of objects: %w", err)
	}
	if n > 0 {
		s.Log.Info("removed objects that no row names", "files", n)
	}
	return nil
}

// named says whether a row names a blob.
func named(r store.Reader, id string) bool {
	for range Objects.By(r, "blob", id) {
		return true
	}
	for range Parts.By(r, "blob", id) {
		return true
	}
	return false
}

// drop removes blobs whose rows are gone, as far as no other row names them.
// What fails is garbage until the next start.
func (s *Service) drop(ids []string) {
	snap := s.Store.Snapshot()
	for _, id := range ids {
		if named(snap, id) {
			continue
		}
		if err := s.blobs.Remove(id); err != nil {
			s.Log.Warn("an object's bytes were not removed", "blob", id, "err", err)
		}
	}
}

// now is the present as precise as S3 tells it.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// find is the bucket of that name, whosever it is.
func find(r store.Reader, name string) (Bucket, error) {
	for b := range Buckets.By(r, "name", name) {
		return b, nil
	}
	return Bucket{}, errNoSuchBucket(name)
}

// change changes a bucket's settings.
func (s *Service) change(name *string, fn func(b *Bucket) error) error {
	return s.Store.Update(func(tx *store.Tx) error {
		b, err := find(tx, val(name))
		if err != nil {
			return err
		}
		if err := fn(&b); err != nil {
			return err
		}
		Buckets.Put(tx, b)
		return nil
	})
}

// canonicalID is the id by which S3 knows an account: 64 hexadecimal digits.
func canonicalID(account string) string {
	sum := sha256.Sum256([]byte("canonical user " + account))
	return hex.EncodeToString(sum[:])
}

// random is n random bytes in hexadecimal digits.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func caller(ctx context.Context) awsapi.Caller { return awsapi.CallerOf(ctx) }
