package image

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slipway-dev/slipway/node/runtime"
)

// pullTimeout bounds work that no caller waits for any more.
const pullTimeout = time.Hour

// maxDocument bounds manifests and configurations, which are held in memory.
const maxDocument = 8 << 20

// source is a repository seen through one transport.
type source struct {
	puller *remote.Puller
	repo   name.Repository
}

// Pull resolves ref now, fetches what is missing through via (nil: the
// default transport) and unpacks it. via should be the same value for the
// same vantage point: connections and tokens are kept by it.
//
// An error is a *PullError in Fargate's words.
func (s *Store) Pull(ctx context.Context, ref string, via http.RoundTripper) (runtime.Image, error) {
	named, err := name.ParseReference(ref, name.Insecure) // the engine's own registry, within one process
	if err != nil {
		return runtime.Image{}, &PullError{Ref: ref, Attempts: 1, Err: errInvalidReference}
	}
	puller, err := s.client(via)
	if err != nil {
		return runtime.Image{}, err
	}
	img, err := shared(ctx, s, fmt.Sprintf("pull %p %s", puller, named.Name()), func(ctx context.Context) (runtime.Image, error) {
		s.use.RLock()
		defer s.use.RUnlock()
		return s.pull(ctx, source{puller, named.Context()}, named)
	})
	if err != nil {
		if ctx.Err() != nil {
			return img, fmt.Errorf("pull %s: %w", ref, context.Cause(ctx))
		}
		return img, pullError(ref, named, err)
	}
	img.Ref = ref
	return img, nil
}

// shared runs work once for all who ask for the same key at the same time. It
// goes on when a caller leaves.
func shared[T any](ctx context.Context, s *Store, key string, work func(context.Context) (T, error)) (T, error) {
	done := s.flights.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(s.work, pullTimeout)
		defer cancel()
		return work(ctx)
	})
	select {
	case r := <-done:
		v, _ := r.Val.(T)
		return v, r.Err
	case <-ctx.Done():
		var zero T
		return zero, context.Cause(ctx)
	}
}

// client keeps one registry client for each transport.
func (s *Store) client(via http.RoundTripper) (*remote.Puller, error) {
	if via == nil {
		via = http.DefaultTransport
	}
	comparable := reflect.TypeOf(via).Comparable()
	if comparable {
		if p, ok := s.clients.Load(via); ok {
			return p.(*remote.Puller), nil
		}
	}
	p, err := remote.NewPuller(
		remote.WithTransport(via),
		remote.WithUserAgent("slipway"),
		// Repetition is ours: it counts for the error's text.
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
	)
	if err != nil {
		return nil, fmt.Errorf("make registry client: %w", err)
	}
	if comparable {
		kept, _ := s.clients.LoadOrStore(via, p)
		return kept.(*remote.Puller), nil
	}
	return p, nil
}

// pull is Pull without its sharing.
func (s *Store) pull(ctx context.Context, src source, ref name.Reference) (runtime.Image, error) {
	desc, manifest, err := s.resolve(ctx, src, ref)
	if err != nil {
		return runtime.Image{}, err
	}
	if img, ok := s.known(ctx, desc.Digest); ok {
		return img, nil
	}
	raw, err := s.document(ctx, src, manifest.Config)
	if err != nil {
		return runtime.Image{}, err
	}
	var config ocispec.Image
	if err := json.Unmarshal(raw, &config); err != nil {
		return runtime.Image{}, fmt.Errorf("read image configuration %s: %w", manifest.Config.Digest, err)
	}
	if err := checkPlatform(config.Platform); err != nil {
		return runtime.Image{}, err
	}
	if len(manifest.Layers) != len(config.RootFS.DiffIDs) {
		return runtime.Image{}, fmt.Errorf("number of layers and diffIDs don't match: %d != %d", len(manifest.Layers), len(config.RootFS.DiffIDs))
	}
	if err := s.unpack(ctx, src, manifest.Layers, config.RootFS.DiffIDs); err != nil {
		return runtime.Image{}, err
	}
	img := runtime.Image{
		Ref:    ref.Name(),
		Digest: desc.Digest.String(),
		Root:   identity.ChainID(config.RootFS.DiffIDs).String(),
		Config: config.Config,
	}
	for _, l := range manifest.Layers {
		img.Size += l.Size
	}
	return img, s.remember(img, []digest.Digest{desc.Digest, manifest.Config.Digest})
}
