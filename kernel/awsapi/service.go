package awsapi

import (
	"context"
	"fmt"
	"reflect"

	"github.com/slipway-dev/slipway/api"
	"github.com/slipway-dev/slipway/api/model"
)

// Service is one AWS service: its API model and the operations implemented.
type Service struct {
	name       string
	model      *model.Service
	operations map[string]*operation
}

// operation is one implemented operation.
type operation struct {
	model *model.Operation
	input reflect.Type
	call  func(ctx context.Context, in any) (any, error)
}

// NewService makes a service of its model name ("ecs", "elbv2",
// "servicediscovery"); it panics when there is no such model. It has no
// operations until Handle adds them.
func NewService(name string) *Service {
	m, err := api.Model(name)
	if err != nil {
		panic("awsapi: " + err.Error())
	}
	return &Service{name: name, model: m, operations: map[string]*operation{}}
}

// Name is the model name.
func (s *Service) Name() string { return s.name }

// Handle implements an operation. It panics when the model has no such
// operation or when it is implemented already.
func Handle[I, O any](s *Service, op string, fn func(context.Context, *I) (*O, error)) {
	m := s.model.Operations[op]
	if m == nil {
		panic(fmt.Sprintf("awsapi: %s has no operation %s", s.name, op))
	}
	if s.operations[op] != nil {
		panic(fmt.Sprintf("awsapi: %s %s is handled twice", s.name, op))
	}
	s.operations[op] = &operation{
		model: m,
		input: reflect.TypeFor[I](),
		call: func(ctx context.Context, in any) (any, error) {
			out, err := fn(ctx, in.(*I))
			if err != nil {
				return nil, err
			}
			return out, nil
		},
	}
}
