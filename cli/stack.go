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
	"github.com/slipway-dev/slipway/manifest"
	"github.com/slipway-dev/slipway/synth"
)

// deployment brings one stack to what a manifest says.
type deployment struct {
	*app
	*client
	manifest *manifest.Manifest
}

// foundation makes the stack with its repositories alone when there is none:
// images have to be pushed before tasks can start.
func (d *deployment) foundation(ctx context.Context, t *synth.Template) error {
	st, err := d.describe(ctx)
	if err != nil {
		return err
	}
	if st != nil && st.StackStatus == "ROLLBACK_COMPLETE" {
		// Such a stack can only be deleted; CloudFormation says so too.
		if err := d.remove(ctx); err != nil {
			return err
		}
		st = nil
	}
	if st != nil {
		return d.settle(ctx)
	}
	began := time.Now()
	_, err = call[cfnapi.CreateStackInput, cfnapi.CreateStackOutput](ctx, d.client, "cloudformation", "CreateStack", &cfnapi.CreateStackInput{
		StackName: new(d.manifest.StackName()), TemplateBody: new(string(synth.Foundation(t).JSON())), Tags: d.tags(), OnFailure: "DELETE",
	})
	if err != nil {
		return err
	}
	if err := d.follow(ctx, began, "repositories"); err != nil {
		return err
	}
	return nil
}

// settle waits for an operation that someone else has begun.
func (d *deployment) settle(ctx context.Context) error {
	for {
		st, err := d.describe(ctx)
		if err != nil || st == nil || !strings.HasSuffix(string(st.StackStatus), "_IN_PROGRESS") || st.StackStatus == "REVIEW_IN_PROGRESS" {
			return err
		}
		if err := wait(ctx, pollEvery); err != nil {
			return err
		}
	}
}

// whole brings the stack to the full template and returns its outputs.
func (d *deployment) whole(ctx context.Context, t *synth.Template, built []images.Image) (map[string]string, error) {
	began := time.Now()
	in := &cfnapi.UpdateStackInput{
		StackName: new(d.manifest.StackName()), TemplateBody: new(string(t.JSON())), Tags: d.tags(),
		Capabilities: []cfnapi.Capability{"CAPABILITY_NAMED_IAM"},
	}
	tags := map[string]string{}
	for _, i := range built {
		tags[synth.ImageParameter(i.Service)] = i.Tag
	}
	known, err := d.parameters(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range t.Parameters {
		if tag, ok := tags[p.ID]; ok {
			in.Parameters = append(in.Parameters, cfnapi.Parameter{ParameterKey: &p.ID, ParameterValue: &tag})
		} else if known[p.ID] {
			in.Parameters = append(in.Parameters, cfnapi.Parameter{ParameterKey: &p.ID, UsePreviousValue: new(true)})
		}
	}
	_, err = call[cfnapi.UpdateStackInput, cfnapi.UpdateStackOutput](ctx, d.client, "cloudformation", "UpdateStack", in)
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

// parameters are the names of the parameters the stack has.
func (d *deployment) parameters(ctx context.Context) (map[string]bool, error) {
	st, err := d.describe(ctx)
	if err != nil || st == nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, p := range st.Parameters {
		known[val(p.ParameterKey)] = true
	}
	return known, nil
}

// describe returns the stack, nil when there is none.
func (d *deployment) describe(ctx context.Context) (*cfnapi.Stack, error) {
	out, err := call[cfnapi.DescribeStacksInput, cfnapi.DescribeStacksOutput](ctx, d.client, "cloudformation", "DescribeStacks",
		&cfnapi.DescribeStacksInput{StackName: new(d.manifest.StackName())})
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
	st, err := d.describe(ctx)
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
