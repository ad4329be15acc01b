package ssm

import (
	"context"
	"errors"

	api "github.com/slipway-dev/slipway/api/ssmapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// DeleteParameter removes a parameter with all of its versions.
func (s *Service) DeleteParameter(ctx context.Context, in *api.DeleteParameterInput) (*api.DeleteParameterOutput, error) {
	return nil, s.Store.Update(func(tx *store.Tx) error { return remove(tx, scope(ctx), *in.Name) })
}

// DeleteParameters removes up to ten; names that are those of none are told
// apart.
func (s *Service) DeleteParameters(ctx context.Context, in *api.DeleteParametersInput) (*api.DeleteParametersOutput, error) {
	var out *api.DeleteParametersOutput
	err := s.Store.Update(func(tx *store.Tx) error {
		out = &api.DeleteParametersOutput{DeletedParameters: []string{}, InvalidParameters: []string{}}
		for _, name := range in.Names {
			switch err := remove(tx, scope(ctx), name); {
			case err == nil:
				out.DeletedParameters = append(out.DeletedParameters, name)
			case errors.Is(err, &awsapi.Error{Code: "ParameterNotFound"}):
				out.InvalidParameters = append(out.InvalidParameters, name)
			default:
				return err
			}
		}
		return nil
	})
	return out, err
}

func remove(tx *store.Tx, s arn.Scope, name string) error {
	p, err := Parameters.Get(tx, parameterKey(s, name))
	if err != nil {
		return errNotFound(name)
	}
	for _, v := range history(tx, s, p.Name) {
		Versions.Delete(tx, Versions.Key(v))
	}
	Parameters.Delete(tx, Parameters.Key(p))
	return nil
}
