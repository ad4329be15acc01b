// Package ecr is Amazon ECR: repositories, images and the registry that
// docker, skopeo, crane and the agent push to and pull from.
//
// The JSON API and the registry protocol (/v2/) are two doors to the same
// rows: both go through the same functions. Bytes live in package registry;
// rows name them by digest. A row is written after its bytes are durable, and
// bytes are removed only when no row names them, so that every image that has
// a row can be pulled whole.
package ecr

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/ecr/registry"
)

// Config of a Service.
type Config struct {
	Store *store.Store
	Log   *slog.Logger // default: slog.Default()
	// Dir holds the blobs and the key that signs authorization tokens.
	Dir string
	// Host is how clients on this machine name the registry, without a
	// scheme; default "localhost:4566".
	Host string
	// DefaultScope is the account and region whose repositories are named
	// without a prefix.
	DefaultScope arn.Scope
	// AnyAuth takes registry requests with any credentials or none, of every
	// account: for other people's test suites.
	AnyAuth bool
	Now     func() time.Time // default time.Now
}

// Service implements the operations of ECR.
type Service struct {
	store  *store.Store
	log    *slog.Logger
	blobs  *registry.Blobs
	host   string
	scope  arn.Scope
	open   bool // Config.AnyAuth
	secret []byte
	now    func() time.Time
}

// New opens the registry's storage.
func New(cfg Config) (*Service, error) {
	s := &Service{store: cfg.Store, log: cfg.Log, host: cfg.Host, scope: cfg.DefaultScope, open: cfg.AnyAuth, now: cfg.Now}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.host == "" {
		s.host = "localhost:4566"
	}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	if s.blobs, err = registry.Open(registry.Config{Dir: cfg.Dir, Log: s.log, Now: s.now}); err != nil {
		return nil, err
	}
	if s.secret, err = secret(filepath.Join(cfg.Dir, "token.key")); err != nil {
		return nil, fmt.Errorf("read the registry's signing key: %w", err)
	}
	return s, nil
}

// secret reads the signing key, or makes one at the first start.
func secret(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if err == nil && len(key) == 32 {
		return key, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key = make([]byte, 32)
	rand.Read(key)
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, key, 0o600); err != nil {
		return nil, err
	}
	return key, os.Rename(tmp, path)
}

// time is now with the precision that rows and answers have.
func (s *Service) time() time.Time { return s.now().UTC().Truncate(time.Millisecond) }

// scopeOf is where a request with an optional registry id acts: the caller's
// region, in the caller's account. Another account's registry is denied until
// repository policies are evaluated.
func scopeOf(ctx context.Context, registryID *string) (arn.Scope, error) {
	c := awsapi.CallerOf(ctx)
	if registryID != nil && *registryID != "" && *registryID != c.Account {
		return arn.Scope{}, errForeignRegistry(c.ARN, *registryID)
	}
	return c.Scope, nil
}

func val[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
