package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/cfn/template"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// nestedStack is AWS::CloudFormation::Stack: a stack as a resource of another.
type nestedStack struct {
	StackID          string `json:"StackId" cfn:"id,readOnly"`
	TemplateURL      string `cfn:"required"`
	Parameters       map[string]string
	NotificationARNs []string
	TimeoutInMinutes *int32
	Tags             []cfn.Tag
	Outputs          map[string]string `cfn:"readOnly"`
	// LastOperation is the operation Settled waits for; empty when the last update had nothing to do.
	LastOperation string `cfn:"kept"`
}

type nestedStacks struct{ *Service }

var (
	_ cfn.Updater[nestedStack] = nestedStacks{}
	_ cfn.Settler[nestedStack] = nestedStacks{}
	_ cfn.Remover[nestedStack] = nestedStacks{}
)

// everything is granted to nested stacks: whoever deploys the parent has acknowledged its capabilities.
var everything = []api.Capability{"CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"}

func (h nestedStacks) Create(ctx context.Context, p *nestedStack) error {
	r, _ := cfn.From(ctx)
	out, err := h.CreateStack(ctx, &api.CreateStackInput{
		StackName: new(r.Name(128)), TemplateURL: &p.TemplateURL, Parameters: nestedParameters(p), Tags: nestedTags(r, p), TimeoutInMinutes: p.TimeoutInMinutes,
		NotificationARNs: p.NotificationARNs, Capabilities: everything, ClientRequestToken: &r.Token,
	})
	if err != nil {
		return err
	}
	p.StackID, p.LastOperation = *out.StackId, *out.OperationId
	return nil
}

func (h nestedStacks) Read(_ context.Context, p *nestedStack) error {
	st, err := h.row(p)
	if err == nil && st.Status == "DELETE_COMPLETE" {
		return store.ErrNotFound
	}
	return err
}

func (h nestedStacks) Update(ctx context.Context, before, after *nestedStack) error {
	r, _ := cfn.From(ctx)
	in := &api.UpdateStackInput{
		StackName: &after.StackID, TemplateURL: &after.TemplateURL, Parameters: nestedParameters(after), Tags: nestedTags(r, after),
		NotificationARNs: after.NotificationARNs, Capabilities: everything,
	}
	if r.Reverting {
		if done, err := h.bringBack(ctx, after, r.Skip); done || err != nil {
			after.LastOperation = ""
			return err
		}
		if before.TemplateURL == after.TemplateURL { // what is there by now may be what failed
			in.TemplateURL, in.UsePreviousTemplate = nil, new(true)
		}
	}
	if st, err := h.row(after); err == nil && !r.Reverting {
		if set, body, ok := h.planned(r.StackID, st); ok {
			in.TemplateURL, in.TemplateBody = nil, &body
			if err := h.execute(set); err != nil {
				return err
			}
		}
	}
	out, err := h.UpdateStack(ctx, in)
	if e, ok := errors.AsType[*awsapi.Error](err); ok && e.Message == noUpdates {
		after.LastOperation = ""
		return nil
	}
	if err != nil {
		return err
	}
	after.LastOperation = *out.OperationId
	return nil
}

// Settled waits for the nested stack's operation.
func (h nestedStacks) Settled(_ context.Context, p *nestedStack) (bool, error) {
	st, err := h.row(p)
	if err != nil {
		return false, err
	}
	op, err := Operations.Get(h.Store.Snapshot(), st.Key())
	waiting := err == nil && op.Phase == Waiting
	switch {
	case waiting:
	case strings.HasSuffix(st.Status, "_IN_PROGRESS"):
		return false, nil
	case st.Status == "UPDATE_ROLLBACK_FAILED":
		return false, embedded(st, "updated", st.Reason)
	case p.LastOperation != "" && st.Status != "CREATE_COMPLETE" && st.Status != "UPDATE_COMPLETE":
		verb := "created"
		if st.LastKind == Update {
			verb = "updated"
		}
		return false, embedded(st, verb, h.cause(st))
	}
	p.Outputs = map[string]string{}
	for _, o := range st.Outputs {
		p.Outputs[o.Key] = o.Value
	}
	return true, nil
}

// embedded is the failure of a nested stack; it is shown as it is, not as a handler's message.
func embedded(st Stack, verb, why string) error {
	return &template.Error{Message: fmt.Sprintf("Embedded stack %s was not successfully %s: %s", st.ID, verb, why)}
}

// cause is why a stack was rolled back.
func (h nestedStacks) cause(st Stack) string {
	why := st.Reason
	for e := range Events.List(h.Store.Snapshot(), st.Key()+"/") {
		if e.Type == stackType && e.PhysicalID == st.ID && strings.HasSuffix(e.Status, "ROLLBACK_IN_PROGRESS") {
			why = e.Reason
		}
	}
	return strings.TrimSuffix(why, "Rollback requested by user.")
}

func (h nestedStacks) Delete(ctx context.Context, p *nestedStack) error {
	_, err := h.DeleteStack(ctx, &api.DeleteStackInput{StackName: &p.StackID})
	return err
}

func (h nestedStacks) Remains(_ context.Context, p *nestedStack) (bool, error) {
	st, err := h.row(p)
	switch {
	case err != nil || st.Status == "DELETE_COMPLETE":
		return false, nil
	case st.Status == "DELETE_FAILED":
		return false, embedded(st, "deleted", st.Reason)
	}
	return true, nil
}

func (h nestedStacks) row(p *nestedStack) (Stack, error) {
	key, _ := stackKey(p.StackID)
	return Stacks.Get(h.Store.Snapshot(), key)
}

func nestedParameters(p *nestedStack) []api.Parameter {
	var out []api.Parameter
	for _, k := range slices.Sorted(maps.Keys(p.Parameters)) {
		out = append(out, api.Parameter{ParameterKey: &k, ParameterValue: new(p.Parameters[k])})
	}
	return out
}

// nestedTags are the parent's tags and the resource's own, without those CloudFormation sets itself.
func nestedTags(r cfn.Request, p *nestedStack) []api.Tag {
	return tagset.List[api.Tag](tagset.Own(r.AllTags(p.Tags)))
}
