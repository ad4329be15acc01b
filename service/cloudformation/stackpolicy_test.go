package cloudformation

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
)

func TestPoliciesThatCannotBeRead(t *testing.T) {
	const good = `"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"`
	for body, want := range map[string]string{
		``:                   "it cannot be read: EOF",
		`x`:                  "it cannot be read: invalid character 'x' looking for beginning of value",
		`{} {}`:              "something follows the document",
		`{"Statements": []}`: `it cannot be read: json: unknown field "Statements"`,
		`{"Statement": {}}`:  `statement 1: Effect must be "Allow" or "Deny"`,
		`{"Statement": [{` + good + `}, {"Effect": "Deny", "Principal": "*", "Action": "Update:*"}]}`: "statement 2: either Resource or NotResource must be given",
		`{"Statement": {"Effect": "Deny", "Principal": "me", "Action": "Update:*", "Resource": "*"}}`: `statement 1: Principal must be "*"`,
		`{"Statement": {"Effect": "Deny", "Principal": "*", "Resource": "*"}}`:                        "statement 1: either Action or NotAction must be given",
		`{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "Delete:*", "Resource": "*"}}`:  "statement 1: there is no action Delete:*; the actions are Update:Modify, Update:Replace, Update:Delete and Update:*",
		`{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "Update:*", "Resource": "A"}}`:  "statement 1: resource A must be * or begin with LogicalResourceId/",
		`{"Statement": {` + good + `, "Condition": {"Bool": {"ResourceType": "x"}}}}`:                 "statement 1: condition Bool is not supported; use StringEquals or StringLike",
		`{"Statement": {` + good + `, "Condition": {"StringLike": {"Name": "x"}}}}`:                   "statement 1: condition key Name is not supported; the only key is ResourceType",
	} {
		_, err := parsePolicy(body)
		if got := message(err); got != "Error validating stack policy: Invalid stack policy ("+want+")" {
			t.Errorf("%s: %s", body, got)
		}
	}
}

func TestPolicyOperations(t *testing.T) {
	quiet(t, func(s *story) {
		if _, err := s.svc.CreateStack(s.ctx, &api.CreateStackInput{StackName: new("web"), TemplateBody: new(oneThing)}); err != nil {
			t.Fatal(err)
		}
		s.wait()
		get := func() *string {
			out, err := s.svc.GetStackPolicy(s.ctx, &api.GetStackPolicyInput{StackName: new("web")})
			if err != nil {
				t.Fatal(err)
			}
			return out.StackPolicyBody
		}
		if p := get(); p != nil {
			t.Errorf("a new stack has the policy %s", *p)
		}
		body := `{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "Update:*", "Resource": "*"}}`
		s.files = map[string]string{"p.json": body}
		for in, want := range map[*api.SetStackPolicyInput]string{
			{StackPolicyBody: &body, StackPolicyURL: new("s3://p.json")}: "You cannot specify both StackPolicyURL and StackPolicyBody",
			{}: "One of StackPolicyBody or StackPolicyURL must be specified.",
			{StackPolicyBody: new(strings.Repeat(" ", maxPolicy+1))}: "1 validation error detected: Value at 'stackPolicyBody' failed to satisfy constraint: Member must have length less than or equal to 16384",
		} {
			in.StackName = new("web")
			if _, err := s.svc.SetStackPolicy(s.ctx, in); message(err) != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		if _, err := s.svc.SetStackPolicy(s.ctx, &api.SetStackPolicyInput{StackName: new("web"), StackPolicyBody: &body}); err != nil {
			t.Fatal(err)
		}
		if p := get(); deref(p) != body {
			t.Errorf("policy %s", deref(p))
		}
	})
}

// TestDenialsWin: whatever else a policy says, what it denies it refuses, and what it does not allow too.
func TestDenialsWin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		actions := []string{modifyAction, replaceAction, deleteAction, "Update:*"}
		resources := []string{"*", "LogicalResourceId/A", "LogicalResourceId/A*", "LogicalResourceId/*B"}
		p := &stackPolicy{}
		for range rapid.IntRange(1, 5).Draw(t, "statements") {
			st := statement{Effect: rapid.SampledFrom([]string{"Allow", "Deny"}).Draw(t, "effect"), Principal: "*"}
			st.Action = rapid.SliceOfN(rapid.SampledFrom(actions), 1, 2).Draw(t, "actions")
			st.Resource = rapid.SliceOfN(rapid.SampledFrom(resources), 1, 2).Draw(t, "resources")
			p.Statement = append(p.Statement, st)
		}
		action := rapid.SampledFrom(actions[:3]).Draw(t, "action")
		id := rapid.SampledFrom([]string{"A", "AB", "B", "C"}).Draw(t, "id")
		var allowed, denied bool
		for _, st := range p.Statement {
			if st.covers(action, id, "T::Thing") {
				allowed, denied = allowed || st.Effect == "Allow", denied || st.Effect == "Deny"
			}
		}
		if got := p.refusal(action, id, "T::Thing") == ""; got != (allowed && !denied) {
			t.Fatalf("%+v: %s of %s allowed: %v", p, action, id, got)
		}
	})
}

func TestWildcards(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"*", "", true},
		{"a*", "abc", true},
		{"a*c", "abc", true},
		{"a*c", "ab", false},
		{"*b*", "abc", true},
		{"a*b*c", "axxbyyc", true},
		{"a*b*c", "acb", false},
		{"abc", "abc", true},
		{"ab", "abc", false},
		{"a**c", "ac", true},
		{"ab*ba", "aba", false},
	} {
		if got := wild(tt.pattern, tt.text); got != tt.want {
			t.Errorf("wild(%q, %q) = %v", tt.pattern, tt.text, got)
		}
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add(`{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["Update:*"], "NotResource": "LogicalResourceId/A*"}]}`)
	f.Add(`{"Statement": {"Effect": "Deny", "Principal": "*", "NotAction": "Update:Modify", "Resource": "*", "Condition": {"StringLike": {"ResourceType": ["T::*"]}}}}`)
	f.Add(`{}`)
	f.Fuzz(func(t *testing.T, body string) {
		p, err := parsePolicy(body)
		if err == nil {
			p.refusal(modifyAction, "A", "T::Thing")
		}
	})
}
