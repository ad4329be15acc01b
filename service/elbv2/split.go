package elbv2

import (
	"fmt"
	"math"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/store"
)

// SplitTraffic makes a rule forward percent (0-100) of its requests to one
// target group and the rest to another. It is how ECS moves the traffic of a
// blue/green deployment: the rule keeps its conditions and its stickiness.
// Nothing is written when the rule says so already.
func SplitTraffic(tx *store.Tx, ruleARN, to, from string, percent float64) error {
	u, err := Rules.Get(tx, ruleARN)
	if err != nil {
		return fmt.Errorf("the listener rule %s does not exist", ruleARN)
	}
	wTo, wFrom := weights(percent)
	want := []elbv2api.TargetGroupTuple{{TargetGroupArn: &to, Weight: &wTo}, {TargetGroupArn: &from, Weight: &wFrom}}
	sticky := &elbv2api.TargetGroupStickinessConfig{Enabled: new(false)}
	if len(u.Actions) == 1 {
		if f := u.Actions[0].ForwardConfig; f != nil && f.TargetGroupStickinessConfig != nil {
			sticky = f.TargetGroupStickinessConfig
		}
		have := tuples(u.Actions[0])
		if splits(have, want) || percent == 100 && len(have) == 1 && val(have[0].TargetGroupArn) == to {
			return nil // a rule that only knows the one group is left so: the other may be about to go
		}
	}
	u.Actions = []elbv2api.Action{{
		Type: elbv2api.ActionTypeEnumForward, Order: new(int32(1)),
		ForwardConfig: &elbv2api.ForwardActionConfig{TargetGroups: want, TargetGroupStickinessConfig: sticky},
	}}
	Rules.Put(tx, u)
	return nil
}

// weights are the two weights of a split: in percent where whole percents
// say it, else in thousandths.
func weights(percent float64) (to, from int32) {
	if percent == math.Trunc(percent) {
		return int32(percent), 100 - int32(percent)
	}
	to = min(max(int32(math.Round(percent*10)), 1), 999)
	return to, min(1000-to, 999)
}

// splits says whether the groups and weights are those wanted, in any order.
func splits(have, want []elbv2api.TargetGroupTuple) bool {
	if len(have) != len(want) {
		return false
	}
	weight := map[string]int32{}
	for _, t := range have {
		weight[val(t.TargetGroupArn)] = val(t.Weight)
	}
	for _, t := range want {
		if w, ok := weight[*t.TargetGroupArn]; !ok || w != *t.Weight {
			return false
		}
	}
	return true
}
