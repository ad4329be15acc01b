package iam

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Request is what a role's session wants to do.
type Request struct {
	Role     string // ARN
	Session  string // name
	Action   string // "appmesh:StreamAggregatedResources"
	Resource string // ARN
	Region   string
}

// Authorize evaluates a role's policies as IAM does: an explicit deny wins,
// without an allow the answer is no, and a permissions boundary must allow it
// too (IAM user guide, Policy evaluation logic). nil allows; an error has the
// words of IAM.
func Authorize(r store.Reader, q Request) error {
	role, err := arn.Parse(q.Role)
	name := role.Name()
	user := arn.Scope{Account: role.Account}.GlobalARN("sts", "assumed-role/"+name+"/"+q.Session)
	refuse := func(why string) error {
		return fmt.Errorf("User: %s is not authorized to perform: %s on resource: %s %s", user, q.Action, q.Resource, why)
	}
	p, found := Principal{}, false
	if err == nil {
		p, err = Principals.Get(r, principalKey(role.Account, Role, name))
		found = err == nil
	}
	none := fmt.Sprintf("because no identity-based policy allows the %s action", q.Action)
	if !found {
		return refuse(none)
	}
	keys := map[string]string{
		"aws:principalarn": p.ARN(), "aws:principalaccount": role.Account, "aws:requestedregion": q.Region, "aws:userid": p.ID + ":" + q.Session,
	}
	if to, err := arn.Parse(q.Resource); err == nil {
		keys["aws:resourceaccount"] = to.Account
	}
	switch decide(identityPolicies(r, p), q, keys) {
	case denied:
		return refuse("with an explicit deny in an identity-based policy")
	case silent:
		return refuse(none)
	}
	if p.Boundary == "" {
		return nil
	}
	switch decide(boundaryOf(r, p), q, keys) {
	case denied:
		return refuse("with an explicit deny in a permissions boundary")
	case silent:
		return refuse(fmt.Sprintf("because no permissions boundary allows the %s action", q.Action))
	}
	return nil
}

// identityPolicies are a principal's documents, inline ones and attached ones.
func identityPolicies(r store.Reader, p Principal) (documents []string) {
	for _, name := range slices.Sorted(maps.Keys(p.Inline)) {
		documents = append(documents, p.Inline[name])
	}
	for _, a := range p.Attached {
		documents = append(documents, managedDocument(r, p.Account, a)...)
	}
	return documents
}

func boundaryOf(r store.Reader, p Principal) []string {
	return managedDocument(r, p.Account, p.Boundary)
}

func managedDocument(r store.Reader, account, policy string) []string {
	p, ok := findPolicy(r, account, policy)
	if !ok {
		return nil
	}
	v, ok := p.Version(p.Default)
	if !ok {
		return nil
	}
	return []string{v.Document}
}

// verdict is what documents say together.
type verdict int

const (
	silent verdict = iota
	allowed
	denied
)

func decide(documents []string, q Request, keys map[string]string) verdict {
	out := silent
	for _, text := range documents {
		d, err := parseDocument(text)
		if err != nil {
			continue // it was checked when it was put
		}
		for _, s := range d.Statements {
			if !s.speaksOf(q) {
				continue
			}
			holds, known := s.condition(keys)
			switch {
			case s.Effect == "Deny" && (holds || !known):
				return denied
			case s.Effect == "Allow" && holds && known:
				out = allowed
			}
		}
	}
	return out
}

// speaksOf says whether a statement is about an action on a resource. Actions
// are compared without regard to case.
func (s statement) speaksOf(q Request) bool {
	action := strings.ToLower(q.Action)
	lower := func(raw json.RawMessage) bool {
		patterns, _ := words(raw)
		return slices.ContainsFunc(patterns, func(p string) bool { return like(strings.ToLower(p), action) })
	}
	exact := func(raw json.RawMessage) bool {
		patterns, _ := words(raw)
		return slices.ContainsFunc(patterns, func(p string) bool { return like(p, q.Resource) })
	}
	if s.Action != nil && !lower(s.Action) || s.NotAction != nil && lower(s.NotAction) {
		return false
	}
	return (s.Resource == nil || exact(s.Resource)) && (s.NotResource == nil || !exact(s.NotResource))
}

// condition says whether a statement's conditions hold; known is false when
// one is of a kind that is not evaluated here: then it allows nothing, and
// denies all the same.
func (s statement) condition(keys map[string]string) (holds, known bool) {
	if s.Condition == nil {
		return true, true
	}
	var blocks map[string]map[string]json.RawMessage
	if json.Unmarshal(s.Condition, &blocks) != nil {
		return false, false
	}
	holds, known = true, true
	for operator, tests := range blocks {
		operator, ifExists := strings.CutSuffix(operator, "IfExists")
		for key, raw := range tests {
			value, there := keys[strings.ToLower(key)]
			wanted, ok := words(raw)
			if !ok {
				wanted, ok = literals(raw)
			}
			if operator == "Null" {
				holds = holds && ok && slices.ContainsFunc(wanted, func(w string) bool { return strings.EqualFold(w, strconv.FormatBool(!there)) })
				continue
			}
			one, understood := compare(operator, value, wanted)
			if !ok || !understood {
				known = false
				continue
			}
			negated := strings.Contains(operator, "Not")
			switch {
			case !there && (ifExists || negated):
			case !there || !one:
				holds = false
			}
		}
	}
	return holds, known
}

// like compares with IAM's wildcards: * is anything, ? one character.
func like(pattern, s string) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == s[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}
