package cloudformation

import (
	"context"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
)

// EstimateTemplateCost checks the template and its parameters and answers with the address of AWS's calculator. AWS fills it in beforehand; this engine sends
// nothing to AWS, so the form is empty.
func (s *Service) EstimateTemplateCost(ctx context.Context, in *api.EstimateTemplateCostInput) (*api.EstimateTemplateCostOutput, error) {
	body, err := s.body(ctx, in.TemplateBody, in.TemplateURL, nil)
	if err != nil {
		return nil, err
	}
	// Capabilities are not asked for: nothing is made.
	if _, _, err := s.deployment(ctx, s.fresh(ctx, "estimate"), request{body: body, parameters: in.Parameters, capabilities: everything}); err != nil {
		return nil, refused(err)
	}
	return &api.EstimateTemplateCostOutput{Url: new("https://calculator.aws/#/addService")}, nil
}
