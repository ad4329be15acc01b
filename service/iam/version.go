package iam

import (
	"context"
	"fmt"
	"slices"

	api "github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

const versionsMost = 5

// CreatePolicyVersion adds a version, and makes it the default when asked.
func (s *Service) CreatePolicyVersion(ctx context.Context, in *api.CreatePolicyVersionInput) (*api.CreatePolicyVersionOutput, error) {
	if err := checkManaged(*in.PolicyDocument, *in.PolicyArn); err != nil {
		return nil, err
	}
	out := &api.CreatePolicyVersionOutput{}
	err := s.changePolicy(ctx, *in.PolicyArn, func(_ *store.Tx, p Policy) (*Policy, error) {
		if len(p.Versions) >= versionsMost {
			return nil, awsapi.Errorf("LimitExceeded", 0, "A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", versionsMost)
		}
		p.Drawn++
		v := Version{ID: fmt.Sprintf("v%d", p.Drawn), Document: *in.PolicyDocument, Created: now()}
		p.Versions = append(slices.Clone(p.Versions), v)
		if in.SetAsDefault != nil && *in.SetAsDefault {
			p.Default, p.Updated = v.ID, v.Created
		}
		answer := versionAnswer(p, v)
		answer.Document = nil
		out.PolicyVersion = &answer
		return &p, nil
	})
	return out, err
}

// GetPolicyVersion reads a version with its document.
func (s *Service) GetPolicyVersion(ctx context.Context, in *api.GetPolicyVersionInput) (*api.GetPolicyVersionOutput, error) {
	p, ok := findPolicy(s.store.Snapshot(), account(ctx), *in.PolicyArn)
	if !ok {
		return nil, noSuchPolicy(*in.PolicyArn)
	}
	v, ok := p.Version(*in.VersionId)
	if !ok {
		return nil, noSuchVersion(*in.PolicyArn, *in.VersionId)
	}
	return &api.GetPolicyVersionOutput{PolicyVersion: new(versionAnswer(p, v))}, nil
}

// ListPolicyVersions lists the versions, the newest first, without documents.
func (s *Service) ListPolicyVersions(ctx context.Context, in *api.ListPolicyVersionsInput) (*api.ListPolicyVersionsOutput, error) {
	p, ok := findPolicy(s.store.Snapshot(), account(ctx), *in.PolicyArn)
	if !ok {
		return nil, noSuchPolicy(*in.PolicyArn)
	}
	versions := slices.Clone(p.Versions)
	slices.Reverse(versions)
	found, next, err := page(versions, func(v Version) string { return v.ID }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &api.ListPolicyVersionsOutput{Versions: []api.PolicyVersion{}, Marker: next, IsTruncated: new(next != nil)}
	for _, v := range found {
		answer := versionAnswer(p, v)
		answer.Document = nil
		out.Versions = append(out.Versions, answer)
	}
	return out, nil
}

// DeletePolicyVersion deletes a version that is not the default.
func (s *Service) DeletePolicyVersion(ctx context.Context, in *api.DeletePolicyVersionInput) (*api.DeletePolicyVersionOutput, error) {
	return nil, s.changePolicy(ctx, *in.PolicyArn, func(_ *store.Tx, p Policy) (*Policy, error) {
		if _, ok := p.Version(*in.VersionId); !ok {
			return nil, noSuchVersion(*in.PolicyArn, *in.VersionId)
		}
		if p.Default == *in.VersionId {
			return nil, conflict("Cannot delete the default version of a policy.")
		}
		p.Versions = slices.DeleteFunc(slices.Clone(p.Versions), func(v Version) bool { return v.ID == *in.VersionId })
		return &p, nil
	})
}

// SetDefaultPolicyVersion chooses the version that counts.
func (s *Service) SetDefaultPolicyVersion(ctx context.Context, in *api.SetDefaultPolicyVersionInput) (*api.SetDefaultPolicyVersionOutput, error) {
	return nil, s.changePolicy(ctx, *in.PolicyArn, func(_ *store.Tx, p Policy) (*Policy, error) {
		if _, ok := p.Version(*in.VersionId); !ok {
			return nil, noSuchVersion(*in.PolicyArn, *in.VersionId)
		}
		p.Default, p.Updated = *in.VersionId, now()
		return &p, nil
	})
}

func versionAnswer(p Policy, v Version) api.PolicyVersion {
	return api.PolicyVersion{Document: encoded(v.Document), VersionId: &v.ID, IsDefaultVersion: new(v.ID == p.Default), CreateDate: &v.Created}
}
