package servicediscovery

import (
	"context"
	"slices"
	"strings"
	"time"

	api "github.com/slipway-dev/slipway/api/servicediscoveryapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// newOperation describes something done to one target.
func newOperation(ctx context.Context, typ, target, id string) Operation {
	return Operation{Scope: scope(ctx), ID: awsapi.NewID(ctx, "", 32), Type: typ, Targets: map[string]string{target: id}, Created: time.Now().UTC()}
}

// GetOperation tells about an operation; all of them succeeded.
func (s *Service) GetOperation(ctx context.Context, in *api.GetOperationInput) (*api.GetOperationOutput, error) {
	o, err := Operations.Get(s.store.Snapshot(), scope(ctx).Key("operation", *in.OperationId))
	if err != nil {
		return nil, noOperation(*in.OperationId)
	}
	return &api.GetOperationOutput{Operation: &api.Operation{
		Id: &o.ID, OwnerAccount: &o.Scope.Account, Type: api.OperationType(o.Type), Status: api.OperationStatusSuccess,
		CreateDate: &o.Created, UpdateDate: &o.Created, Targets: o.Targets,
	}}, nil
}

// ListOperations lists the operations that pass all filters.
func (s *Service) ListOperations(ctx context.Context, in *api.ListOperationsInput) (*api.ListOperationsOutput, error) {
	var all []Operation
	for o := range Operations.List(s.store.Snapshot(), scope(ctx).Key("operation", "")) {
		ok := true
		for _, f := range in.Filters {
			value := map[api.OperationFilterName]string{
				"NAMESPACE_ID": o.Targets["NAMESPACE"], "SERVICE_ID": o.Targets["SERVICE"], "STATUS": "SUCCESS", "TYPE": o.Type,
				"UPDATE_DATE": time.Unix(o.Created.Unix(), 0).UTC().Format(time.RFC3339),
			}[f.Name]
			ok = ok && matches(f.Condition, f.Values, value)
		}
		if ok {
			all = append(all, o)
		}
	}
	found, next, err := page(all, Operations.Key, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &api.ListOperationsOutput{Operations: []api.OperationSummary{}, NextToken: next}
	for _, o := range found {
		out.Operations = append(out.Operations, api.OperationSummary{Id: &o.ID, Status: api.OperationStatusSuccess})
	}
	return out, nil
}

// matches applies the condition of a filter: EQ unless it says otherwise.
func matches(c api.FilterCondition, values []string, have string) bool {
	switch c {
	case api.FilterConditionBeginsWith:
		return slices.ContainsFunc(values, func(v string) bool { return strings.HasPrefix(have, v) })
	case api.FilterConditionBetween:
		return len(values) == 2 && have >= values[0] && have <= values[1]
	}
	return slices.Contains(values, have)
}

// page cuts a list as Cloud Map does: at most 100.
func page[T any](all []T, key func(T) string, token *string, max *int32) ([]T, *string, error) {
	limit := 0
	if max != nil {
		limit = int(*max)
	}
	return awsapi.Page(all, key, token, limit, 100)
}
