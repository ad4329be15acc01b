package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// document reads a small blob into memory, fetching it if need be.
func (s *Store) document(ctx context.Context, src source, desc ocispec.Descriptor) ([]byte, error) {
	if desc.Size > maxDocument {
		return nil, fmt.Errorf("%s has %d bytes, more than a configuration may have", desc.Digest, desc.Size)
	}
	if err := s.fetchBlob(ctx, src, desc); err != nil {
		return nil, err
	}
	return content.ReadBlob(within(ctx), s.blobs, desc)
}

// keepDocument stores a manifest that is in memory.
func (s *Store) keepDocument(ctx context.Context, desc ocispec.Descriptor, raw []byte) error {
	if _, err := s.blobs.Info(within(ctx), desc.Digest); err == nil {
		return nil
	}
	_, err := shared(ctx, s, "blob "+desc.Digest.String(), func(ctx context.Context) (struct{}, error) {
		return struct{}{}, content.WriteBlob(within(ctx), s.blobs, desc.Digest.String(), bytes.NewReader(raw), desc)
	})
	return err
}

// fetchBlob brings a blob into the content store, which verifies its digest
// and size. Callers that want the same one share the transfer.
func (s *Store) fetchBlob(ctx context.Context, src source, desc ocispec.Descriptor) error {
	if err := desc.Digest.Validate(); err != nil {
		return fmt.Errorf("blob %q: %w", desc.Digest, err)
	}
	if _, err := s.blobs.Info(within(ctx), desc.Digest); err == nil {
		return nil
	}
	_, err := shared(ctx, s, "blob "+desc.Digest.String(), func(ctx context.Context) (struct{}, error) {
		_, err := attempt(ctx, func() (ocispec.Descriptor, []byte, error) {
			return desc, nil, s.transfer(within(ctx), src, desc)
		})
		return struct{}{}, err
	})
	return err
}

// transfer copies one blob from the registry.
func (s *Store) transfer(ctx context.Context, src source, desc ocispec.Descriptor) error {
	layer, err := src.puller.Layer(ctx, src.repo.Digest(desc.Digest.String()))
	if err != nil {
		return fmt.Errorf("failed to copy: %w", err)
	}
	r, err := layer.Compressed()
	if err != nil {
		return fmt.Errorf("failed to copy: %w", err)
	}
	defer r.Close()
	w, err := content.OpenWriter(ctx, s.blobs, content.WithRef(desc.Digest.String()), content.WithDescriptor(desc))
	if err != nil {
		if errdefs.IsAlreadyExists(err) {
			return nil
		}
		return fmt.Errorf("store blob: %w", err)
	}
	defer w.Close()
	if err := w.Truncate(0); err != nil { // of an earlier attempt
		return fmt.Errorf("store blob: %w", err)
	}
	n, err := io.Copy(w, io.LimitReader(r, desc.Size+1))
	if err != nil {
		return fmt.Errorf("failed to copy: %w", err)
	}
	if n != desc.Size {
		return fmt.Errorf("failed to copy: blob %s has %d bytes or more, not %d", desc.Digest, n, desc.Size)
	}
	if err := w.Commit(ctx, desc.Size, desc.Digest); err != nil && !errdefs.IsAlreadyExists(err) {
		return fmt.Errorf("failed to copy: %w", err)
	}
	return nil
}

// dropBlob deletes a blob that is needed no more.
func (s *Store) dropBlob(ctx context.Context, desc ocispec.Descriptor) error {
	err := s.blobs.Delete(within(ctx), desc.Digest)
	if err != nil && !errors.Is(err, errdefs.ErrNotFound) {
		return fmt.Errorf("drop blob %s: %w", desc.Digest, err)
	}
	return nil
}
