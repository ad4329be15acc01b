package elbv2

import (
	"context"
	"iter"
	"strconv"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// Quotas (Elastic Load Balancing, "Quotas for your Application Load
// Balancers").
const (
	maxBalancers       = 50
	maxListeners       = 50
	maxRules           = 100 // per load balancer, default rules not counted
	maxCertificates    = 25  // per load balancer, default ones not counted
	maxGroups          = 3000
	maxTargets         = 1000 // per load balancer
	maxActionGroups    = 5
	maxConditionValues = 5
	maxTags            = 50
	maxPage            = 400
)

// DescribeAccountLimits lists the quotas.
func (s *Service) DescribeAccountLimits(context.Context, *elbv2api.DescribeAccountLimitsInput) (*elbv2api.DescribeAccountLimitsOutput, error) {
	out := &elbv2api.DescribeAccountLimitsOutput{}
	for _, l := range []struct {
		name string
		max  int
	}{
		{"application-load-balancers", maxBalancers},
		{"target-groups", maxGroups},
		{"targets-per-application-load-balancer", maxTargets},
		{"targets-per-target-group", maxTargets},
		{"listeners-per-application-load-balancer", maxListeners},
		{"rules-per-application-load-balancer", maxRules},
		{"certificates-per-application-load-balancer", maxCertificates},
		{"target-groups-per-action-on-application-load-balancer", maxActionGroups},
		{"target-groups-per-application-load-balancer", 100},
		{"condition-values-per-alb-rule", maxConditionValues},
		{"condition-wildcards-per-alb-rule", 6},
	} {
		out.Limits = append(out.Limits, elbv2api.Limit{Name: new(l.name), Max: new(strconv.Itoa(l.max))})
	}
	return out, nil
}

// paged cuts a page out of rows.
func paged[T any](rows []T, key func(T) string, marker *string, size *int32) ([]T, *string, error) {
	page, next, err := awsapi.Page(rows, key, marker, int(val(size)), maxPage)
	if err != nil {
		return nil, nil, errValidation("Marker '%s' is not valid", val(marker))
	}
	return page, next, nil
}

func countOf[T any](rows iter.Seq[T]) (n int) {
	for range rows {
		n++
	}
	return n
}
