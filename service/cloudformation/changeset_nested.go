package cloudformation

import (
	"context"
	"fmt"
	"maps"
	"slices"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn/template"
	"github.com/slipway-dev/slipway/kernel/store"
)

// nestedSet is a change set of a nested stack with what it is made from.
type nestedSet struct {
	set   ChangeSet
	stack Stack
	body  string
	bound *template.Bound
}

func (n nestedSet) put(tx *store.Tx) {
	keepTemplate(tx, n.stack, n.set.Deployment, n.body, n.bound)
	ChangeSets.Put(tx, n.set)
}

// nestedSets are the change sets of the nested stacks that a change set with IncludeNestedStacks changes, and of those in them; its changes name theirs. What a
// nested stack is given that is not known before the deployment is taken as it is now. A nested stack that is only to be made has none: its parent's change
// set says Add.
func (s *Service) nestedSets(ctx context.Context, r store.Reader, st Stack, bound *template.Bound, parent *ChangeSet) ([]nestedSet, error) {
	if !parent.IncludeNested || bound == nil {
		return nil, nil
	}
	env := environment{s: s, r: r, stack: st, rows: map[string]Resource{}, pending: map[string]bool{}}
	for row := range Resources.List(r, st.Key()+"/") {
		env.rows[row.LogicalID] = row
	}
	of := map[string]*Change{}
	for i, c := range parent.Changes {
		env.pending[c.LogicalID] = c.Action == "Add" || (c.Action == "Modify" && c.Replacement != "False")
		if c.Action == "Modify" && c.Type == stackType {
			of[c.LogicalID] = &parent.Changes[i]
		}
	}
	var out []nestedSet
	for _, res := range bound.Ordered() {
		c := of[res.LogicalID]
		if c == nil {
			continue
		}
		n, err := s.nestedSet(ctx, env, bound, res, *c, parent)
		if err != nil {
			return nil, fmt.Errorf("nested stack %s: %w", res.LogicalID, err)
		}
		if n == nil {
			continue
		}
		below, err := s.nestedSets(ctx, r, n.stack, n.bound, &n.set)
		if err != nil {
			return nil, err
		}
		c.ChangeSet = n.set.ID
		out = append(append(out, *n), below...)
	}
	return out, nil
}

// nestedSet is the change set of one nested stack, nil when nothing in it changes.
func (s *Service) nestedSet(ctx context.Context, env environment, bound *template.Bound, res *template.Resource, c Change, parent *ChangeSet) (*nestedSet, error) {
	key, _ := stackKey(c.PhysicalID)
	st, err := Stacks.Get(env.r, key)
	if err != nil {
		return nil, nil //nolint:nilerr // it was deleted behind the parent's back: the deployment says so
	}
	props, err := bound.Properties(res, env)
	if err != nil {
		return nil, clientError(err)
	}
	url, ok := props["TemplateURL"].(string)
	if !ok {
		return nil, nil
	}
	body, err := s.body(ctx, nil, &url, nil)
	if err != nil {
		return nil, err
	}
	d, b, err := s.deployment(ctx, st, request{body: body, parameters: nestedValues(st, props["Parameters"]), capabilities: everything, reviewed: true})
	if err != nil {
		return nil, err
	}
	changes, changed, err := s.preview(env.r, st, d, b)
	if err != nil || !changed {
		return nil, err
	}
	root := parent.Root
	if root == "" {
		root = parent.ID
	}
	id := newID()
	name := parent.Name[:min(len(parent.Name), 50)] + "-" + c.LogicalID[:min(len(c.LogicalID), 50)] + "-" + id[:8]
	return &nestedSet{stack: st, body: body, bound: b, set: ChangeSet{
		Stack: st.Key(), ID: changeSetARN(st.Scope, name, id), Name: name, Type: "UPDATE", Created: parent.Created, Status: "CREATE_COMPLETE", ExecutionStatus: "AVAILABLE",
		Deployment: d, IncludeNested: true, Changes: changes, Parent: parent.ID, Root: root,
	}}, nil
}

// nestedValues are the parameters of a nested stack as far as they are known; the rest stays.
func nestedValues(st Stack, given any) []api.Parameter {
	values, _ := given.(map[string]any)
	var out []api.Parameter
	for _, k := range slices.Sorted(maps.Keys(values)) {
		switch v := values[k].(type) {
		case string:
			out = append(out, api.Parameter{ParameterKey: &k, ParameterValue: &v})
		default:
			if slices.ContainsFunc(st.Deployment.Parameters, func(p Parameter) bool { return p.Key == k }) {
				out = append(out, api.Parameter{ParameterKey: &k, UsePreviousValue: new(true)})
			}
		}
	}
	return out
}

// dropChangeSet deletes a change set with those nested in it.
func dropChangeSet(tx *store.Tx, cs ChangeSet) {
	ChangeSets.Delete(tx, ChangeSets.Key(cs))
	dropNested(tx, cs.Stack, cs.ID)
}

// dropNested deletes the change sets that are nested in one of a stack.
func dropNested(tx *store.Tx, stack, id string) {
	if id == "" {
		return
	}
	for child := range Stacks.By(tx, "parent", stack) {
		for cs := range ChangeSets.List(tx, child.Key()+"/") {
			if cs.Parent == id {
				dropChangeSet(tx, cs)
			}
		}
	}
}

// notNested refuses to do with a nested change set what is done with the one at its root.
func notNested(cs ChangeSet, what string) error {
	if cs.Root == "" {
		return nil
	}
	return awsapi.Errorf("InvalidChangeSetStatus", 400, "ChangeSet [%s] is nested and cannot be %s by itself: its root ChangeSet [%s] can.", cs.ID, what, cs.Root)
}

// planned is the template of the change set that the parent's change set has made for a nested stack, if it is deployed by one.
func (h nestedStacks) planned(parentID string, child Stack) (set ChangeSet, body string, ok bool) {
	r := h.Store.Snapshot()
	key, _ := stackKey(parentID)
	parent, err := Stacks.Get(r, key)
	if err != nil || parent.ChangeSetID == "" {
		return set, "", false
	}
	for cs := range ChangeSets.List(r, child.Key()+"/") {
		if cs.Parent != parent.ChangeSetID {
			continue
		}
		row, err := Templates.Get(r, child.Key()+"/"+cs.Deployment.Template)
		return cs, row.Body, err == nil && !(h.StrictQuotas && len(row.Body) > strictBody)
	}
	return set, "", false
}

// execute notes that a nested stack is deployed by a change set.
func (h nestedStacks) execute(set ChangeSet) error {
	return h.Store.Update(func(tx *store.Tx) error {
		st, err := Stacks.Get(tx, set.Stack)
		if err != nil {
			return err
		}
		st.ChangeSetID = set.ID
		Stacks.Put(tx, st)
		return nil
	})
}
