package ssm

import (
	"context"

	api "github.com/slipway-dev/slipway/api/ssmapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/service/iam"
)

// API is the service with the operations it implements.
func (s *Service) API() *awsapi.Service {
	a := awsapi.NewService("ssm")
	handle(s, a, "PutParameter", s.PutParameter, func(in *api.PutParameterInput) []string { return []string{*in.Name} })
	handle(s, a, "GetParameter", s.GetParameter, func(in *api.GetParameterInput) []string { return []string{*in.Name} })
	handle(s, a, "GetParameters", s.GetParameters, func(in *api.GetParametersInput) []string { return in.Names })
	handle(s, a, "GetParametersByPath", s.GetParametersByPath, func(in *api.GetParametersByPathInput) []string { return []string{*in.Path} })
	handle(s, a, "GetParameterHistory", s.GetParameterHistory, func(in *api.GetParameterHistoryInput) []string { return []string{*in.Name} })
	handle(s, a, "DescribeParameters", s.DescribeParameters, nil)
	handle(s, a, "LabelParameterVersion", s.LabelParameterVersion, func(in *api.LabelParameterVersionInput) []string { return []string{*in.Name} })
	handle(s, a, "UnlabelParameterVersion", s.UnlabelParameterVersion, func(in *api.UnlabelParameterVersionInput) []string { return []string{*in.Name} })
	handle(s, a, "DeleteParameter", s.DeleteParameter, func(in *api.DeleteParameterInput) []string { return []string{*in.Name} })
	handle(s, a, "DeleteParameters", s.DeleteParameters, func(in *api.DeleteParametersInput) []string { return in.Names })
	handle(s, a, "AddTagsToResource", s.AddTagsToResource, func(in *api.AddTagsToResourceInput) []string { return []string{*in.ResourceId} })
	handle(s, a, "RemoveTagsFromResource", s.RemoveTagsFromResource, func(in *api.RemoveTagsFromResourceInput) []string { return []string{*in.ResourceId} })
	handle(s, a, "ListTagsForResource", s.ListTagsForResource, func(in *api.ListTagsForResourceInput) []string { return []string{*in.ResourceId} })
	return a
}

// handle registers an operation that runs when the caller may do it with every
// parameter it is about; names tells them, and nil stands for all there are.
func handle[I, O any](s *Service, a *awsapi.Service, op string, fn func(context.Context, *I) (*O, error), names func(*I) []string) {
	awsapi.Handle(a, op, func(ctx context.Context, in *I) (*O, error) {
		resources := []string{scope(ctx).ARN("ssm", "*")}
		if names != nil {
			resources = nil
			for _, n := range names(in) {
				resources = append(resources, nameARN(scope(ctx), parseName(scope(ctx), n).name))
			}
		}
		for _, r := range resources {
			if err := s.may(ctx, "ssm:"+op, r); err != nil {
				return nil, err
			}
		}
		return fn(ctx, in)
	})
}

// may is nil, or AccessDeniedException with the reason.
func (s *Service) may(ctx context.Context, action, resource string) error {
	if s.AnyAuth {
		return nil
	}
	return iam.Admit(ctx, s.Store.Snapshot(), action, resource)
}
