package iam

import (
	"testing"

	"github.com/slipway-dev/slipway/kernel/store"
)

// A service of AWS may what the resource's policy lets it by its name, and no
// account of that name may the same.
func TestServicesAsPrincipals(t *testing.T) {
	st, err := store.Open(store.Config{}, Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	const logs, other = "logdelivery.elasticloadbalancing.amazonaws.com", "delivery.logs.amazonaws.com"
	allow := func(principal string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":"s3:PutObject","Resource":"*",
			"Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}`
	}
	for _, c := range []struct {
		caller, policy, account string
		may                     bool
	}{
		{logs, allow(`{"Service":"` + logs + `"}`), "123456789012", true},
		{logs, allow(`{"Service":["` + other + `","` + logs + `"]}`), "123456789012", true},
		{logs, allow(`"*"`), "123456789012", true},
		{logs, allow(`{"Service":"` + logs + `"}`), "210987654321", false},
		{logs, allow(`{"Service":"` + other + `"}`), "123456789012", false},
		{logs, allow(`{"AWS":"` + logs + `"}`), "123456789012", false},
		{logs, "", "123456789012", false},
		{"arn:aws:iam::210987654321:root", allow(`{"Service":"` + logs + `"}`), "123456789012", false},
	} {
		err := Decide(st.Snapshot(), Access{
			Caller: c.caller, Action: "s3:PutObject", Resource: "arn:aws:s3:::logs/x", Owner: "123456789012", Region: "us-east-1", Policy: c.policy,
			Context: map[string]string{"aws:sourceaccount": c.account},
		})
		if (err == nil) != c.may {
			t.Errorf("%s of %s by %s: %v", c.caller, c.account, c.policy, err)
		}
	}
}
