package cloudformation

import (
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/cfn/template"
)

// extras are inputs that change what an operation does and that this engine does not have: they are refused, never ignored.
type extras struct {
	rollback *api.RollbackConfiguration
	notify   []string
	// of change sets
	mode api.DeploymentMode
}

func (x extras) refuse() error {
	if x.rollback != nil && len(x.rollback.RollbackTriggers) > 0 {
		return invalid("Rollback triggers are not implemented by this engine.")
	}
	if x.mode != "" {
		return invalid("DeploymentMode %s is not implemented by this engine.", x.mode)
	}
	if len(x.notify) > 0 {
		return invalid("NotificationARNs cannot be used: this engine has no SNS service.")
	}
	return nil
}

// allowed holds a template to the ResourceTypes of a request: exact names, or "AWS::*", "AWS::EC2::*", "Custom::*".
func allowed(t *template.Template, types []string) error {
	if len(types) == 0 {
		return nil
	}
	for _, r := range t.Resources {
		if !slices.ContainsFunc(types, func(pattern string) bool { return matches(pattern, r.Type) }) {
			return invalid("Resource type %s is not allowed by parameter ResourceTypes [%s]", r.Type, strings.Join(types, ", "))
		}
	}
	return nil
}

func matches(pattern, name string) bool {
	if n := len(pattern) - 1; n >= 0 && pattern[n] == '*' {
		return len(name) >= n && name[:n] == pattern[:n]
	}
	return pattern == name
}
