package iam

import (
	"maps"
	"strings"

	"github.com/slipway-dev/slipway/kernel/store"
)

// MayAssume says whether a caller may take a role on, a.Resource and a.Policy
// being the role's ARN and its trust policy. Unlike other policies of resources
// a trust policy must always allow: by naming the caller, which within an
// account is enough, or his account, which leaves it to that account's policies
// (IAM user guide, Roles terms and concepts). AWS lets no root take a role on;
// here he may where his account is trusted, since this engine's first
// credentials are root's. A *Refusal says no without a why, as STS does.
func MayAssume(r store.Reader, a Access) error {
	p := callerOf(r, a.Caller)
	keys := map[string]string{
		"aws:requestedregion": a.Region, "aws:resourceaccount": a.Owner, "aws:principaltype": p.kind,
		"aws:principalarn": p.arn(), "aws:principalaccount": p.account,
	}
	maps.Copy(keys, a.Context)
	q := Request{Action: a.Action, Resource: a.Resource, Region: a.Region}
	refusal := &Refusal{Message: "User: " + a.Caller + " is not authorized to perform: " + a.Action + " on resource: " + a.Resource}
	trust, byAccount := decideResource(a.Policy, p, q, keys)
	identity := p.decide(r, q, keys)
	switch {
	case trust == denied || identity.why != "":
		refusal.Explicit = trust == denied || strings.Contains(identity.why, "explicit deny")
		return refusal
	case trust == allowed && p.account == a.Owner:
		return nil
	case (trust == allowed || byAccount) && identity.allows:
		return nil
	}
	return refusal
}
