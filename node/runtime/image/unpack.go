package image

import (
	"context"
	"fmt"
	"slices"

	"github.com/containerd/containerd/v2/core/diff/apply"
	"github.com/containerd/containerd/v2/pkg/rootfs"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// parallelFetches is how many layers of one image are fetched at once.
const parallelFetches = 4

// unpack makes a snapshot of each layer on the ones below it. Layers whose
// snapshot exists are not fetched; the others are fetched side by side and
// applied in order, each once for all images that begin with the same
// layers. What has been applied is not kept in its packed form.
func (s *Store) unpack(ctx context.Context, src source, layers []ocispec.Descriptor, diffs []digest.Digest) error {
	first := 0 // the first layer without a snapshot
	for i := range slices.Backward(diffs) {
		if _, err := s.snaps.Stat(within(ctx), chainID(diffs, i)); err == nil {
			first = i + 1
			break
		}
	}
	for _, l := range layers[first:] {
		s.hold(l.Digest)
		defer s.release(ctx, l)
	}
	fetched := make([]chan struct{}, len(layers))
	g, ctx := errgroup.WithContext(ctx)
	fetches := make(chan struct{}, parallelFetches)
	for i := first; i < len(layers); i++ {
		fetched[i] = make(chan struct{})
	}
	g.Go(func() error {
		for i := first; i < len(layers); i++ {
			select {
			case fetches <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			g.Go(func() error {
				defer func() { <-fetches }()
				if err := s.fetchBlob(ctx, src, layers[i]); err != nil {
					return err
				}
				close(fetched[i])
				return nil
			})
		}
		return nil
	})
	g.Go(func() error {
		for i := first; i < len(layers); i++ {
			select {
			case <-fetched[i]:
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := s.applyLayer(ctx, layers[i], diffs, i); err != nil {
				return fmt.Errorf("failed to extract layer %s: %w", diffs[i], err)
			}
		}
		return nil
	})
	return g.Wait()
}

// chainID names the snapshot of layer i on those below it.
func chainID(diffs []digest.Digest, i int) string {
	return identity.ChainID(slices.Clone(diffs[:i+1])).String()
}

// applyLayer unpacks layer i; its blob and the snapshot below are there.
// containerd checks the digest of what it unpacked.
func (s *Store) applyLayer(ctx context.Context, blob ocispec.Descriptor, diffs []digest.Digest, i int) error {
	_, err := shared(ctx, s, "apply "+chainID(diffs, i), func(ctx context.Context) (struct{}, error) {
		layer := rootfs.Layer{
			Diff: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: diffs[i]},
			Blob: blob,
		}
		_, err := rootfs.ApplyLayer(within(ctx), layer, slices.Clone(diffs[:i]), s.snaps, apply.NewFileSystemApplier(s.blobs))
		if errdefs.IsAlreadyExists(err) {
			err = nil
		}
		return struct{}{}, err
	})
	return err
}

// hold keeps a packed layer as long as some pull still has to unpack it.
func (s *Store) hold(d digest.Digest) {
	s.heldMu.Lock()
	defer s.heldMu.Unlock()
	if s.held == nil {
		s.held = map[digest.Digest]int{}
	}
	s.held[d]++
}

func (s *Store) release(ctx context.Context, l ocispec.Descriptor) {
	s.heldMu.Lock()
	defer s.heldMu.Unlock()
	if s.held[l.Digest]--; s.held[l.Digest] > 0 {
		return
	}
	delete(s.held, l.Digest)
	if err := s.dropBlob(context.WithoutCancel(ctx), l); err != nil {
		s.log.Warn("a packed layer stays behind", "err", err)
	}
}
