package iam

import (
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Kind is what a Principal is; the words are those of ARNs.
type Kind string

// Kinds of principals.
const (
	Role  Kind = "role"
	User  Kind = "user"
	Group Kind = "group"
)

// Principal is a role, a user or a group: what policies are attached to.
type Principal struct {
	Account     string
	Kind        Kind
	Name        string
	Path        string // begins and ends with a slash
	ID          string // AROA..., AIDA..., AGPA...
	Created     time.Time
	Tags        map[string]string
	Inline      map[string]string // policy documents by name
	Attached    []string          // ARNs of managed policies, in the order of attachment
	Boundary    string            // ARN of a managed policy, or empty
	Description string
	MaxSession  int      // seconds; roles only
	Trust       string   // policy document; roles only
	Groups      []string // names; users only
}

// ARN is arn:aws:iam::<account>:role<path><name>.
func (p Principal) ARN() string {
	return arn.Scope{Account: p.Account}.GlobalARN("iam", string(p.Kind)+p.Path+p.Name)
}

// Principals are the roles, users and groups.
var Principals = store.NewTable("iam/principal",
	func(p Principal) string { return principalKey(p.Account, p.Kind, p.Name) },
	store.Index("policy", func(p Principal) []string {
		keys := make([]string, 0, len(p.Attached)+1)
		for _, a := range p.Attached {
			keys = append(keys, p.Account+" "+a)
		}
		return keys
	}),
	store.Index("group", func(p Principal) []string {
		keys := make([]string, 0, len(p.Groups))
		for _, g := range p.Groups {
			keys = append(keys, principalKey(p.Account, Group, g))
		}
		return keys
	}),
)

func principalKey(account string, k Kind, name string) string {
	return global(account).Key(string(k), strings.ToLower(name))
}

// GetRole finds a role by name.
func GetRole(r store.Reader, account, name string) (Principal, error) {
	return Principals.Get(r, principalKey(account, Role, name))
}

// Policy is a managed policy of a customer.
type Policy struct {
	Account     string
	Name        string
	Path        string
	ID          string // ANPA...
	Description string
	Created     time.Time
	Updated     time.Time
	Default     string    // id of the default version
	Versions    []Version // the oldest first, at most five
	Drawn       int       // versions ever made
	Tags        map[string]string
}

// Version is one version of a managed policy.
type Version struct {
	ID       string // v1, v2, ...
	Document string
	Created  time.Time
}

// ARN is arn:aws:iam::<account>:policy<path><name>; AWS's own policies have the
// account "aws".
func (p Policy) ARN() string {
	return arn.Scope{Account: p.Account}.GlobalARN("iam", "policy"+p.Path+p.Name)
}

// Version finds a version by id.
func (p Policy) Version(id string) (Version, bool) {
	for _, v := range p.Versions {
		if v.ID == id {
			return v, true
		}
	}
	return Version{}, false
}

// Policies are the managed policies of customers; AWS's own are not rows.
var Policies = store.NewTable("iam/policy", func(p Policy) string { return policyKey(p.Account, p.Name) })

func policyKey(account, name string) string {
	return global(account).Key("policy", strings.ToLower(name))
}

// Profile is an instance profile, with at most one role.
type Profile struct {
	Account string
	Name    string
	Path    string
	ID      string // AIPA...
	Created time.Time
	Role    string // name, or empty
	Tags    map[string]string
}

// ARN is arn:aws:iam::<account>:instance-profile<path><name>.
func (p Profile) ARN() string {
	return arn.Scope{Account: p.Account}.GlobalARN("iam", "instance-profile"+p.Path+p.Name)
}

// Profiles are the instance profiles.
var Profiles = store.NewTable("iam/profile",
	func(p Profile) string { return profileKey(p.Account, p.Name) },
	store.Index("role", func(p Profile) []string {
		if p.Role == "" {
			return nil
		}
		return []string{principalKey(p.Account, Role, p.Role)}
	}),
)

func profileKey(account, name string) string {
	return global(account).Key("profile", strings.ToLower(name))
}
