// Package arn names things the way AWS does: an account and a region make a
// Scope, a Scope makes Amazon Resource Names and the primary keys of rows.
//
// Every row of the store is keyed by account and region first, so that two
// accounts, or two regions of one, never see each other.
package arn

import (
	"fmt"
	"strings"
)

// Partition is the only partition served.
const Partition = "aws"

// Scope is where a request acts: a 12-digit account and a region name.
type Scope struct {
	Account string `json:"account"`
	Region  string `json:"region"`
}

// ARN names a regional resource: arn:aws:<service>:<region>:<account>:<resource>.
func (s Scope) ARN(service, resource string) string {
	return "arn:" + Partition + ":" + service + ":" + s.Region + ":" + s.Account + ":" + resource
}

// GlobalARN names a resource of a service that has no regions, such as IAM:
// arn:aws:<service>::<account>:<resource>.
func (s Scope) GlobalARN(service, resource string) string {
	return "arn:" + Partition + ":" + service + "::" + s.Account + ":" + resource
}

// Key is the primary key of a row: account/region/part/part...
func (s Scope) Key(parts ...string) string {
	return s.Account + "/" + s.Region + "/" + strings.Join(parts, "/")
}

// ScopeOfKey reads the scope back from a key made by Key. It is the zero
// Scope when the key has another form.
func ScopeOfKey(key string) Scope {
	account, rest, ok := strings.Cut(key, "/")
	region, _, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 {
		return Scope{}
	}
	return Scope{Account: account, Region: region}
}

// ScopeOfRow is the scope in the key of any row: one made by Key, or one that
// begins with an ARN. It is the zero Scope for a row that is of no account.
func ScopeOfRow(key string) Scope {
	scope := ScopeOfKey(key)
	if a, err := Parse(key); err == nil {
		scope = a.Scope()
	}
	if len(scope.Account) != 12 || strings.Trim(scope.Account, "0123456789") != "" {
		return Scope{}
	}
	return scope
}

// ARN is a parsed Amazon Resource Name. Region and Account may be empty.
type ARN struct {
	Partition, Service, Region, Account, Resource string
}

// Parse reads an ARN; the resource part may itself contain colons.
func Parse(s string) (ARN, error) {
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[1] == "" || p[2] == "" || p[5] == "" {
		return ARN{}, fmt.Errorf("%q is not an ARN: want arn:partition:service:region:account:resource", s)
	}
	return ARN{Partition: p[1], Service: p[2], Region: p[3], Account: p[4], Resource: p[5]}, nil
}

// Scope is the account and region the ARN names.
func (a ARN) Scope() Scope { return Scope{Account: a.Account, Region: a.Region} }

// String is the ARN in its usual form.
func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// Name is what follows the last slash of the resource, or all of it:
// "cluster/web" and "service/web/api" give "web" and "api".
func (a ARN) Name() string {
	return a.Resource[strings.LastIndexByte(a.Resource, '/')+1:]
}
