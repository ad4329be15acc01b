package ecr

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/slipway-dev/slipway/api/ecrapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/ecr/registry"
)

// partSize is what InitiateLayerUpload asks clients to send at once: 10 MiB, so
// that a part in base64 fits the largest request taken.
const partSize = 10 << 20

// downloadLife is how long a URL of GetDownloadUrlForLayer is good.
const downloadLife = time.Hour

// owner names a repository to the store of uploads.
func owner(r Repository) string { return r.Scope.Key(r.Name) }

// InitiateLayerUpload begins an upload.
func (s *Service) InitiateLayerUpload(ctx context.Context, in *ecrapi.InitiateLayerUploadInput) (*ecrapi.InitiateLayerUploadOutput, error) {
	repo, err := s.lookup(ctx, s.store.Snapshot(), in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	u, err := s.blobs.Begin(owner(repo))
	if err != nil {
		return nil, err
	}
	return &ecrapi.InitiateLayerUploadOutput{UploadId: new(u.ID), PartSize: new(int64(partSize))}, nil
}

// UploadLayerPart adds a part; parts come in order.
func (s *Service) UploadLayerPart(ctx context.Context, in *ecrapi.UploadLayerPartInput) (*ecrapi.UploadLayerPartOutput, error) {
	repo, err := s.lookup(ctx, s.store.Snapshot(), in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	id := val(in.UploadId)
	u, err := s.blobs.Upload(owner(repo), id)
	if err != nil {
		return nil, errUploadNotFound(repo.Scope, repo.Name, id)
	}
	if val(in.PartLastByte)-val(in.PartFirstByte)+1 != int64(len(in.LayerPartBlob)) {
		return nil, errInvalid("'partLastByte' failed to satisfy constraint: 'the range must have the length of the part'")
	}
	size, err := u.Append(val(in.PartFirstByte), bytes.NewReader(in.LayerPartBlob))
	switch {
	case errors.Is(err, registry.ErrOffset), errors.Is(err, registry.ErrBusy):
		return nil, errInvalidPart(repo.Scope, repo.Name, id, size)
	case err != nil:
		return nil, err
	}
	return &ecrapi.UploadLayerPartOutput{
		RegistryId: new(repo.Scope.Account), RepositoryName: new(repo.Name), UploadId: in.UploadId, LastByteReceived: new(size - 1),
	}, nil
}

// CompleteLayerUpload makes an upload a layer when its digest is right.
func (s *Service) CompleteLayerUpload(ctx context.Context, in *ecrapi.CompleteLayerUploadInput) (*ecrapi.CompleteLayerUploadOutput, error) {
	snap := s.store.Snapshot()
	repo, err := s.lookup(ctx, snap, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	id := val(in.UploadId)
	u, err := s.blobs.Upload(owner(repo), id)
	if err != nil {
		return nil, errUploadNotFound(repo.Scope, repo.Name, id)
	}
	if len(in.LayerDigests) != 1 {
		return nil, errInvalid("'layerDigests' failed to satisfy constraint: 'exactly one digest is taken'")
	}
	d, err := registry.ParseDigest(in.LayerDigests[0])
	if err != nil {
		return nil, errInvalidLayer(in.LayerDigests[0])
	}
	if u.Size() == 0 {
		return nil, errEmptyUpload(repo.Scope, repo.Name, id)
	}
	if _, err := Layers.Get(snap, repo.Scope.Key(repo.Name+"@"+string(d))); err == nil {
		u.Cancel()
		return nil, errLayerExists(repo.Scope, repo.Name, string(d))
	}
	if err = s.link(repo.Scope, repo.Name, u, d); errors.Is(err, registry.ErrDigest) {
		return nil, errInvalidLayer(string(d))
	}
	if err != nil {
		return nil, err
	}
	return &ecrapi.CompleteLayerUploadOutput{
		RegistryId: new(repo.Scope.Account), RepositoryName: new(repo.Name), UploadId: in.UploadId, LayerDigest: new(string(d)),
	}, nil
}

// BatchCheckLayerAvailability says which layers need no upload.
func (s *Service) BatchCheckLayerAvailability(ctx context.Context, in *ecrapi.BatchCheckLayerAvailabilityInput) (*ecrapi.BatchCheckLayerAvailabilityOutput, error) {
	repo, err := s.lookup(ctx, s.store.Snapshot(), in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	out := &ecrapi.BatchCheckLayerAvailabilityOutput{Layers: []ecrapi.Layer{}, Failures: []ecrapi.LayerFailure{}}
	for _, text := range in.LayerDigests {
		d, err := registry.ParseDigest(text)
		if err != nil {
			out.Failures = append(out.Failures, ecrapi.LayerFailure{
				LayerDigest: new(text), FailureCode: ecrapi.LayerFailureCodeInvalidLayerDigest, FailureReason: new("Invalid layer digest: " + text),
			})
			continue
		}
		l, err := s.layer(repo, d)
		if err != nil {
			out.Layers = append(out.Layers, ecrapi.Layer{LayerDigest: new(text), LayerAvailability: ecrapi.LayerAvailabilityUnavailable})
			continue
		}
		out.Layers = append(out.Layers, ecrapi.Layer{
			LayerDigest: new(text), LayerAvailability: ecrapi.LayerAvailabilityAvailable, LayerSize: new(l.Size),
			MediaType: new("application/vnd.docker.image.rootfs.diff.tar.gzip"),
		})
	}
	return out, nil
}

// GetDownloadUrlForLayer answers with a URL that needs no credentials.
func (s *Service) GetDownloadUrlForLayer(ctx context.Context, in *ecrapi.GetDownloadUrlForLayerInput) (*ecrapi.GetDownloadUrlForLayerOutput, error) { //nolint:revive // AWS's name
	repo, err := s.lookup(ctx, s.store.Snapshot(), in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	d, err := registry.ParseDigest(val(in.LayerDigest))
	if err == nil {
		_, err = s.layer(repo, d)
	}
	if err != nil {
		return nil, errLayerInaccessible(repo.Scope, repo.Name, val(in.LayerDigest))
	}
	path := "/v2/" + s.path(repo.Scope, repo.Name) + "/blobs/" + string(d)
	token := s.sign(claims{Account: repo.Scope.Account, Expires: s.now().Add(downloadLife).Unix(), Path: path})
	return &ecrapi.GetDownloadUrlForLayerOutput{LayerDigest: in.LayerDigest, DownloadUrl: new("http://" + s.host + path + "?token=" + token)}, nil
}

// layer finds a layer of a repository. Whoever asks may be about to push an
// image that uses it, so an unused one is kept for another while.
func (s *Service) layer(repo Repository, d digest.Digest) (Layer, error) {
	snap := s.store.Snapshot()
	key := repo.Scope.Key(repo.Name + "@" + string(d))
	l, err := Layers.Get(snap, key)
	if err != nil {
		return l, err
	}
	if s.now().Sub(l.LinkedAt) < layerGrace/4 || used(snap, key) {
		return l, nil
	}
	err = s.store.Update(func(tx *store.Tx) error {
		if l, err = Layers.Get(tx, key); err != nil {
			return err
		}
		l.LinkedAt = s.time()
		Layers.Put(tx, l)
		return nil
	})
	return l, err
}

// used reports whether an image of the repository names the layer or child.
func used(r store.Reader, key string) bool {
	for range Images.By(r, "uses", key) {
		return true
	}
	return false
}
