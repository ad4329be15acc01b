package cli

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/images"
	"github.com/slipway-dev/slipway/synth"
)

// deployment brings the stack of a platform to what its manifest says.
type deployment struct {
	*platform
	template *synth.Template // nil when the stack is deleted
}

// foundation makes the repositories that images are pushed to before tasks
// can start: as a stack of its own when there is none yet, which the platform
// then updates, or added to what the stack has.
func (d *deployment) foundation(ctx context.Context) error {
	st, err := d.settle(ctx)
	if err != nil {
		return err
	}
	if st != nil && dead[st.StackStatus] {
		if err := d.remove(ctx); err != nil {
			return err
		}
		st = nil
	}
	if st != nil {
		return d.extend(ctx, st)
	}
	f := synth.Foundation(d.template)
	if len(f.Resources) == 0 {
		return nil // nothing is built here; a stack cannot be empty
	}
	return d.create(ctx, f, "repositories", "DELETE")
}

func (d *deployment) create(ctx context.Context, t *synth.Template, what string, onFailure cfnapi.OnFailure) error {
	began := time.Now()
	_, err := call[cfnapi.CreateStackInput, cfnapi.CreateStackOutput](ctx, d.client, "cloudformation", "CreateStack", &cfnapi.CreateStackInput{
		StackName: new(d.manifest.StackName()), TemplateBody: new(string(t.Body())), Tags: d.tags(), OnFailure: onFailure, Capabilities: capabilities,
	})
	if err != nil {
		return err
	}
	return d.follow(ctx, began, what)
}

// dead are the states of stacks that can only be deleted. Source: "Stack
// status codes" of the CloudFormation user guide.
var dead = map[cfnapi.StackStatus]bool{
	"ROLLBACK_COMPLETE": true, "ROLLBACK_FAILED": true, "CREATE_FAILED": true, "DELETE_FAILED": true, "REVIEW_IN_PROGRESS": true,
}

// settle waits for an operation that someone else has begun and returns the
// stack, nil when there is none.
func (d *deployment) settle(ctx context.Context) (*cfnapi.Stack, error) {
	for said := false; ; said = true {
		st, err := d.stack(ctx)
		if err != nil || st == nil || !inProgress(st.StackStatus) {
			return st, err
		}
		if !said && !d.json {
			fmt.Fprintf(d.out, "%s stack %s is %s; waiting until that has ended\n", d.yellow("●"), d.manifest.StackName(), st.StackStatus)
		}
		if err := wait(ctx, pollEvery); err != nil {
			return nil, err
		}
	}
}

// inProgress tells whether an operation runs. A stack under review waits for
// a change set to be executed: nothing runs.
func inProgress(s cfnapi.StackStatus) bool {
	return strings.HasSuffix(string(s), "_IN_PROGRESS") && s != "REVIEW_IN_PROGRESS"
}

// whole brings the stack to the full template and returns its outputs.
func (d *deployment) whole(ctx context.Context, built []images.Image) (map[string]string, error) {
	began := time.Now()
	st, err := d.stack(ctx)
	if err != nil {
		return nil, err
	}
	if st == nil {
		if err := d.create(ctx, d.template, "platform", "ROLLBACK"); err != nil {
			return nil, err
		}
		return stackOutputs(ctx, d.client, d.manifest.StackName())
	}
	parameters := d.parameters(st, built)
	_, err = call[cfnapi.UpdateStackInput, cfnapi.UpdateStackOutput](ctx, d.client, "cloudformation", "UpdateStack", &cfnapi.UpdateStackInput{
		StackName: new(d.manifest.StackName()), TemplateBody: new(string(d.template.Body())), Tags: d.tags(), Parameters: parameters,
		Capabilities: capabilities,
	})
	switch {
	case err == nil:
		if err := d.follow(ctx, began, "platform"); err != nil {
			return nil, err
		}
	case isCode(err, "ValidationError") && strings.Contains(err.Error(), "No updates are to be performed"):
		d.step("nothing to change", began)
	default:
		return nil, err
	}
	return stackOutputs(ctx, d.client, d.manifest.StackName())
}

// capabilities are what the templates need: roles with names.
var capabilities = []cfnapi.Capability{"CAPABILITY_NAMED_IAM"}

// parameters are the tags of the images that were built, and for the others
// what the stack has.
func (d *deployment) parameters(st *cfnapi.Stack, built []images.Image) []cfnapi.Parameter {
	known := map[string]bool{}
	for _, p := range st.Parameters {
		known[val(p.ParameterKey)] = true
	}
	tags := map[string]string{}
	for _, i := range built {
		tags[synth.ImageParameter(i.Service)] = i.Tag
	}
	var out []cfnapi.Parameter
	for _, p := range d.template.Parameters {
		if tag, ok := tags[p.ID]; ok {
			out = append(out, cfnapi.Parameter{ParameterKey: &p.ID, ParameterValue: &tag})
		} else if known[p.ID] {
			out = append(out, cfnapi.Parameter{ParameterKey: &p.ID, UsePreviousValue: new(true)})
		}
	}
	return out
}

// stack returns the stack, nil when there is none.
func (p *platform) stack(ctx context.Context) (*cfnapi.Stack, error) {
	out, err := call[cfnapi.DescribeStacksInput, cfnapi.DescribeStacksOutput](ctx, p.client, "cloudformation", "DescribeStacks",
		&cfnapi.DescribeStacksInput{StackName: new(p.manifest.StackName())})
	if isCode(err, "ValidationError") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &out.Stacks[0], nil
}

func (d *deployment) tags() []cfnapi.Tag {
	tags := synth.Tags(d.manifest)
	var out []cfnapi.Tag
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, cfnapi.Tag{Key: &k, Value: new(tags[k])})
	}
	return out
}

// remove deletes the stack and waits until it is gone.
func (d *deployment) remove(ctx context.Context) error {
	st, err := d.stack(ctx)
	if err != nil || st == nil {
		return err
	}
	began := time.Now()
	_, err = call[cfnapi.DeleteStackInput, cfnapi.DeleteStackOutput](ctx, d.client, "cloudformation", "DeleteStack",
		&cfnapi.DeleteStackInput{StackName: st.StackId})
	if err != nil {
		return err
	}
	return d.followID(ctx, val(st.StackId), began, "platform deleted")
}

// passwordOf takes the password out of an authorization token.
func passwordOf(token string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return "", fmt.Errorf("authorization token of the registry: %w", err)
	}
	_, password, ok := strings.Cut(string(b), ":")
	if !ok {
		return "", fmt.Errorf("authorization token of the registry has no password")
	}
	return password, nil
}
