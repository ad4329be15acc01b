package rollout

import "time"

// Breaker is the deployment circuit breaker.
type Breaker struct {
	Enable, Rollback bool
	// ThresholdType is BOUNDED_PERCENT (the default), UNBOUNDED_PERCENT or COUNT.
	ThresholdType string
	// Value is a percentage of the desired count, default 50, or the count.
	Value int
	// KeepsCount is true when a healthy task does not reset the count
	// (resetOnHealthyTask false).
	KeepsCount bool
}

// Threshold is the number of failed tasks at which a deployment has failed:
// clamp(ceil(value% of desired), 3, 200) for BOUNDED_PERCENT.
func (b Breaker) Threshold(desired int) int {
	value := b.Value
	if b.ThresholdType == "COUNT" {
		return max(value, 1)
	}
	if value == 0 {
		value = 50
	}
	n := (desired*value + 99) / 100
	if b.ThresholdType == "UNBOUNDED_PERCENT" {
		return max(n, 1)
	}
	return min(max(n, 3), 200)
}

// Delays of restarts of tasks that fail one after the other.
const (
	firstThrottle = time.Second
	lastThrottle  = 15 * time.Minute
)

// Throttle is how long to wait before the next start after so many failures
// in a row. The first two restarts are immediate; ECS documents only that the
// delay grows to 15 minutes.
func Throttle(failures int) time.Duration {
	if failures < 3 {
		return 0
	}
	return min(firstThrottle<<min(failures-3, 20), lastThrottle)
}
