package engine

import (
	"context"
	"fmt"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/cfn/template"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/ssm"
)

// templateParameter answers parameters of templates whose type is
// AWS::SSM::Parameter::Value. CloudFormation takes no SecureString there.
func templateParameter(s *store.Store, p *ssm.Service) func(context.Context, arn.Scope, string) (string, bool) {
	return func(_ context.Context, scope arn.Scope, name string) (string, bool) {
		found, err := p.Lookup(s.Snapshot(), scope, name)
		return found.Value, err == nil && found.Type != ssm.Secure
	}
}

// dynamicReference answers {{resolve:ssm:name}} and {{resolve:ssm:name:version}}.
func dynamicReference(s *store.Store, p *ssm.Service) func(context.Context, arn.Scope, template.Dynamic) (string, error) {
	return func(_ context.Context, scope arn.Scope, d template.Dynamic) (string, error) {
		switch d.Service {
		case "ssm":
			found, err := p.Lookup(s.Snapshot(), scope, d.Key)
			if err != nil {
				return "", fmt.Errorf("Parameters: [%s] cannot be found.", d.Key) //nolint:staticcheck,revive // CloudFormation's text
			}
			if found.Type == ssm.Secure {
				return "", fmt.Errorf("Non-secure reference {{resolve:ssm:%s}} to a SecureString; use {{resolve:ssm-secure:%s}} where CloudFormation takes it", d.Key, d.Key) //nolint:staticcheck // begins as CloudFormation's do
			}
			return found.Value, nil
		case "ssm-secure":
			// CloudFormation takes these in passwords of RDS, Redshift, IAM users and
			// the like alone, none of which is a resource type here.
			return "", fmt.Errorf("SSM Secure reference is not supported in this property: {{resolve:ssm-secure:%s}}", d.Key)
		default:
			return "", fmt.Errorf("{{resolve:%s:...}} is not supported by this engine yet", d.Service)
		}
	}
}
