package ecr

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/ecrapi"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
)

// PutLifecyclePolicy stores a policy; the loop applies it.
func (s *Service) PutLifecyclePolicy(ctx context.Context, in *ecrapi.PutLifecyclePolicyInput) (*ecrapi.PutLifecyclePolicyOutput, error) {
	if _, err := parseLifecycle(val(in.LifecyclePolicyText)); err != nil {
		return nil, errInvalid("'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: %v'", err)
	}
	r, err := s.change(ctx, in.RegistryId, in.RepositoryName, func(r *Repository) error {
		r.Lifecycle = val(in.LifecyclePolicyText)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecrapi.PutLifecyclePolicyOutput{RegistryId: new(r.Scope.Account), RepositoryName: new(r.Name), LifecyclePolicyText: new(r.Lifecycle)}, nil
}

// GetLifecyclePolicy reads the policy.
func (s *Service) GetLifecyclePolicy(ctx context.Context, in *ecrapi.GetLifecyclePolicyInput) (*ecrapi.GetLifecyclePolicyOutput, error) {
	r, err := s.lookup(ctx, s.store.Snapshot(), in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if r.Lifecycle == "" {
		return nil, errNoPolicy("Lifecycle", "LifecyclePolicyNotFoundException", r.Scope, r.Name)
	}
	out := &ecrapi.GetLifecyclePolicyOutput{RegistryId: new(r.Scope.Account), RepositoryName: new(r.Name), LifecyclePolicyText: new(r.Lifecycle)}
	if !r.LifecycleAt.IsZero() {
		out.LastEvaluatedAt = new(r.LifecycleAt)
	}
	return out, nil
}

// DeleteLifecyclePolicy removes the policy.
func (s *Service) DeleteLifecyclePolicy(ctx context.Context, in *ecrapi.DeleteLifecyclePolicyInput) (*ecrapi.DeleteLifecyclePolicyOutput, error) {
	var text string
	r, err := s.change(ctx, in.RegistryId, in.RepositoryName, func(r *Repository) error {
		if r.Lifecycle == "" {
			return errNoPolicy("Lifecycle", "LifecyclePolicyNotFoundException", r.Scope, r.Name)
		}
		text, r.Lifecycle = r.Lifecycle, ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecrapi.DeleteLifecyclePolicyOutput{RegistryId: new(r.Scope.Account), RepositoryName: new(r.Name), LifecyclePolicyText: new(text)}, nil
}

// lifecycleLoop keeps repositories as small as their lifecycle policies say.
// A key is that of a repository.
func (s *Service) lifecycleLoop() loop.Loop {
	return loop.Loop{
		Name: "ecr/lifecycle",
		List: func(snap *store.Snapshot) []string {
			var out []string
			for r := range Repositories.List(snap, "") {
				if r.Lifecycle != "" {
					out = append(out, Repositories.Key(r))
				}
			}
			return out
		},
		Keys: func(_ *store.Snapshot, c store.Change) []string {
			switch c.Table {
			case Repositories.Name():
				return []string{c.Key}
			case Tags.Name():
				return []string{c.Key[:strings.LastIndexByte(c.Key, ':')]}
			case Images.Name():
				return []string{c.Key[:strings.LastIndexByte(c.Key, '@')]}
			}
			return nil
		},
		Reconcile: func(_ context.Context, key string) (time.Duration, error) { return s.expire(key) },
	}
}

func (s *Service) expire(key string) (again time.Duration, err error) {
	err = s.store.Update(func(tx *store.Tx) error {
		again = 0
		repo, err := Repositories.Get(tx, key)
		if errors.Is(err, store.ErrNotFound) || repo.Lifecycle == "" {
			return nil
		}
		policy, err := parseLifecycle(repo.Lifecycle)
		if err != nil {
			return err
		}
		var images []aged
		for img := range Images.List(tx, key+"@") {
			if !used(tx, Images.Key(img)) { // an image of an index goes after it
				images = append(images, aged{img.Digest, tagsOf(tx, img), img.PushedAt})
			}
		}
		old, next := policy.expired(images, s.now())
		for _, d := range old {
			_, _ = remove(tx, repo, ecrapi.ImageIdentifier{ImageDigest: new(d)})
		}
		if len(old) > 0 || repo.LifecycleAt.IsZero() {
			repo.LifecycleAt = s.time()
			Repositories.Put(tx, repo)
		}
		if !next.IsZero() {
			again = max(next.Sub(s.now()), time.Second)
		}
		return nil
	})
	return again, err
}
