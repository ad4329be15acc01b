package awsapi

import (
	"context"
	"fmt"
	"reflect"
	"sync"

	"github.com/slipway-dev/slipway/api"
	"github.com/slipway-dev/slipway/api/model"
	"github.com/slipway-dev/slipway/kernel/awsapi/codec"
)

// Service is one AWS service: its API model and the operations implemented.
type Service struct {
	name       string
	model      *model.Service
	words      api.Conventions
	plans      codec.Plans
	operations map[string]*operation
	routes     func() []route // of the REST protocols
	faults     func() map[string]*model.Shape
	unchecked  bool // no validation: the conformance test sends arbitrary values
}

// operation is one implemented operation.
type operation struct {
	model *model.Operation
	plans func() (in, out *codec.Plan) // nil where the model has none
	newIn func() any
	call  func(ctx context.Context, in any) (any, error)
	meter *meter
}

// NewService makes a service of its model name ("ecs", "elbv2",
// "servicediscovery"); it panics when there is no such model. It has no
// operations until Handle adds them.
func NewService(name string) *Service {
	m, err := api.Model(name)
	if err != nil {
		panic("awsapi: " + err.Error())
	}
	s := &Service{
		name: name, model: m,
		words:      api.ConventionsOf(name, m.Metadata.Protocol),
		operations: map[string]*operation{},
	}
	s.routes = sync.OnceValue(func() []route { return routesOf(m) })
	s.faults = sync.OnceValue(func() map[string]*model.Shape { return faultsOf(m) })
	return s
}

// Name is the model name.
func (s *Service) Name() string { return s.name }

// Handle implements an operation. It panics when the model has no such
// operation, when it is implemented already, or when I or O is not the type
// generated for it.
func Handle[I, O any](s *Service, op string, fn func(context.Context, *I) (*O, error)) {
	s.handle(op, reflect.TypeFor[I](), reflect.TypeFor[O](), func(ctx context.Context, in any) (any, error) {
		out, err := fn(ctx, in.(*I))
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = new(O)
		}
		return out, nil
	})
}

// handle is Handle for types known at run time; call returns a pointer to out.
func (s *Service) handle(op string, in, out reflect.Type, call func(context.Context, any) (any, error)) {
	m := s.model.Operations[op]
	if m == nil {
		panic(fmt.Sprintf("awsapi: %s has no operation %s", s.name, op))
	}
	if s.operations[op] != nil {
		panic(fmt.Sprintf("awsapi: %s %s is handled twice", s.name, op))
	}
	fits(s.name, op, m.Input, in)
	fits(s.name, op, m.Output, out)
	s.operations[op] = &operation{
		model: m,
		plans: sync.OnceValues(func() (*codec.Plan, *codec.Plan) { return s.plan(m.Input, in), s.plan(m.Output, out) }),
		newIn: func() any { return reflect.New(in).Interface() },
		call:  call,
		meter: new(meter),
	}
}

// plan is made when an operation is first called: most are not.
func (s *Service) plan(r *model.Ref, t reflect.Type) *codec.Plan {
	if r == nil {
		return nil
	}
	return s.plans.For(r.Shape, t)
}

// Check holds v, a pointer to the type generated for a shape of the model, to
// the model's constraints, and words what is broken as for a client. The Mux
// has done so with every request; this is for who calls operations directly,
// as CloudFormation does. It panics when the model has no such shape.
func (s *Service) Check(shape string, v any) error {
	m := s.model.Shapes[shape]
	if m == nil {
		panic(fmt.Sprintf("awsapi: %s has no shape %s", s.name, shape))
	}
	if found := codec.Validate(s.plans.For(m, reflect.TypeOf(v).Elem()), v); len(found) > 0 {
		return invalid(s, found)
	}
	return nil
}

// fits panics when a type handed to Handle is not a struct with the right
// number of members.
func fits(service, op string, r *model.Ref, t reflect.Type) {
	want := 0
	if r != nil {
		want = len(r.Shape.Members)
	}
	if t.Kind() != reflect.Struct || t.NumField() != want {
		panic(fmt.Sprintf("awsapi: %s is not the type of %s %s", t, service, op))
	}
}

// faultsOf finds error shapes by their name and by the code they have on the
// wire of the query protocols.
func faultsOf(m *model.Service) map[string]*model.Shape {
	faults := map[string]*model.Shape{}
	for name, s := range m.Shapes {
		if !s.Exception {
			continue
		}
		faults[name] = s
		if s.Error != nil && s.Error.Code != "" && faults[s.Error.Code] == nil {
			faults[s.Error.Code] = s
		}
	}
	return faults
}
