package iam

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// statement is one statement of a policy document. Elements that may be one
// value or a list stay raw.
type statement struct {
	Effect       string
	Action       json.RawMessage
	NotAction    json.RawMessage
	Resource     json.RawMessage
	NotResource  json.RawMessage
	Principal    json.RawMessage
	NotPrincipal json.RawMessage
	Condition    json.RawMessage
	Sid          json.RawMessage
}

// Document is a parsed policy document.
type Document struct {
	Version    string
	Statements []statement
}

// parseDocument reads a policy document, in the words of AWS's refusals.
// Source: IAM JSON policy elements reference, and observed messages.
func parseDocument(text string) (Document, error) {
	if strings.TrimLeft(text, " \t\r\n") == "" || !json.Valid([]byte(text)) {
		return Document{}, malformed("This policy contains invalid Json")
	}
	var raw struct {
		Version   *string
		ID        json.RawMessage `json:"Id"`
		Statement json.RawMessage
	}
	if err := strict(text, &raw); err != nil {
		return Document{}, malformed("Syntax errors in policy.")
	}
	d := Document{Version: "2008-10-17"}
	if raw.Version != nil {
		d.Version = *raw.Version
	}
	if d.Version != "2012-10-17" && d.Version != "2008-10-17" {
		return Document{}, malformed("The policy must contain a valid version string")
	}
	statements := bytes.TrimSpace(raw.Statement)
	if len(statements) > 0 && statements[0] == '{' {
		statements = append(append([]byte{'['}, statements...), ']')
	}
	if len(statements) == 0 || strict(string(statements), &d.Statements) != nil || len(d.Statements) == 0 {
		return Document{}, malformed("Syntax errors in policy.")
	}
	for _, s := range d.Statements {
		if s.Effect == "" {
			return Document{}, malformed("Missing required field Effect")
		}
		if s.Effect != "Allow" && s.Effect != "Deny" {
			return Document{}, malformed("Invalid effect: %s", s.Effect)
		}
		if err := s.checkActions(); err != nil {
			return Document{}, err
		}
	}
	return d, nil
}

func strict(text string, v any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// actionForm is vendor:action with wildcards.
var actionForm = regexp.MustCompile(`^(\*|[a-zA-Z0-9-]+:[a-zA-Z0-9*?]+)$`)

func (s statement) checkActions() error {
	raw := s.Action
	if raw == nil {
		raw = s.NotAction
	}
	actions, ok := words(raw)
	if !ok || len(actions) == 0 || s.Action != nil && s.NotAction != nil {
		return malformed("Policy statement must contain actions.")
	}
	for _, a := range actions {
		if !actionForm.MatchString(a) {
			return malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
		}
	}
	return nil
}

// words reads an element that is one string or a list of strings.
func words(raw json.RawMessage) ([]string, bool) {
	if raw == nil {
		return nil, true
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}, true
	}
	var many []string
	if json.Unmarshal(raw, &many) != nil {
		return nil, false
	}
	return many, true
}

// checkPermissions checks a policy that says what its holder may do.
func checkPermissions(text string) error {
	d, err := parseDocument(text)
	if err != nil {
		return err
	}
	for _, s := range d.Statements {
		if s.Principal != nil || s.NotPrincipal != nil {
			return malformed("Policy document should not specify a principal.")
		}
		raw := s.Resource
		if raw == nil {
			raw = s.NotResource
		}
		resources, ok := words(raw)
		if !ok || len(resources) == 0 {
			return malformed("Policy statement must contain resources.")
		}
		for _, r := range resources {
			if r != "*" && !strings.HasPrefix(r, "arn:") && !strings.HasPrefix(r, "${") && !strings.HasPrefix(r, "*") {
				return malformed("Resource %s must be in ARN format or \"*\".", r)
			}
		}
	}
	return nil
}

// checkTrust checks a policy that says who may assume a role. known tells
// whether a principal of this account exists.
func checkTrust(text string, known func(arn string) bool) error {
	d, err := parseDocument(text)
	if err != nil {
		return err
	}
	for _, s := range d.Statements {
		if s.Resource != nil || s.NotResource != nil {
			return malformed("Has prohibited field Resource")
		}
		if s.Principal == nil && s.NotPrincipal == nil {
			return malformed("Missing required field Principal")
		}
		actions, _ := words(s.Action)
		for _, a := range actions {
			if a != "*" && !strings.HasPrefix(strings.ToLower(a), "sts:") {
				return malformed("AssumeRole policy may only specify STS AssumeRole actions.")
			}
		}
		if s.Principal != nil {
			if err := checkPrincipal(s.Principal, known); err != nil {
				return err
			}
		}
	}
	return nil
}

var (
	accountForm = regexp.MustCompile(`^\d{12}$`)
	serviceForm = regexp.MustCompile(`^[a-z0-9.-]+\.(amazonaws\.com|amazonaws\.com\.cn|amazon\.com|aws\.internal)$`)
)

func checkPrincipal(raw json.RawMessage, known func(arn string) bool) error {
	var star string
	if json.Unmarshal(raw, &star) == nil {
		if star != "*" {
			return malformed("Invalid principal in policy.")
		}
		return nil
	}
	var byKind map[string]json.RawMessage
	if json.Unmarshal(raw, &byKind) != nil || len(byKind) == 0 {
		return malformed("Invalid principal in policy.")
	}
	for kind, value := range byKind {
		names, ok := words(value)
		if !ok {
			return malformed("Invalid principal in policy.")
		}
		for _, name := range names {
			if !validPrincipal(kind, name, known) {
				return malformed("Invalid principal in policy: \"%s\":\"%s\"", strings.ToUpper(kind), name)
			}
		}
	}
	return nil
}

func validPrincipal(kind, name string, known func(arn string) bool) bool {
	switch kind {
	case "AWS":
		return name == "*" || accountForm.MatchString(name) || strings.HasPrefix(name, "arn:aws:") && known(name)
	case "Service":
		return serviceForm.MatchString(name)
	case "Federated":
		return name != ""
	case "CanonicalUser":
		return name != ""
	}
	return false
}
