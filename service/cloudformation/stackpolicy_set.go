package cloudformation

import (
	"context"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// SetStackPolicy gives a stack a policy for its updates.
func (s *Service) SetStackPolicy(ctx context.Context, in *api.SetStackPolicyInput) (*api.SetStackPolicyOutput, error) {
	body, err := s.policy(ctx, in.StackPolicyBody, in.StackPolicyURL, "StackPolicy")
	if err != nil {
		return nil, err
	}
	if body == "" {
		return nil, invalid("One of StackPolicyBody or StackPolicyURL must be specified.")
	}
	return &api.SetStackPolicyOutput{}, s.Store.Update(func(tx *store.Tx) error {
		st, err := find(ctx, tx, deref(in.StackName))
		if err != nil {
			return err
		}
		st.Policy = body
		Stacks.Put(tx, st)
		return nil
	})
}

// GetStackPolicy returns a stack's policy; a stack without one answers nothing.
func (s *Service) GetStackPolicy(ctx context.Context, in *api.GetStackPolicyInput) (*api.GetStackPolicyOutput, error) {
	st, err := find(ctx, s.Store.Snapshot(), deref(in.StackName))
	if err != nil {
		return nil, err
	}
	return &api.GetStackPolicyOutput{StackPolicyBody: optional(st.Policy)}, nil
}

// policy reads and checks a stack policy, by body or URL; "" when none is given.
func (s *Service) policy(ctx context.Context, body, url *string, name string) (string, error) {
	text := deref(body)
	switch {
	case body != nil && url != nil:
		return "", invalid("You cannot specify both %sURL and %sBody", name, name)
	case body == nil && url == nil:
		return "", nil
	case url != nil:
		var err error
		if text, err = s.fetch(ctx, name+"URL", *url); err != nil {
			return "", err
		}
	}
	_, err := parsePolicy(text)
	return text, err
}

// protected reports why the running update may not act on a resource; "" when it may.
func (p *progress) protected(action string, r Resource) string {
	if p.op.Policy == "" {
		return ""
	}
	policy, err := parsePolicy(p.op.Policy)
	if err != nil { // it was checked when it was given
		return err.Error()
	}
	return policy.refusal(action, r.LogicalID, r.Type)
}

// protectRemoved fails the resources that the new template leaves out and the policy keeps from being deleted, and reports whether there are any. It is asked
// before anything else is done: deletions come last, when an update can no longer fail.
func (p *progress) protectRemoved(active map[string]bool) bool {
	if p.op.Policy == "" {
		return false
	}
	found := false
	for _, id := range p.order {
		r := p.rows[id]
		if active[id] || r.Step != "" || r.PhysicalID == "" || r.Status == "DELETE_COMPLETE" || r.Status == "DELETE_SKIPPED" {
			continue
		}
		if why := p.protected(deleteAction, r); why != "" {
			r.Operation, found = p.op.ID, true
			p.set(r, "UPDATE_FAILED", why)
		}
	}
	return found
}
