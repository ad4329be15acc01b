package iam

import (
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/kernel/store"
)

// A role may do what its policies allow, and is told as IAM tells it why not.
func TestAuthorize(t *testing.T) {
	const node, other = "arn:aws:appmesh:us-east-1:123456789012:mesh/shop/virtualNode/order", "arn:aws:appmesh:us-east-1:123456789012:mesh/shop/virtualNode/payment"
	const managed = "arn:aws:iam::aws:policy/AWSAppMeshEnvoyAccess"
	statement := func(s string) string { return `{"Version":"2012-10-17","Statement":[` + s + `]}` }
	allow := func(rest string) string {
		return statement(`{"Effect":"Allow","Action":"appmesh:StreamAggregatedResources"` + rest + `}`)
	}
	for name, c := range map[string]struct {
		inline   []string
		attached []string
		boundary string
		want     string // part of the refusal; empty: allowed
	}{
		"nothing":                 {want: "because no identity-based policy allows the appmesh:StreamAggregatedResources action"},
		"the node":                {inline: []string{allow(`,"Resource":"` + node + `"`)}},
		"another node":            {inline: []string{allow(`,"Resource":"` + other + `"`)}, want: "no identity-based policy"},
		"all nodes of the mesh":   {inline: []string{allow(`,"Resource":["` + other + `","arn:aws:appmesh:*:*:mesh/shop/virtualNode/*"]`)}},
		"all but the node":        {inline: []string{allow(`,"NotResource":"` + node + `"`)}, want: "no identity-based policy"},
		"any action, other case":  {inline: []string{statement(`{"Effect":"Allow","Action":"AppMesh:stream*","Resource":"*"}`)}},
		"all other actions":       {inline: []string{statement(`{"Effect":"Allow","NotAction":"appmesh:*","Resource":"*"}`)}, want: "no identity-based policy"},
		"AWS's policy":            {attached: []string{managed}},
		"denied":                  {attached: []string{managed}, inline: []string{statement(`{"Effect":"Deny","Action":"*","Resource":"` + node + `"}`)}, want: "with an explicit deny in an identity-based policy"},
		"boundary":                {attached: []string{managed}, boundary: managed},
		"outside the boundary":    {attached: []string{managed}, boundary: "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy", want: "because no permissions boundary allows"},
		"in the region":           {inline: []string{allow(`,"Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":["us-east-1","eu-west-1"]}}`)}},
		"in another region":       {inline: []string{allow(`,"Resource":"*","Condition":{"StringNotLike":{"aws:RequestedRegion":"us-*"}}`)}, want: "no identity-based policy"},
		"for the role":            {inline: []string{allow(`,"Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/app/w?b"}}`)}},
		"with a key not there":    {inline: []string{allow(`,"Resource":"*","Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}`)}, want: "no identity-based policy"},
		"if the key is there":     {inline: []string{allow(`,"Resource":"*","Condition":{"StringEqualsIfExists":{"aws:SourceVpc":"vpc-1"}}`)}},
		"not evaluated, allowing": {inline: []string{allow(`,"Resource":"*","Condition":{"BinaryEquals":{"aws:SourceIp":"eA=="}}`)}, want: "no identity-based policy"},
		"not evaluated, denying":  {attached: []string{managed}, inline: []string{statement(`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"BinaryEquals":{"aws:SourceIp":"eA=="}}}`)}, want: "explicit deny"},
	} {
		t.Run(name, func(t *testing.T) {
			st, err := store.Open(store.Config{}, Tables()...)
			if err != nil {
				t.Fatal(err)
			}
			p := Principal{Account: own, Kind: Role, Name: "web", Path: "/app/", ID: "AROA", Inline: map[string]string{}, Attached: c.attached, Boundary: c.boundary}
			for i, doc := range c.inline {
				p.Inline[string(rune('a'+i))] = doc
			}
			if err := st.Update(func(tx *store.Tx) error { Principals.Put(tx, p); return nil }); err != nil {
				t.Fatal(err)
			}
			err = Authorize(st.Snapshot(), Request{Role: p.ARN(), Session: "0a1b", Action: "appmesh:StreamAggregatedResources", Resource: node, Region: "us-east-1"})
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
	st, err := store.Open(store.Config{}, Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	err = Authorize(st.Snapshot(), Request{Role: "arn:aws:iam::123456789012:role/app/web", Session: "0a1b", Action: "appmesh:StreamAggregatedResources", Resource: node})
	if want := "User: arn:aws:sts::123456789012:assumed-role/web/0a1b is not authorized to perform: appmesh:StreamAggregatedResources on resource: " + node + " because"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("a role that is gone: %v", err)
	}
}
