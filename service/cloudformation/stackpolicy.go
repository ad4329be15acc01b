package cloudformation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Actions that a stack policy allows or denies.
const (
	modifyAction  = "Update:Modify"
	replaceAction = "Update:Replace"
	deleteAction  = "Update:Delete"
)

// stackPolicy says which resources an update may touch. The form is that of
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/protect-stack-resources.html: what no statement allows is denied, and a denial wins.
type stackPolicy struct {
	Statement oneOrMore[statement]
}

type statement struct {
	Sid         string
	Effect      string
	Principal   any
	Action      oneOrMore[string]
	NotAction   oneOrMore[string]
	Resource    oneOrMore[string]
	NotResource oneOrMore[string]
	Condition   map[string]map[string]oneOrMore[string]
}

// oneOrMore reads a JSON list, or a single element without its brackets.
type oneOrMore[T any] []T

func (l *oneOrMore[T]) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '[' {
		return json.Unmarshal(raw, (*[]T)(l))
	}
	var one T
	if err := json.Unmarshal(raw, &one); err != nil {
		return err
	}
	*l = []T{one}
	return nil
}

// maxPolicy is the size of the longest policy body, in bytes.
const maxPolicy = 16384

// parsePolicy reads a policy. The empty document is one too: it protects nothing, which is how AWS lets go of a policy.
func parsePolicy(body string) (*stackPolicy, error) {
	if len(body) > maxPolicy {
		return nil, invalid("1 validation error detected: Value at 'stackPolicyBody' failed to satisfy constraint: "+
			"Member must have length less than or equal to %d", maxPolicy)
	}
	dec := json.NewDecoder(strings.NewReader(body))
	dec.DisallowUnknownFields()
	p := &stackPolicy{}
	if err := dec.Decode(p); err != nil {
		return nil, badPolicy("it cannot be read: %v", err)
	}
	if dec.More() {
		return nil, badPolicy("something follows the document")
	}
	for i, st := range p.Statement {
		if fault := st.fault(); fault != "" {
			return nil, badPolicy("statement %d: %s", i+1, fault)
		}
	}
	return p, nil
}

// badPolicy begins as AWS's message does, which does not say what is wrong.
func badPolicy(format string, args ...any) error {
	return invalid("Error validating stack policy: Invalid stack policy (%s)", fmt.Sprintf(format, args...))
}

func (st statement) fault() string {
	switch {
	case st.Effect != "Allow" && st.Effect != "Deny":
		return `Effect must be "Allow" or "Deny"`
	case !anybody(st.Principal):
		return `Principal must be "*"`
	case (len(st.Action) == 0) == (len(st.NotAction) == 0):
		return "either Action or NotAction must be given"
	case (len(st.Resource) == 0) == (len(st.NotResource) == 0):
		return "either Resource or NotResource must be given"
	}
	for _, a := range slices.Concat(st.Action, st.NotAction) {
		if !slices.Contains([]string{modifyAction, replaceAction, deleteAction, "Update:*"}, a) {
			return fmt.Sprintf("there is no action %s; the actions are Update:Modify, Update:Replace, Update:Delete and Update:*", a)
		}
	}
	for _, r := range slices.Concat(st.Resource, st.NotResource) {
		if r != "*" && !strings.HasPrefix(r, "LogicalResourceId/") {
			return fmt.Sprintf("resource %s must be * or begin with LogicalResourceId/", r)
		}
	}
	for op, keys := range st.Condition {
		if op != "StringEquals" && op != "StringLike" {
			return fmt.Sprintf("condition %s is not supported; use StringEquals or StringLike", op)
		}
		for key := range keys {
			if key != "ResourceType" {
				return fmt.Sprintf("condition key %s is not supported; the only key is ResourceType", key)
			}
		}
	}
	return ""
}

func anybody(principal any) bool {
	m, ok := principal.(map[string]any)
	return principal == "*" || (ok && len(m) == 1 && m["AWS"] == "*")
}

// refusal is why the policy does not let an update act on a resource, in the words of its event; "" when it does.
func (p *stackPolicy) refusal(action, id, typ string) string {
	if p == nil || len(p.Statement) == 0 {
		return ""
	}
	allowed := false
	for i, st := range p.Statement {
		if !st.covers(action, id, typ) {
			continue
		}
		if st.Effect == "Deny" {
			return fmt.Sprintf("Action denied by stack policy: Statement [#%d] does not allow [%s] for resource [%s];", i+1,
				strings.Join(slices.Concat(st.Action, st.NotAction), ", "), strings.Join(slices.Concat(st.Resource, st.NotResource), ", "))
		}
		allowed = true
	}
	if !allowed {
		return fmt.Sprintf("Action not allowed by stack policy: No statement allows [%s] for resource [LogicalResourceId/%s];", action, id)
	}
	return ""
}

func (st statement) covers(action, id, typ string) bool {
	pick := func(in, not []string, v string) bool {
		if len(not) > 0 {
			return !slices.ContainsFunc(not, func(pattern string) bool { return wild(pattern, v) })
		}
		return slices.ContainsFunc(in, func(pattern string) bool { return wild(pattern, v) })
	}
	if !pick(st.Action, st.NotAction, action) || !pick(st.Resource, st.NotResource, "LogicalResourceId/"+id) {
		return false
	}
	for op, keys := range st.Condition {
		if !slices.ContainsFunc(keys["ResourceType"], func(v string) bool { return v == typ || (op == "StringLike" && wild(v, typ)) }) {
			return false
		}
	}
	return true
}

// wild matches a pattern in which * stands for any text.
func wild(pattern, text string) bool {
	first, rest, more := strings.Cut(pattern, "*")
	if !more {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, first)
	if !ok {
		return false
	}
	for {
		var part string
		part, rest, more = strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(text, part)
		}
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
}
