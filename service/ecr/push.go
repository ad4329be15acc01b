package ecr

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/opencontainers/go-digest"
	"github.com/slipway-dev/slipway/api/ecrapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/ecr/registry"
)

// push is a manifest to be put in a repository.
type push struct {
	scope     arn.Scope
	name      string
	tag       string // empty: none
	data      []byte
	mediaType string // as the client said, or empty
	// exclusive refuses an image that is there already under that tag, as
	// PutImage does; the registry protocol takes it again.
	exclusive bool
}

// put stores a manifest: its bytes first, then, in one transaction that
// checks everything it needs, its row and its tag.
func (s *Service) put(p push) (Image, error) {
	m, err := registry.ParseManifest(p.data, p.mediaType)
	if err != nil {
		return Image{}, errInvalid("'imageManifest' failed to satisfy constraint: 'Invalid image manifest provided: %v'", err)
	}
	if _, err := find(s.store.Snapshot(), p.scope, p.name); err != nil {
		return Image{}, err
	}
	release := s.blobs.Hold(m.Digest)
	defer release()
	if err := s.blobs.Put(m.Digest, p.data); err != nil {
		return Image{}, err
	}
	img := Image{
		Scope: p.scope, Repository: p.name, Digest: string(m.Digest), MediaType: m.MediaType, ArtifactType: m.ArtifactType,
		Size: m.Size, Length: int64(len(p.data)), PushedAt: s.time(), Blobs: digests(m.Blobs()), Children: digests(m.Children),
		Subject: string(m.Subject), Annotations: m.Annotations,
	}
	err = s.store.Update(func(tx *store.Tx) error { return admit(tx, img, p) })
	return img, err
}

// admit writes the rows of a pushed image.
func admit(tx *store.Tx, img Image, p push) error {
	repo, err := find(tx, p.scope, p.name)
	if err != nil {
		return err
	}
	tag := Tag{Scope: p.scope, Repository: p.name, Tag: p.tag, Digest: img.Digest, PushedAt: img.PushedAt}
	_, have := Images.Get(tx, Images.Key(img))
	old, tagged := Tags.Get(tx, Tags.Key(tag))
	same := tagged == nil && old.Digest == img.Digest
	switch {
	case p.exclusive && have == nil && (p.tag == "" || same):
		return errImageExists(p.scope, p.name, img.Digest, cmp.Or(p.tag, "null"))
	case p.tag != "" && tagged == nil && !same && repo.immutable(p.tag):
		return errTagImmutable(p.name, p.tag)
	}
	var missing []string
	for _, d := range img.Blobs {
		if _, err := Layers.Get(tx, p.scope.Key(p.name+"@"+d)); err != nil {
			missing = append(missing, d)
		}
	}
	if missing != nil {
		return errLayersNotFound(p.scope, p.name, missing)
	}
	for _, d := range img.Children {
		if _, err := Images.Get(tx, p.scope.Key(p.name+"@"+d)); err != nil {
			missing = append(missing, d)
		}
	}
	if missing != nil {
		return errReferencedImages(p.scope, p.name, missing)
	}
	if have != nil {
		Images.Put(tx, img)
	}
	if p.tag != "" && !same {
		Tags.Put(tx, tag)
	}
	return nil
}

func digests(in []digest.Digest) []string {
	var out []string
	for _, d := range in {
		if !slices.Contains(out, string(d)) {
			out = append(out, string(d))
		}
	}
	return out
}

// link makes a finished upload a layer of its repository.
func (s *Service) link(scope arn.Scope, name string, u *registry.Upload, d digest.Digest) error {
	release := s.blobs.Hold(d)
	defer release()
	size, err := u.Commit(d)
	if err != nil {
		return err
	}
	l := Layer{Scope: scope, Repository: name, Digest: string(d), Size: size, LinkedAt: s.time()}
	return s.store.Update(func(tx *store.Tx) error {
		if _, err := find(tx, scope, name); err != nil {
			return err
		}
		Layers.Put(tx, l)
		return nil
	})
}

// mount gives a repository a layer that another one of the same account and
// region has; ErrBlobUnknown when that one does not have it.
func (s *Service) mount(scope arn.Scope, from, to string, d digest.Digest) error {
	return s.store.Update(func(tx *store.Tx) error {
		if _, err := find(tx, scope, to); err != nil {
			return err
		}
		l, err := Layers.Get(tx, scope.Key(from+"@"+string(d)))
		if err != nil {
			return registry.ErrBlobUnknown
		}
		l.Repository, l.LinkedAt = to, s.time()
		Layers.Put(tx, l)
		return nil
	})
}

// PutImage stores a manifest whose layers are there already.
func (s *Service) PutImage(ctx context.Context, in *ecrapi.PutImageInput) (*ecrapi.PutImageOutput, error) {
	repo, err := s.lookup(ctx, s.store.Snapshot(), in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	data := []byte(val(in.ImageManifest))
	if want := digest.FromBytes(data); in.ImageDigest != nil && *in.ImageDigest != string(want) {
		return nil, errDigestMismatch(*in.ImageDigest, string(want))
	}
	img, err := s.put(push{
		scope: repo.Scope, name: repo.Name, tag: val(in.ImageTag), data: data,
		mediaType: val(in.ImageManifestMediaType), exclusive: true,
	})
	if err != nil {
		return nil, err
	}
	return &ecrapi.PutImageOutput{Image: &ecrapi.Image{
		RegistryId: new(repo.Scope.Account), RepositoryName: new(repo.Name),
		ImageId:       &ecrapi.ImageIdentifier{ImageDigest: new(img.Digest), ImageTag: in.ImageTag},
		ImageManifest: in.ImageManifest, ImageManifestMediaType: new(img.MediaType),
	}}, nil
}

// manifest reads the bytes of an image.
func (s *Service) manifest(img Image) ([]byte, error) {
	return s.blobs.Read(digest.Digest(img.Digest), registry.MaxManifest)
}

var errImageUnknown = errors.New("image unknown")

// resolve finds an image by digest or tag, or both when both are given.
func resolve(r store.Reader, repo Repository, dgst, tag *string) (Image, error) {
	d := val(dgst)
	if tag != nil {
		named, ok := Digest(r, repo.Scope, repo.Name, *tag)
		if !ok || d != "" && d != named {
			return Image{}, errImageUnknown
		}
		d = named
	}
	img, err := Images.Get(r, repo.Scope.Key(repo.Name+"@"+d))
	if err != nil {
		return Image{}, errImageUnknown
	}
	return img, nil
}
