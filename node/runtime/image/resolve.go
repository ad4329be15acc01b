package image

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/platforms"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// resolve asks the registry what ref is now, and picks this platform's
// manifest when it is an index.
func (s *Store) resolve(ctx context.Context, src source, ref name.Reference) (ocispec.Descriptor, ocispec.Manifest, error) {
	var manifest ocispec.Manifest
	desc, raw, err := s.fetchManifest(ctx, src, ref)
	for range 2 { // an index may name an index, once
		if err != nil {
			return desc, manifest, err
		}
		if !types.MediaType(desc.MediaType).IsIndex() {
			if !types.MediaType(desc.MediaType).IsImage() {
				return desc, manifest, fmt.Errorf("media type %q is not an image", desc.MediaType)
			}
			if err := json.Unmarshal(raw, &manifest); err != nil {
				return desc, manifest, fmt.Errorf("read manifest %s: %w", desc.Digest, err)
			}
			return desc, manifest, nil
		}
		desc, err = choose(raw)
		if err != nil {
			return desc, manifest, err
		}
		raw, err = s.manifest(ctx, src, desc)
	}
	return desc, manifest, fmt.Errorf("index %s names only indexes", desc.Digest)
}

// fetchManifest reads the manifest or index behind ref from the registry.
func (s *Store) fetchManifest(ctx context.Context, src source, ref name.Reference) (ocispec.Descriptor, []byte, error) {
	got, err := attempt(ctx, func() (ocispec.Descriptor, []byte, error) {
		d, err := src.puller.Get(ctx, ref)
		if err != nil {
			return ocispec.Descriptor{}, nil, err
		}
		return ocispec.Descriptor{
			MediaType: string(d.MediaType),
			Digest:    digest.Digest(d.Digest.String()),
			Size:      int64(len(d.Manifest)),
		}, d.Manifest, nil
	})
	if err != nil {
		return ocispec.Descriptor{}, nil, err
	}
	if sum := digest.FromBytes(got.raw); sum != got.desc.Digest {
		return got.desc, nil, fmt.Errorf("manifest has digest %s, not %s", sum, got.desc.Digest)
	}
	return got.desc, got.raw, s.keepDocument(ctx, got.desc, got.raw)
}

// choose picks the manifest for this machine from an index.
func choose(raw []byte) (ocispec.Descriptor, error) {
	var index ocispec.Index
	if err := json.Unmarshal(raw, &index); err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("read index: %w", err)
	}
	match := platforms.Only(platforms.DefaultSpec())
	var best *ocispec.Descriptor
	for _, d := range index.Manifests {
		if d.Platform == nil || !match.Match(*d.Platform) {
			continue
		}
		if best == nil || match.Less(*d.Platform, *best.Platform) {
			best = new(d)
		}
	}
	if best == nil {
		return ocispec.Descriptor{}, errPlatform
	}
	if err := best.Digest.Validate(); err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("read index: %w", err)
	}
	return *best, nil
}

// checkPlatform refuses an image made for another kind of machine. Builders
// that leave the fields empty mean this one.
func checkPlatform(p ocispec.Platform) error {
	if p.OS == "" && p.Architecture == "" {
		return nil
	}
	if !platforms.Only(platforms.DefaultSpec()).Match(platforms.Normalize(p)) {
		return errPlatform
	}
	return nil
}

// manifest reads a manifest known by digest, from the content store if it can.
func (s *Store) manifest(ctx context.Context, src source, desc ocispec.Descriptor) ([]byte, error) {
	if raw, err := content.ReadBlob(within(ctx), s.blobs, desc); err == nil {
		return raw, nil
	}
	_, raw, err := s.fetchManifest(ctx, src, src.repo.Digest(desc.Digest.String()))
	return raw, err
}
