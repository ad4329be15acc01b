package ecr

import (
	"cmp"
	"context"
	"slices"

	"github.com/slipway-dev/slipway/api/ecrapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// DescribeImages lists images with their tags and sizes.
func (s *Service) DescribeImages(ctx context.Context, in *ecrapi.DescribeImagesInput) (*ecrapi.DescribeImagesOutput, error) {
	snap := s.store.Snapshot()
	repo, err := s.lookup(ctx, snap, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	var images []Image
	for _, id := range in.ImageIds {
		img, err := resolve(snap, repo, id.ImageDigest, id.ImageTag)
		if err != nil {
			return nil, errImageNotFound(repo.Scope, repo.Name, id.ImageDigest, id.ImageTag)
		}
		if !slices.ContainsFunc(images, func(i Image) bool { return i.Digest == img.Digest }) {
			images = append(images, img)
		}
	}
	if len(in.ImageIds) == 0 {
		var want ecrapi.TagStatus
		if in.Filter != nil {
			want = in.Filter.TagStatus
		}
		for img := range Images.List(snap, repo.Scope.Key(repo.Name+"@")) {
			if matches(want, len(tagsOf(snap, img)) > 0) {
				images = append(images, img)
			}
		}
	}
	page, next, err := awsapi.Page(images, Images.Key, in.NextToken, int(val(in.MaxResults)), pageSize(in.MaxResults))
	if err != nil {
		return nil, errToken
	}
	out := &ecrapi.DescribeImagesOutput{NextToken: next, ImageDetails: []ecrapi.ImageDetail{}}
	for _, img := range page {
		out.ImageDetails = append(out.ImageDetails, detail(snap, img))
	}
	return out, nil
}

func matches(want ecrapi.TagStatus, tagged bool) bool {
	switch want {
	case ecrapi.TagStatusTagged:
		return tagged
	case ecrapi.TagStatusUntagged:
		return !tagged
	}
	return true
}

func detail(r store.Reader, img Image) ecrapi.ImageDetail {
	d := ecrapi.ImageDetail{
		RegistryId: new(img.Scope.Account), RepositoryName: new(img.Repository), ImageDigest: new(img.Digest),
		ImageTags: tagsOf(r, img), ImageSizeInBytes: new(img.Size), ImagePushedAt: new(img.PushedAt),
		ImageManifestMediaType: new(img.MediaType), ImageStatus: ecrapi.ImageStatusActive,
	}
	if img.ArtifactType != "" {
		d.ArtifactMediaType = new(img.ArtifactType)
	}
	if img.Subject != "" {
		d.SubjectManifestDigest = new(img.Subject)
	}
	if !img.PulledAt.IsZero() {
		d.LastRecordedPullTime = new(img.PulledAt)
	}
	return d
}

// ListImages lists image ids: one for each tag, and one for each untagged image.
func (s *Service) ListImages(ctx context.Context, in *ecrapi.ListImagesInput) (*ecrapi.ListImagesOutput, error) {
	snap := s.store.Snapshot()
	repo, err := s.lookup(ctx, snap, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	var want ecrapi.TagStatus
	if in.Filter != nil {
		want = in.Filter.TagStatus
	}
	var ids []ecrapi.ImageIdentifier
	for img := range Images.List(snap, repo.Scope.Key(repo.Name+"@")) {
		tags := tagsOf(snap, img)
		if !matches(want, len(tags) > 0) {
			continue
		}
		for _, t := range tags {
			ids = append(ids, ecrapi.ImageIdentifier{ImageDigest: new(img.Digest), ImageTag: new(t)})
		}
		if len(tags) == 0 {
			ids = append(ids, ecrapi.ImageIdentifier{ImageDigest: new(img.Digest)})
		}
	}
	key := func(id ecrapi.ImageIdentifier) string { return val(id.ImageDigest) + ":" + val(id.ImageTag) }
	page, next, err := awsapi.Page(ids, key, in.NextToken, int(val(in.MaxResults)), pageSize(in.MaxResults))
	if err != nil {
		return nil, errToken
	}
	if page == nil {
		page = []ecrapi.ImageIdentifier{}
	}
	return &ecrapi.ListImagesOutput{ImageIds: page, NextToken: next}, nil
}

// BatchGetImage reads manifests.
func (s *Service) BatchGetImage(ctx context.Context, in *ecrapi.BatchGetImageInput) (*ecrapi.BatchGetImageOutput, error) {
	snap := s.store.Snapshot()
	repo, err := s.lookup(ctx, snap, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	out := &ecrapi.BatchGetImageOutput{Images: []ecrapi.Image{}, Failures: []ecrapi.ImageFailure{}}
	for _, id := range in.ImageIds {
		if f, bad := badID(id); bad {
			out.Failures = append(out.Failures, f)
			continue
		}
		img, err := resolve(snap, repo, id.ImageDigest, id.ImageTag)
		if err != nil {
			out.Failures = append(out.Failures, failure(id, ecrapi.ImageFailureCodeImageNotFound, "Requested image not found"))
			continue
		}
		data, err := s.manifest(img)
		if err != nil {
			return nil, err
		}
		s.pulled(img)
		out.Images = append(out.Images, ecrapi.Image{
			RegistryId: new(repo.Scope.Account), RepositoryName: new(repo.Name),
			ImageId:       &ecrapi.ImageIdentifier{ImageDigest: new(img.Digest), ImageTag: id.ImageTag},
			ImageManifest: new(string(data)), ImageManifestMediaType: new(img.MediaType),
		})
	}
	return out, nil
}

func failure(id ecrapi.ImageIdentifier, code ecrapi.ImageFailureCode, reason string) ecrapi.ImageFailure {
	return ecrapi.ImageFailure{ImageId: &id, FailureCode: code, FailureReason: new(reason)}
}

func badID(id ecrapi.ImageIdentifier) (ecrapi.ImageFailure, bool) {
	if id.ImageDigest == nil && id.ImageTag == nil {
		return failure(id, ecrapi.ImageFailureCodeMissingDigestAndTag, "Invalid request parameters: both tag and digest cannot be null"), true
	}
	return ecrapi.ImageFailure{}, false
}

// BatchDeleteImage removes tags, and images by digest or with their last tag.
func (s *Service) BatchDeleteImage(ctx context.Context, in *ecrapi.BatchDeleteImageInput) (*ecrapi.BatchDeleteImageOutput, error) {
	var out *ecrapi.BatchDeleteImageOutput
	err := s.store.Update(func(tx *store.Tx) error {
		out = &ecrapi.BatchDeleteImageOutput{ImageIds: []ecrapi.ImageIdentifier{}, Failures: []ecrapi.ImageFailure{}}
		repo, err := s.lookup(ctx, tx, in.RegistryId, in.RepositoryName)
		if err != nil {
			return err
		}
		// Indexes first: with them gone the images they name may go too.
		ids := slices.Clone(in.ImageIds)
		slices.SortStableFunc(ids, func(a, b ecrapi.ImageIdentifier) int {
			return cmp.Compare(childless(tx, repo, a), childless(tx, repo, b))
		})
		for _, id := range ids {
			if f, bad := badID(id); bad {
				out.Failures = append(out.Failures, f)
				continue
			}
			gone, f := remove(tx, repo, id)
			if f != nil {
				out.Failures = append(out.Failures, *f)
			}
			out.ImageIds = append(out.ImageIds, gone...)
		}
		return nil
	})
	return out, err
}

func childless(r store.Reader, repo Repository, id ecrapi.ImageIdentifier) int {
	if img, err := resolve(r, repo, id.ImageDigest, id.ImageTag); err == nil && len(img.Children) > 0 {
		return 0
	}
	return 1
}

// remove deletes what one image id names.
func remove(tx *store.Tx, repo Repository, id ecrapi.ImageIdentifier) ([]ecrapi.ImageIdentifier, *ecrapi.ImageFailure) {
	img, err := resolve(tx, repo, id.ImageDigest, id.ImageTag)
	if err != nil {
		return nil, new(failure(id, ecrapi.ImageFailureCodeImageNotFound, "Requested image not found"))
	}
	tags := tagsOf(tx, img)
	if id.ImageTag != nil && len(tags) > 1 {
		Tags.Delete(tx, repo.Scope.Key(repo.Name+":"+*id.ImageTag))
		return []ecrapi.ImageIdentifier{{ImageDigest: new(img.Digest), ImageTag: id.ImageTag}}, nil
	}
	for index := range Images.By(tx, "uses", Images.Key(img)) {
		return nil, new(failure(id, ecrapi.ImageFailureCodeImageReferencedByManifestList,
			"Requested image referenced by manifest list: ["+index.Digest+"]"))
	}
	var gone []ecrapi.ImageIdentifier
	for _, t := range tags {
		Tags.Delete(tx, repo.Scope.Key(repo.Name+":"+t))
		gone = append(gone, ecrapi.ImageIdentifier{ImageDigest: new(img.Digest), ImageTag: new(t)})
	}
	if len(tags) == 0 {
		gone = append(gone, ecrapi.ImageIdentifier{ImageDigest: new(img.Digest)})
	}
	Images.Delete(tx, Images.Key(img))
	return gone, nil
}
