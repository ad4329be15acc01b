package ssm

import (
	"context"
	"regexp"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/ssmapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

const maxLabels = 10

var labelForm = regexp.MustCompile(`^[a-zA-Z_.\-][a-zA-Z0-9_.\-]*$`)

// validLabel says whether a version may have a label.
// Source: Systems Manager user guide, Working with parameter labels.
func validLabel(label string) bool {
	lower := strings.ToLower(label)
	return labelForm.MatchString(label) && !strings.HasPrefix(lower, "aws") && !strings.HasPrefix(lower, "ssm")
}

// LabelParameterVersion attaches labels to a version; from another version they
// are taken. Labels that are none are told, and the others attached.
func (s *Service) LabelParameterVersion(ctx context.Context, in *api.LabelParameterVersionInput) (*api.LabelParameterVersionOutput, error) {
	var out *api.LabelParameterVersionOutput
	err := s.Store.Update(func(tx *store.Tx) error {
		p, v, err := s.version(ctx, tx, *in.Name, in.ParameterVersion)
		if err != nil {
			return err
		}
		out = &api.LabelParameterVersionOutput{InvalidLabels: []string{}, ParameterVersion: &v.Number}
		for _, label := range in.Labels {
			switch {
			case !validLabel(label):
				out.InvalidLabels = append(out.InvalidLabels, label)
			case !slices.Contains(v.Labels, label):
				v.Labels = append(slices.Clone(v.Labels), label)
			}
		}
		if len(v.Labels) > maxLabels {
			return errLabels
		}
		for _, other := range history(tx, p.Scope, p.Name) {
			left := slices.DeleteFunc(slices.Clone(other.Labels), func(l string) bool { return slices.Contains(v.Labels, l) })
			if other.Number != v.Number && len(left) != len(other.Labels) {
				other.Labels = left
				Versions.Put(tx, other)
			}
		}
		Versions.Put(tx, v)
		return nil
	})
	return out, err
}

// UnlabelParameterVersion takes labels from a version; those that it has not
// are told.
func (s *Service) UnlabelParameterVersion(ctx context.Context, in *api.UnlabelParameterVersionInput) (*api.UnlabelParameterVersionOutput, error) {
	var out *api.UnlabelParameterVersionOutput
	err := s.Store.Update(func(tx *store.Tx) error {
		_, v, err := s.version(ctx, tx, *in.Name, in.ParameterVersion)
		if err != nil {
			return err
		}
		out = &api.UnlabelParameterVersionOutput{InvalidLabels: []string{}, RemovedLabels: []string{}}
		for _, label := range in.Labels {
			if slices.Contains(v.Labels, label) {
				out.RemovedLabels = append(out.RemovedLabels, label)
			} else {
				out.InvalidLabels = append(out.InvalidLabels, label)
			}
		}
		v.Labels = slices.DeleteFunc(slices.Clone(v.Labels), func(l string) bool { return slices.Contains(out.RemovedLabels, l) })
		Versions.Put(tx, v)
		return nil
	})
	return out, err
}

// version finds the version of a parameter with a number, or the newest.
func (s *Service) version(ctx context.Context, r store.Reader, name string, number *int64) (Parameter, Version, error) {
	p, err := parameter(r, scope(ctx), name)
	if err != nil {
		return p, Version{}, err
	}
	n := p.Latest
	if number != nil {
		n = *number
	}
	v, err := Versions.Get(r, versionKey(p.Scope, p.Name, n))
	if err != nil {
		return p, v, fault("ParameterVersionNotFound", "Systems Manager could not find version %d of %s. Verify the version and try again.", n, p.Name)
	}
	return p, v, nil
}
