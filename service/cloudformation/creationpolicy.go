package cloudformation

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/cfn/template"
)

// What CreationPolicy says when it leaves something out.
const (
	defaultSignals = 1
	defaultWait    = 5 * time.Minute
)

// signals is what a resource's creation policy waits for; nil where nothing is waited for. Of the types that heed creation policies (CreationPolicy attribute,
// CloudFormation user guide) the engine has wait conditions; on others the attribute has no effect, as in AWS. So has UpdatePolicy: the groups and aliases that it
// is for are not among the engine's types.
func signals(bound *template.Bound, r *template.Resource, env template.Env) (*cfn.Signals, error) {
	if r.Type != conditionType || r.CreationPolicy == nil {
		return nil, nil
	}
	v, err := bound.Eval(r.CreationPolicy, env)
	if err != nil {
		return nil, err
	}
	policy, _ := v.(map[string]any)
	wants, ok := policy["ResourceSignal"].(map[string]any)
	if !ok {
		return nil, nil
	}
	out := cfn.Signals{Count: defaultSignals, Timeout: defaultWait}
	if text, ok := template.Text(wants["Count"]); ok {
		if out.Count, err = strconv.Atoi(text); err != nil || out.Count < 0 {
			return nil, &template.Error{Message: fmt.Sprintf("CreationPolicy of resource %s: Count must be a number of signals, not %s", r.LogicalID, text)}
		}
	}
	if text, ok := template.Text(wants["Timeout"]); ok {
		if out.Timeout, ok = duration(text); !ok || out.Timeout > longestWait {
			return nil, &template.Error{Message: fmt.Sprintf("CreationPolicy of resource %s: Timeout must be a duration of at most PT12H, not %s", r.LogicalID, text)}
		}
	}
	return &out, nil
}

var isoDuration = regexp.MustCompile(`^PT(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,6})S)?$`)

// duration reads an ISO 8601 duration of hours, minutes and seconds.
func duration(text string) (time.Duration, bool) {
	m := isoDuration.FindStringSubmatch(text)
	if m == nil || text == "PT" {
		return 0, false
	}
	var sum time.Duration
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second} {
		n, _ := strconv.Atoi("0" + m[i+1]) // digits
		sum += time.Duration(n) * unit
	}
	return sum, true
}
