package ecr

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/slipway-dev/slipway/api/ecrapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// repositoryProps is AWS::ECR::Repository.
type repositoryProps struct {
	RepositoryName                     string `cfn:"id,createOnly"`
	EmptyOnDelete                      bool
	ImageTagMutability                 string
	ImageTagMutabilityExclusionFilters []exclusionProps
	ImageScanningConfiguration         *scanningProps
	EncryptionConfiguration            *encryptionProps `cfn:"createOnly"`
	LifecyclePolicy                    *lifecycleProps
	RepositoryPolicyText               any
	Tags                               []cfn.Tag
	Arn                                string `cfn:"readOnly"`
	RepositoryUri                      string `cfn:"readOnly"` //nolint:revive // AWS's name
}

type exclusionProps struct {
	ImageTagMutabilityExclusionFilterType  string `cfn:"required"`
	ImageTagMutabilityExclusionFilterValue string `cfn:"required"`
}

type scanningProps struct{ ScanOnPush bool }

type encryptionProps struct {
	EncryptionType string `cfn:"required"`
	KmsKey         string
}

type lifecycleProps struct {
	LifecyclePolicyText string
	RegistryId          string //nolint:revive // AWS's name
}

// repositories makes repositories for CloudFormation, by the API's own operations.
type repositories struct{ s *Service }

var _ cfn.Updater[repositoryProps] = repositories{}

func (h repositories) Create(ctx context.Context, p *repositoryProps) error {
	req, _ := cfn.From(ctx)
	name := p.RepositoryName
	if name == "" {
		name = lower(req.Name(256))
	}
	in := &ecrapi.CreateRepositoryInput{RepositoryName: new(name), Tags: tagset.List[ecrapi.Tag](req.AllTags(p.Tags))}
	if p.EncryptionConfiguration != nil {
		in.EncryptionConfiguration = &ecrapi.EncryptionConfiguration{EncryptionType: ecrapi.EncryptionType(p.EncryptionConfiguration.EncryptionType)}
		if k := p.EncryptionConfiguration.KmsKey; k != "" {
			in.EncryptionConfiguration.KmsKey = new(k)
		}
	}
	_, err := h.s.CreateRepository(ctx, in)
	if errors.Is(err, &awsapi.Error{Code: "RepositoryAlreadyExistsException"}) {
		repo, ferr := Repositories.Get(h.s.store.Snapshot(), awsapi.CallerOf(ctx).Key(name))
		if ferr == nil && req.Owns(repo.Tags) {
			err = nil // ours: made before a restart
		}
	}
	if err != nil {
		return err
	}
	p.RepositoryName = name
	if err := h.apply(ctx, p); err != nil {
		return cfn.HalfMade(err)
	}
	return h.Read(ctx, p)
}

// apply sets everything that can change.
func (h repositories) apply(ctx context.Context, p *repositoryProps) error {
	var filters []ecrapi.ImageTagMutabilityExclusionFilter
	for _, f := range p.ImageTagMutabilityExclusionFilters {
		filters = append(filters, ecrapi.ImageTagMutabilityExclusionFilter{
			FilterType: ecrapi.ImageTagMutabilityExclusionFilterType(f.ImageTagMutabilityExclusionFilterType),
			Filter:     new(f.ImageTagMutabilityExclusionFilterValue),
		})
	}
	lifecycle, policy, err := p.documents()
	if err != nil {
		return err
	}
	req, _ := cfn.From(ctx)
	_, err = h.s.change(ctx, nil, &p.RepositoryName, func(r *Repository) error {
		r.Mutability = "MUTABLE"
		r.ScanOnPush = p.ImageScanningConfiguration != nil && p.ImageScanningConfiguration.ScanOnPush
		r.Lifecycle, r.Policy = lifecycle, policy
		r.Tags = req.AllTags(p.Tags)
		return setMutability(r, ecrapi.ImageTagMutability(p.ImageTagMutability), filters)
	})
	return err
}

// documents are the lifecycle policy and the repository policy as text.
func (p *repositoryProps) documents() (lifecycle, policy string, err error) {
	if p.LifecyclePolicy != nil && p.LifecyclePolicy.LifecyclePolicyText != "" {
		lifecycle = p.LifecyclePolicy.LifecyclePolicyText
		if _, err := parseLifecycle(lifecycle); err != nil {
			return "", "", errInvalid("'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: %v'", err)
		}
	}
	switch doc := p.RepositoryPolicyText.(type) {
	case nil:
	case string:
		policy = doc
	default:
		text, err := json.Marshal(doc)
		if err != nil {
			return "", "", err
		}
		policy = string(text)
	}
	return lifecycle, policy, nil
}

func (h repositories) Read(ctx context.Context, p *repositoryProps) error {
	scope := awsapi.CallerOf(ctx).Scope
	r, err := Repositories.Get(h.s.store.Snapshot(), scope.Key(p.RepositoryName))
	if err != nil {
		return err
	}
	p.Arn, p.RepositoryUri = r.ARN(), h.s.URI(scope, r.Name)
	p.ImageTagMutability = r.Mutability
	p.ImageTagMutabilityExclusionFilters = nil
	for _, f := range r.Exclusions {
		p.ImageTagMutabilityExclusionFilters = append(p.ImageTagMutabilityExclusionFilters, exclusionProps{"WILDCARD", f})
	}
	p.ImageScanningConfiguration = &scanningProps{r.ScanOnPush}
	p.EncryptionConfiguration = &encryptionProps{r.Encryption, r.KMSKey}
	p.LifecyclePolicy, p.RepositoryPolicyText = nil, nil
	if r.Lifecycle != "" {
		p.LifecyclePolicy = &lifecycleProps{LifecyclePolicyText: r.Lifecycle}
	}
	if r.Policy != "" {
		if err := json.Unmarshal([]byte(r.Policy), &p.RepositoryPolicyText); err != nil {
			p.RepositoryPolicyText = r.Policy
		}
	}
	return nil
}

func (h repositories) Update(ctx context.Context, _, after *repositoryProps) error {
	if err := h.apply(ctx, after); err != nil {
		return err
	}
	return h.Read(ctx, after)
}

func (h repositories) Delete(ctx context.Context, p *repositoryProps) error {
	_, err := h.s.DeleteRepository(ctx, &ecrapi.DeleteRepositoryInput{RepositoryName: &p.RepositoryName, Force: new(p.EmptyOnDelete)})
	if errors.Is(err, &awsapi.Error{Code: "RepositoryNotFoundException"}) {
		return nil
	}
	return err
}
