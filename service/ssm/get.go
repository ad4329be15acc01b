package ssm

import (
	"context"
	"errors"

	api "github.com/slipway-dev/slipway/api/ssmapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// GetParameter tells the value of one parameter.
func (s *Service) GetParameter(ctx context.Context, in *api.GetParameterInput) (*api.GetParameterOutput, error) {
	v, err := find(s.Store.Snapshot(), scope(ctx), *in.Name)
	if err != nil {
		return nil, err
	}
	p, err := s.answer(v, parseName(scope(ctx), *in.Name).rest, val(in.WithDecryption))
	if err != nil {
		return nil, err
	}
	return &api.GetParameterOutput{Parameter: p}, nil
}

// GetParameters tells the values of up to ten parameters; names that are those
// of none are told apart.
func (s *Service) GetParameters(ctx context.Context, in *api.GetParametersInput) (*api.GetParametersOutput, error) {
	snap := s.Store.Snapshot()
	out := &api.GetParametersOutput{Parameters: []api.Parameter{}, InvalidParameters: []string{}}
	seen := map[string]bool{}
	for _, name := range in.Names {
		if seen[name] {
			continue
		}
		seen[name] = true
		v, err := find(snap, scope(ctx), name)
		if e, ok := errors.AsType[*awsapi.Error](err); ok && (e.Code == "ParameterNotFound" || e.Code == "ParameterVersionNotFound") {
			out.InvalidParameters = append(out.InvalidParameters, name)
			continue
		}
		if err != nil {
			return nil, err
		}
		p, err := s.answer(v, parseName(scope(ctx), name).rest, val(in.WithDecryption))
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, *p)
	}
	return out, nil
}
