package ecr

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/ecrapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// find reads a repository row or answers RepositoryNotFoundException.
func find(r store.Reader, scope arn.Scope, name string) (Repository, error) {
	repo, err := Repositories.Get(r, scope.Key(name))
	if err != nil {
		return repo, errRepositoryNotFound(scope, name)
	}
	return repo, nil
}

// lookup finds the repository of a request.
func (s *Service) lookup(ctx context.Context, r store.Reader, registryID, name *string) (Repository, error) {
	scope, err := scopeOf(ctx, registryID)
	if err != nil {
		return Repository{}, err
	}
	return find(r, scope, val(name))
}

// change updates the row of a request's repository.
func (s *Service) change(ctx context.Context, registryID, name *string, fn func(*Repository) error) (Repository, error) {
	var out Repository
	err := s.store.Update(func(tx *store.Tx) error {
		repo, err := s.lookup(ctx, tx, registryID, name)
		if err != nil {
			return err
		}
		if err := fn(&repo); err != nil {
			return err
		}
		Repositories.Put(tx, repo)
		out = repo
		return nil
	})
	return out, err
}

// CreateRepository makes an empty repository.
func (s *Service) CreateRepository(ctx context.Context, in *ecrapi.CreateRepositoryInput) (*ecrapi.CreateRepositoryOutput, error) {
	scope, err := scopeOf(ctx, in.RegistryId)
	if err != nil {
		return nil, err
	}
	repo := Repository{
		Scope: scope, Name: val(in.RepositoryName), CreatedAt: s.time(),
		Mutability: "MUTABLE", Encryption: "AES256", Tags: tagset.Of(in.Tags),
	}
	if !validName.MatchString(repo.Name) {
		return nil, errInvalid("'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*''")
	}
	if err := setMutability(&repo, in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters); err != nil {
		return nil, err
	}
	if c := in.ImageScanningConfiguration; c != nil {
		repo.ScanOnPush = val(c.ScanOnPush)
	}
	if e := in.EncryptionConfiguration; e != nil {
		repo.Encryption, repo.KMSKey = string(e.EncryptionType), val(e.KmsKey)
	}
	if err := checkTags(repo.Tags); err != nil {
		return nil, err
	}
	err = s.store.Update(func(tx *store.Tx) error { return Repositories.Create(tx, repo) })
	if errors.Is(err, store.ErrExists) {
		return nil, errRepositoryExists(scope, repo.Name)
	}
	if err != nil {
		return nil, err
	}
	return &ecrapi.CreateRepositoryOutput{Repository: s.describe(repo)}, nil
}

// DescribeRepositories lists repositories by name, at most 1000 a page.
func (s *Service) DescribeRepositories(ctx context.Context, in *ecrapi.DescribeRepositoriesInput) (*ecrapi.DescribeRepositoriesOutput, error) {
	scope, err := scopeOf(ctx, in.RegistryId)
	if err != nil {
		return nil, err
	}
	snap := s.store.Snapshot()
	var repos []Repository
	for _, name := range in.RepositoryNames {
		repo, err := find(snap, scope, name)
		if err != nil {
			return nil, err
		}
		repos = append(repos, repo)
	}
	if len(in.RepositoryNames) == 0 {
		repos = slices.Collect(Repositories.List(snap, scope.Key("")))
	}
	page, next, err := awsapi.Page(repos, Repositories.Key, in.NextToken, int(val(in.MaxResults)), pageSize(in.MaxResults))
	if err != nil {
		return nil, errToken
	}
	out := &ecrapi.DescribeRepositoriesOutput{NextToken: next, Repositories: []ecrapi.Repository{}}
	for _, r := range page {
		out.Repositories = append(out.Repositories, *s.describe(r))
	}
	return out, nil
}

var errToken = errInvalid("'nextToken' failed to satisfy constraint: 'Invalid token'")

// pageSize is ECR's: 100 unless asked for otherwise, 1000 at most.
func pageSize(asked *int32) int {
	if asked != nil {
		return 1000
	}
	return 100
}

// DeleteRepository deletes a repository; one with images only by force.
func (s *Service) DeleteRepository(ctx context.Context, in *ecrapi.DeleteRepositoryInput) (*ecrapi.DeleteRepositoryOutput, error) {
	var repo Repository
	err := s.store.Update(func(tx *store.Tx) error {
		var err error
		if repo, err = s.lookup(ctx, tx, in.RegistryId, in.RepositoryName); err != nil {
			return err
		}
		for img := range Images.List(tx, repo.Scope.Key(repo.Name+"@")) {
			if !val(in.Force) {
				return errRepositoryNotEmpty(repo.Scope, repo.Name)
			}
			Images.Delete(tx, Images.Key(img))
		}
		for t := range Tags.List(tx, repo.Scope.Key(repo.Name+":")) {
			Tags.Delete(tx, Tags.Key(t))
		}
		for l := range Layers.List(tx, repo.Scope.Key(repo.Name+"@")) {
			Layers.Delete(tx, Layers.Key(l))
		}
		Repositories.Delete(tx, Repositories.Key(repo))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecrapi.DeleteRepositoryOutput{Repository: s.describe(repo)}, nil
}

func (s *Service) describe(r Repository) *ecrapi.Repository {
	out := &ecrapi.Repository{
		RepositoryArn: new(r.ARN()), RegistryId: new(r.Scope.Account), RepositoryName: new(r.Name),
		RepositoryUri: new(s.URI(r.Scope, r.Name)), CreatedAt: new(r.CreatedAt),
		ImageTagMutability:                 ecrapi.ImageTagMutability(r.Mutability),
		ImageTagMutabilityExclusionFilters: exclusions(r.Exclusions),
		ImageScanningConfiguration:         &ecrapi.ImageScanningConfiguration{ScanOnPush: new(r.ScanOnPush)},
		EncryptionConfiguration:            &ecrapi.EncryptionConfiguration{EncryptionType: ecrapi.EncryptionType(r.Encryption)},
	}
	if r.KMSKey != "" {
		out.EncryptionConfiguration.KmsKey = new(r.KMSKey)
	}
	return out
}

// DescribeRegistry answers with the account and no replication.
func (s *Service) DescribeRegistry(ctx context.Context, _ *ecrapi.DescribeRegistryInput) (*ecrapi.DescribeRegistryOutput, error) {
	return &ecrapi.DescribeRegistryOutput{
		RegistryId:               new(awsapi.CallerOf(ctx).Account),
		ReplicationConfiguration: &ecrapi.ReplicationConfiguration{Rules: []ecrapi.ReplicationRule{}},
	}, nil
}

// lower makes a generated name one that ECR takes.
func lower(name string) string {
	return strings.Trim(strings.ToLower(name), "-")
}
