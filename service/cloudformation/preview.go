package cloudformation

import (
	"encoding/json"
	"reflect"
	"slices"

	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/cfn/template"
	"github.com/slipway-dev/slipway/kernel/store"
)

// preview says what a deployment would change, as a change set shows it, and whether there is anything to deploy at all.
func (s *Service) preview(r store.Reader, st Stack, d Deployment, bound *template.Bound) ([]Change, bool, error) {
	rows := map[string]Resource{}
	for row := range Resources.List(r, st.Key()+"/") {
		rows[row.LogicalID] = row
	}
	env := environment{s: s, r: r, stack: st, rows: rows, pending: map[string]bool{}}
	var changes []Change
	active := map[string]bool{}
	for _, res := range bound.Ordered() {
		active[res.LogicalID] = true
		c, err := s.previewOne(env, d, bound, res)
		if err != nil {
			return nil, false, err
		}
		if c.Action != "" {
			changes = append(changes, c)
		}
	}
	for _, id := range sortedIDs(rows) {
		if row := rows[id]; !active[id] && row.Status != "DELETE_COMPLETE" {
			changes = append(changes, Change{
				Action: "Remove", LogicalID: id, PhysicalID: row.PhysicalID, Type: row.Type, Policy: removalPolicy(row.DeletePolicy),
			})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return compareText(a.LogicalID, b.LogicalID) })
	if len(changes) > 0 || !reflect.DeepEqual(d.Tags, st.Deployment.Tags) || unfinished(st) {
		return changes, true, nil
	}
	outputs, err := outputsOf(bound, env)
	if err != nil {
		return nil, false, clientError(err)
	}
	return changes, !slices.Equal(outputs, st.Outputs), nil
}

// unfinished stacks are always worth another update.
func unfinished(st Stack) bool { return st.Status == "UPDATE_FAILED" || st.Status == "CREATE_FAILED" }

func (s *Service) previewOne(env environment, d Deployment, bound *template.Bound, res *template.Resource) (Change, error) {
	id := res.LogicalID
	props, err := bound.Properties(res, env)
	if err != nil {
		return Change{}, clientError(err)
	}
	next := Version{
		Properties: encode(props), DependsOn: bound.Dependencies(res), StackTags: stackTags(d.Tags), DeletePolicy: res.DeletionPolicy, ReplPolicy: res.UpdateReplacePolicy,
	}
	if res.Metadata != nil {
		meta, err := bound.Eval(res.Metadata, env)
		if err != nil {
			return Change{}, clientError(err)
		}
		next.Metadata = encode(meta)
	}
	row, ok := env.rows[id]
	if !ok || row.Status == "DELETE_COMPLETE" || row.PhysicalID == "" {
		env.pending[id] = true
		return Change{Action: "Add", LogicalID: id, Type: res.Type, Named: s.named(res.Type, props)}, nil
	}
	if row.Type != res.Type {
		return Change{}, invalid("Update of resource type is not permitted. The new template modifies resource type of the following resources: [%s]", id)
	}
	c := compare(s.typeOf(row.Type), row.Version, next, props)
	if !c.any() {
		return Change{}, nil
	}
	ch := Change{Action: "Modify", LogicalID: id, PhysicalID: row.PhysicalID, Type: row.Type, Replacement: c.Replacement, Scope: c.Scope}
	if c.Replacement != "False" {
		env.pending[id] = true
		ch.Policy = replacementPolicy(row.ReplPolicy)
	}
	ch.Details = details(c, bound, res)
	return ch, nil
}

// details lists the reasons of a change: one for each property and each thing in the template that makes it change.
func details(c comparison, bound *template.Bound, res *template.Resource) []Detail {
	var out []Detail
	for _, diff := range c.Differences {
		d := Detail{
			Attribute: "Properties", Name: diff.Property, Path: diff.Path, Recreation: diff.Recreation, Before: valueText(diff.Before), After: valueText(diff.After),
			Evaluation: "Static", Source: "DirectModification",
		}
		if diff.Property == "Tags" {
			d.Attribute, d.Name = "Tags", ""
		}
		if diff.Dynamic() {
			d.Evaluation = "Dynamic"
			d.Source, d.Cause = "ResourceReference", diff.Cause.LogicalID
			if diff.Cause.Attribute != "" {
				d.Source, d.Cause = "ResourceAttribute", diff.Cause.LogicalID+"."+diff.Cause.Attribute
			}
		} else if name := bound.ParameterIn(res.Properties.Get(diff.Property)); name != "" {
			d.Source, d.Cause = "ParameterReference", name
		}
		out = append(out, d)
	}
	if c.Automatic && len(c.Scope) == 0 {
		out = append(out, Detail{Attribute: "Properties", Recreation: cfn.Never, Evaluation: "Dynamic", Source: "Automatic"})
	}
	for _, scope := range c.Scope {
		if scope != "Properties" && !slices.ContainsFunc(out, func(d Detail) bool { return d.Attribute == scope }) {
			out = append(out, Detail{Attribute: scope, Recreation: cfn.Never, Evaluation: "Static", Source: "DirectModification"})
		}
	}
	return out
}

func valueText(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case template.Unknown:
		return "{{changeSet:KNOWN_AFTER_APPLY}}"
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(raw)
}

func removalPolicy(p template.Policy) string {
	switch p {
	case template.Retain, template.RetainExceptOnCreate:
		return "Retain"
	case template.Snapshot:
		return "Snapshot"
	}
	return "Delete"
}

func replacementPolicy(p template.Policy) string {
	switch p {
	case template.Retain:
		return "ReplaceAndRetain"
	case template.Snapshot:
		return "ReplaceAndSnapshot"
	}
	return "ReplaceAndDelete"
}

func sortedIDs(rows map[string]Resource) []string {
	ids := make([]string, 0, len(rows))
	for id := range rows {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
