package iam

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Access is what a caller wants to do with a resource that has a policy of its
// own, such as a bucket.
type Access struct {
	Caller   string // ARN of a root, a user or a role's session, or the name of a service of AWS; empty: nobody signed
	Action   string // "s3:GetObject"
	Resource string // ARN
	Owner    string // account that the resource belongs to
	Region   string
	Policy   string            // of the resource; empty: none
	Context  map[string]string // further condition keys, in lower case
}

// Decide evaluates the caller's policies and the resource's together (IAM user
// guide, Policy evaluation logic): an explicit deny in either wins; within an
// account either may allow, the root of an account needs no allow; across
// accounts both must. nil allows; a *Refusal says why not, in the words of IAM.
func Decide(r store.Reader, a Access) error {
	p := callerOf(r, a.Caller)
	keys := map[string]string{
		"aws:requestedregion": a.Region, "aws:resourceaccount": a.Owner, "aws:principaltype": p.kind,
	}
	if a.Caller != "" {
		keys["aws:principalarn"], keys["aws:principalaccount"] = p.arn(), p.account
	}
	maps.Copy(keys, a.Context)
	q := Request{Action: a.Action, Resource: a.Resource, Region: a.Region}
	refuse := func(why string) error {
		e := &Refusal{Message: "Access Denied", Explicit: strings.Contains(why, "explicit deny")}
		if a.Caller != "" {
			e.Message = fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %q %s", a.Caller, a.Action, a.Resource, why)
		}
		return e
	}
	onResource, byAccount := decideResource(a.Policy, p, q, keys)
	if onResource == denied {
		return refuse("with an explicit deny in a resource-based policy")
	}
	identity := p.decide(r, q, keys)
	if identity.why != "" {
		return refuse(identity.why)
	}
	none := fmt.Sprintf("because no identity-based policy allows the %s action", a.Action)
	switch {
	case a.Caller == "", p.kind == "Service": // who have no policies of their own
		if onResource == allowed {
			return nil
		}
		return refuse(fmt.Sprintf("because no resource-based policy allows the %s action", a.Action))
	case p.account != a.Owner:
		if onResource != allowed && !byAccount {
			return refuse(fmt.Sprintf("because no resource-based policy allows the %s action", a.Action))
		}
		if !identity.allows {
			return refuse(none)
		}
		return nil
	case identity.allows || onResource == allowed:
		return nil
	}
	return refuse(none)
}

// Refusal says why a caller may not.
type Refusal struct {
	Message string
	// Explicit: a policy denies it, and nothing else can allow it.
	Explicit bool
}

func (e *Refusal) Error() string { return e.Message }

// who is a caller as policies see him.
type who struct {
	text      string // ARN as it is in requests
	account   string
	kind      string // aws:PrincipalType
	principal Principal
	known     bool
	session   string
}

// callerOf reads a caller's ARN and finds the user or role behind it.
func callerOf(r store.Reader, text string) who {
	w := who{text: text, kind: "Anonymous"}
	if strings.HasSuffix(text, ".amazonaws.com") {
		w.kind = "Service"
		return w
	}
	a, err := arn.Parse(text)
	if err != nil {
		return w
	}
	w.account = a.Account
	kind, rest, _ := strings.Cut(a.Resource, "/")
	switch kind {
	case "root":
		w.kind = "Account"
		return w
	case "user":
		w.kind = "User"
		w.principal, err = Principals.Get(r, principalKey(a.Account, User, a.Name()))
	case "assumed-role":
		w.kind = "AssumedRole"
		name, session, _ := strings.Cut(rest, "/")
		w.session = session
		w.principal, err = GetRole(r, a.Account, name)
	default:
		return w
	}
	w.known = err == nil
	return w
}

// arn is the caller as aws:PrincipalArn has him: of a session its role.
func (w who) arn() string {
	if w.known {
		return w.principal.ARN()
	}
	return w.text
}

// ruling is what a caller's own policies say.
type ruling struct {
	allows bool
	why    string // a refusal that nothing outweighs
}

func (w who) decide(r store.Reader, q Request, keys map[string]string) ruling {
	if w.kind == "Account" {
		return ruling{allows: true}
	}
	if !w.known {
		return ruling{}
	}
	documents := identityPolicies(r, w.principal)
	for _, g := range w.principal.Groups {
		if p, err := Principals.Get(r, principalKey(w.account, Group, g)); err == nil {
			documents = append(documents, identityPolicies(r, p)...)
		}
	}
	verdict := decide(documents, q, keys)
	if verdict == denied {
		return ruling{why: "with an explicit deny in an identity-based policy"}
	}
	if w.principal.Boundary != "" {
		switch decide(boundaryOf(r, w.principal), q, keys) {
		case denied:
			return ruling{why: "with an explicit deny in a permissions boundary"}
		case silent:
			return ruling{why: fmt.Sprintf("because no permissions boundary allows the %s action", q.Action)}
		}
	}
	return ruling{allows: verdict == allowed}
}

// decideResource is the verdict of a resource's policy. byAccount says that it
// allows the caller's account, which leaves the rest to that account's policies.
func decideResource(text string, w who, q Request, keys map[string]string) (v verdict, byAccount bool) {
	if text == "" {
		return silent, false
	}
	d, err := parseDocument(text)
	if err != nil {
		return silent, false // it was checked when it was put
	}
	for _, s := range d.Statements {
		if !s.speaksOf(q) {
			continue
		}
		direct, account := s.names(w)
		holds, known := s.condition(keys)
		switch {
		case !direct && !account:
		case s.Effect == "Deny" && (holds || !known):
			return denied, false
		case s.Effect == "Allow" && holds && known:
			byAccount = byAccount || account
			if direct {
				v = allowed
			}
		}
	}
	return v, byAccount
}

// names says whether a statement is about a caller: himself, or all of his
// account.
func (s statement) names(w who) (direct, account bool) {
	if s.NotPrincipal != nil {
		d, a := principals(s.NotPrincipal, w.kind).match(w)
		return !d && !a, false
	}
	return principals(s.Principal, w.kind).match(w)
}

// principals are the names in a Principal element that are of a kind of
// callers; "*" is everybody.
func principals(raw json.RawMessage, kind string) (p names) {
	var star string
	if json.Unmarshal(raw, &star) == nil {
		return names{star}
	}
	var byKind map[string]json.RawMessage
	if json.Unmarshal(raw, &byKind) != nil {
		return nil
	}
	if kind == "Service" {
		all, _ := words(byKind["Service"])
		return all
	}
	all, _ := words(byKind["AWS"])
	return all
}

type names []string

func (n names) match(w who) (direct, account bool) {
	root := arn.Scope{Account: w.account}.GlobalARN("iam", "root")
	for _, name := range n {
		switch {
		case name == "*":
			direct = true
		case w.kind == "Service":
			direct = direct || name == w.text
		case w.account == "":
		case name == w.account || name == root:
			account = true
			direct = direct || w.kind == "Account"
		case name == w.text || w.known && name == w.principal.ARN():
			direct = true
		}
	}
	return direct, account
}

// Public says whether a resource's policy lets everybody in: an Allow for "*"
// that no condition on who or where limits.
// Source: Amazon S3 user guide, The meaning of "public".
func Public(text string) bool {
	d, err := parseDocument(text)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(d.Statements, func(s statement) bool {
		return s.Effect == "Allow" && (s.NotPrincipal != nil || slices.Contains(principals(s.Principal, ""), "*")) && !s.limited()
	})
}

// limits are the condition keys that make a statement for everybody not public.
var limits = []string{
	"aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:principalorgid", "aws:principalaccount", "aws:principalarn", "aws:userid",
	"aws:sourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:sourceowner", "s3:dataaccesspointarn", "s3:dataaccesspointaccount",
}

func (s statement) limited() bool {
	var blocks map[string]map[string]json.RawMessage
	if s.Condition == nil || json.Unmarshal(s.Condition, &blocks) != nil {
		return false
	}
	for operator, tests := range blocks {
		for key, raw := range tests {
			values, _ := words(raw)
			if slices.Contains(limits, strings.ToLower(key)) && !strings.Contains(operator, "Not") && !slices.Contains(values, "*") && !slices.Contains(values, "0.0.0.0/0") {
				return true
			}
		}
	}
	return false
}

// CheckResourcePolicy checks the form of a resource's policy. The error's
// message is for people; services give it their own code.
func CheckResourcePolicy(text string, known func(arn string) bool) error {
	d, err := parseDocument(text)
	if err != nil {
		return err
	}
	for _, s := range d.Statements {
		if s.Principal == nil && s.NotPrincipal == nil {
			return malformed("Missing required field Principal")
		}
		if s.Resource == nil && s.NotResource == nil {
			return malformed("Missing required field Resource")
		}
		if s.Principal != nil {
			if err := checkPrincipal(s.Principal, known); err != nil {
				return malformed("Invalid principal in policy")
			}
		}
	}
	return nil
}

// Resources are the resources that a policy names, without those of NotResource.
func Resources(text string) (all []string) {
	d, err := parseDocument(text)
	if err != nil {
		return nil
	}
	for _, s := range d.Statements {
		names, _ := words(s.Resource)
		all = append(all, names...)
	}
	return all
}

// Known says whether a principal that a policy names by its ARN is there, in any
// account of this engine.
func Known(r store.Reader, text string) bool {
	a, err := arn.Parse(text)
	if err != nil || a.Service != "iam" && a.Service != "sts" {
		return false
	}
	if a.Resource == "root" {
		return true
	}
	w := callerOf(r, text)
	if kind, _, _ := strings.Cut(a.Resource, "/"); kind == "role" {
		role, err := GetRole(r, a.Account, a.Name())
		return err == nil && role.ARN() == text
	}
	return w.known
}
