package ssm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Document is an automation: steps that call the API of AWS, which EventBridge
// starts. It is made by CloudFormation alone.
type Document struct {
	Scope   arn.Scope
	Name    string
	Content string // JSON
	Tags    map[string]string
}

// Documents are keyed by name.
var Documents = store.NewTable("ssm/document", func(d Document) string { return d.Scope.Key("document", d.Name) })

// Action calls an operation of another service with the permissions of the
// caller in ctx. It is one that Config.Actions names.
type Action func(ctx context.Context, inputs map[string]any) error

// automation is the part of an automation document that is understood. What
// else a document says is refused.
// Source: Systems Manager user guide, Automation document schema 0.3.
type automation struct {
	SchemaVersion string
	Description   string
	AssumeRole    string
	MainSteps     []step
}

type step struct {
	Name   string
	Action string
	Inputs map[string]any
	IsEnd  bool
}

// call is the operation of a step as Config.Actions names it.
func (s step) call() string {
	service, _ := s.Inputs["Service"].(string)
	api, _ := s.Inputs["Api"].(string)
	return service + ":" + api
}

func errDocument(format string, args ...any) error {
	return fault("InvalidDocumentContent", format, args...)
}

// automation reads an automation document.
func (s *Service) automation(content string) (automation, error) {
	var a automation
	dec := json.NewDecoder(bytes.NewReader([]byte(content)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		return a, errDocument("The content of the document is not supported by this engine: %s.", strings.TrimPrefix(err.Error(), "json: "))
	}
	role, err := arn.Parse(a.AssumeRole)
	switch {
	case a.SchemaVersion != "0.3":
		return a, errDocument("Document version %s is not supported: automations have schemaVersion 0.3.", a.SchemaVersion)
	case err != nil || role.Service != "iam" || !strings.HasPrefix(role.Resource, "role/"):
		return a, errDocument("assumeRole must be the ARN of a role: this engine runs no automation as whoever starts it.")
	case len(a.MainSteps) == 0:
		return a, errDocument("The document has no mainSteps.")
	}
	for _, st := range a.MainSteps {
		if st.Action != "aws:executeAwsApi" || s.Actions[st.call()] == nil {
			return a, errDocument("Step %s of action %s (%s) is not supported by this engine yet.", st.Name, st.Action, st.call())
		}
	}
	return a, nil
}

// Automate runs an automation to its end. The caller in ctx has to be allowed
// to start it; its steps run as its own role.
func (s *Service) Automate(ctx context.Context, in arn.Scope, name string) error {
	d, err := Documents.Get(s.Store.Snapshot(), in.Key("document", name))
	if err != nil {
		return fault("AutomationDefinitionNotFoundException", "Document %s does not exist.", name)
	}
	if err := s.may(ctx, "ssm:StartAutomationExecution", in.ARN("ssm", "automation-definition/"+name+":$DEFAULT")); err != nil {
		return err
	}
	a, err := s.automation(d.Content)
	if err != nil {
		return err
	}
	role, err := arn.Parse(a.AssumeRole)
	if err != nil {
		return err
	}
	ctx = awsapi.WithCaller(ctx, awsapi.Caller{Scope: in, ARN: arn.Scope{Account: role.Account}.GlobalARN("sts", "assumed-role/"+role.Name()+"/Automation-"+name)})
	for _, st := range a.MainSteps {
		inputs := map[string]any{}
		for k, v := range st.Inputs {
			if k != "Service" && k != "Api" {
				inputs[k] = v
			}
		}
		if err := s.Actions[st.call()](ctx, inputs); err != nil {
			return fmt.Errorf("automation %s, step %s: %w", name, st.Name, err)
		}
		if st.IsEnd {
			break
		}
	}
	return nil
}
