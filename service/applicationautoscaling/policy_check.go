package applicationautoscaling

import (
	"cmp"
	"math"
	"reflect"
	"slices"

	api "github.com/slipway-dev/slipway/api/applicationautoscalingapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// maxSteps is how many step adjustments a policy may have (Application Auto
// Scaling quotas).
const maxSteps = 20

// checkStep refuses what the API reference rules out (StepAdjustment,
// StepScalingPolicyConfiguration).
func checkStep(c *api.StepScalingPolicyConfiguration) error {
	switch {
	case c.AdjustmentType == "":
		return errValidation("AdjustmentType must be specified for a new step scaling policy.")
	case len(c.StepAdjustments) == 0:
		return errValidation("At least one step adjustment must be specified.")
	case len(c.StepAdjustments) > maxSteps:
		return errLimit("step adjustments", maxSteps)
	case c.MinAdjustmentMagnitude != nil && (c.AdjustmentType != api.AdjustmentTypePercentChangeInCapacity || *c.MinAdjustmentMagnitude < 1):
		return errValidation("MinAdjustmentMagnitude must be positive, and is only valid for the adjustment type PercentChangeInCapacity.")
	case c.Cooldown != nil && *c.Cooldown < 0:
		return errValidation("Cooldown cannot be negative.")
	}
	steps := slices.Clone(c.StepAdjustments)
	slices.SortFunc(steps, func(a, b api.StepAdjustment) int { return cmp.Compare(lower(a), lower(b)) })
	for i, a := range steps {
		switch {
		case lower(a) >= upper(a):
			return errValidation("The lower bound of a step adjustment must be less than its upper bound.")
		case lower(a) < 0 && upper(a) > 0:
			return errValidation("A step adjustment cannot have a negative lower bound and a positive upper bound.")
		case c.AdjustmentType == api.AdjustmentTypeExactCapacity && val(a.ScalingAdjustment) < 0:
			return errValidation("The scaling adjustment of ExactCapacity cannot be negative.")
		case i > 0 && upper(steps[i-1]) != lower(a):
			return errValidation("The ranges of the step adjustments can't overlap or have a gap.")
		}
	}
	return nil
}

func lower(a api.StepAdjustment) float64 {
	if a.MetricIntervalLowerBound == nil {
		return math.Inf(-1)
	}
	return *a.MetricIntervalLowerBound
}

func upper(a api.StepAdjustment) float64 {
	if a.MetricIntervalUpperBound == nil {
		return math.Inf(1)
	}
	return *a.MetricIntervalUpperBound
}

// checkTracking refuses a target or a metric that cannot be followed.
func checkTracking(r store.Reader, k Scaled, c *api.TargetTrackingScalingPolicyConfiguration) error {
	predefined, custom := c.PredefinedMetricSpecification, c.CustomizedMetricSpecification
	target := val(c.TargetValue)
	switch {
	case math.IsNaN(target) || math.IsInf(target, 0) || target <= 0:
		return errValidation("The target value must be a positive number.")
	case val(c.ScaleOutCooldown) < 0 || val(c.ScaleInCooldown) < 0:
		return errValidation("A cooldown cannot be negative.")
	case (predefined == nil) == (custom == nil):
		return errValidation("Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be specified.")
	case predefined != nil:
		return checkPredefined(r, k, predefined)
	case len(custom.Metrics) > 0 && (custom.MetricName != nil || custom.Namespace != nil || custom.Statistic != "" || len(custom.Dimensions) > 0):
		return errValidation("Metrics cannot be combined with MetricName, Namespace, Dimensions, Statistic or Unit.")
	case len(custom.Metrics) == 0 && (custom.MetricName == nil || custom.Namespace == nil || custom.Statistic == ""):
		return errValidation("MetricName, Namespace and Statistic must be specified for a customized metric.")
	}
	return nil
}

func checkPredefined(r store.Reader, k Scaled, m *api.PredefinedMetricSpecification) error {
	switch m.PredefinedMetricType {
	case api.MetricTypeECSServiceAverageCPUUtilization, api.MetricTypeECSServiceAverageMemoryUtilization:
		if m.ResourceLabel != nil {
			return errValidation("Resource label can only be specified for the metric type ALBRequestCountPerTarget.")
		}
		return nil
	case api.MetricTypeALBRequestCountPerTarget:
		if m.ResourceLabel == nil {
			return errValidation("Resource label must be specified for the metric type ALBRequestCountPerTarget.")
		}
		return checkLabel(r, k, *m.ResourceLabel)
	}
	return errValidation("Metric type %s is not supported for service namespace ecs.", m.PredefinedMetricType)
}

// sameMetric tells whether two policies follow one metric.
func sameMetric(a, b *api.TargetTrackingScalingPolicyConfiguration) bool {
	return reflect.DeepEqual(a.PredefinedMetricSpecification, b.PredefinedMetricSpecification) &&
		reflect.DeepEqual(a.CustomizedMetricSpecification, b.CustomizedMetricSpecification)
}
