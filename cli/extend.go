package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/synth"
)

// extend adds the repositories of new services to the stack, whose template
// stays what it is otherwise: nothing else may change before the images of
// the new services are there.
func (d *deployment) extend(ctx context.Context, st *cfnapi.Stack) error {
	got, err := call[cfnapi.GetTemplateInput, cfnapi.GetTemplateOutput](ctx, d.client, "cloudformation", "GetTemplate",
		&cfnapi.GetTemplateInput{StackName: st.StackId})
	if err != nil {
		return err
	}
	body, added, err := extended([]byte(val(got.TemplateBody)), synth.Foundation(d.template).JSON())
	if err != nil || added == 0 {
		return err // a template of other hands is left alone: the update will tell
	}
	in := &cfnapi.UpdateStackInput{StackName: st.StackId, TemplateBody: new(string(body)), Tags: d.tags(), Capabilities: capabilities}
	for _, p := range st.Parameters {
		in.Parameters = append(in.Parameters, cfnapi.Parameter{ParameterKey: p.ParameterKey, UsePreviousValue: new(true)})
	}
	began := time.Now()
	if _, err := call[cfnapi.UpdateStackInput, cfnapi.UpdateStackOutput](ctx, d.client, "cloudformation", "UpdateStack", in); err != nil {
		return err
	}
	return d.follow(ctx, began, "new repositories")
}

// extended lays what is missing of the foundation over a template, section by
// section, and counts the resources added.
func extended(template, foundation []byte) (body []byte, added int, err error) {
	var have, want map[string]any
	if json.Unmarshal(template, &have) != nil {
		return nil, 0, nil // YAML: not ours
	}
	if err := json.Unmarshal(foundation, &want); err != nil {
		return nil, 0, fmt.Errorf("template of the repositories: %w", err)
	}
	for section, v := range want {
		entries, ok := v.(map[string]any)
		if !ok {
			continue
		}
		into, ok := have[section].(map[string]any)
		if !ok {
			into = map[string]any{}
			have[section] = into
		}
		for id, entry := range entries {
			if _, ok := into[id]; ok {
				continue
			}
			into[id] = entry
			if section == "Resources" {
				added++
			}
		}
	}
	body, err = json.Marshal(have)
	return body, added, err
}
