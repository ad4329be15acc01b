package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn/template"
	"github.com/slipway-dev/slipway/kernel/store"
)

// imports checks what a change set of type IMPORT shall bring into a stack. It answers with physical ids by logical id.
func (s *Service) imports(r store.Reader, st Stack, bound *template.Bound, given []api.ResourceToImport) (map[string]string, error) {
	if len(given) == 0 {
		return nil, invalid("ResourcesToImport must be specified for change sets of type IMPORT")
	}
	out := map[string]string{}
	var unprotected []string
	for _, g := range given {
		id, typeName := deref(g.LogicalResourceId), deref(g.ResourceType)
		res := bound.Resource(id)
		if res == nil || res.Type != typeName || !bound.Holds(res.Condition) {
			return nil, invalid("Resources [%s] of type %s in ResourcesToImport are not found in the template", id, typeName)
		}
		typ := s.typeOf(typeName)
		if typ.Intangible() || typeName == stackType {
			return nil, invalid("ResourceTypes [%s] are not supported for Import", typeName)
		}
		physical := g.ResourceIdentifier[typ.IDProperty()]
		if physical == "" {
			return nil, invalid("Invalid resource identifier of %s: the identifier of a %s is [%s]", id, typeName, typ.IDProperty())
		}
		if row, err := Resources.Get(r, st.Key()+"/"+id); err == nil && row.PhysicalID != "" {
			return nil, invalid("Resource %s already exists in stack %s", id, st.ID)
		}
		for row := range Resources.By(r, "physical", st.Scope.Key(physical)) {
			if row.Type == typeName && !strings.HasPrefix(row.Status, "DELETE") {
				other, _ := Stacks.Get(r, row.Stack)
				return nil, invalid("Resource %s of type %s already exists in stack %s", physical, typeName, other.ID)
			}
		}
		if res.DeletionPolicy == "" {
			unprotected = append(unprotected, id)
		}
		out[id] = physical
	}
	if len(unprotected) > 0 {
		slices.Sort(unprotected)
		return nil, invalid("The following resources to import [%s] must have DeletionPolicy attribute specified in the template.", strings.Join(unprotected, ", "))
	}
	return out, nil
}

// onlyImports refuses an import that does anything else.
func onlyImports(st Stack, bound *template.Bound, changes []Change, imports map[string]string) error {
	var wrong []string
	if slices.ContainsFunc(changes, func(c Change) bool { return imports[c.LogicalID] == "" && !c.automatic() }) {
		wrong = append(wrong, "Resources")
	}
	for _, o := range bound.Outputs {
		if !slices.ContainsFunc(st.Outputs, func(old Output) bool { return old.Key == o.Name }) {
			wrong = append(wrong, "Outputs")
			break
		}
	}
	if len(wrong) > 0 {
		return invalid("As part of the import operation, you cannot modify or add [%s]", strings.Join(wrong, ", "))
	}
	return nil
}

// automatic reports whether a change only looks at a nested stack's template again.
func (c Change) automatic() bool { return c.Action == "Modify" && len(c.Scope) == 0 }

// marked shows the changes that are imports as such.
func marked(changes []Change, imports map[string]string) []Change {
	for i, c := range changes {
		if id := imports[c.LogicalID]; id != "" && c.Action == "Add" {
			changes[i].Action, changes[i].PhysicalID = "Import", id
		}
	}
	return changes
}

// existing finds the resources a deployment would add that are there already under the names the template gives them (ImportExistingResources). They must be
// kept by their deletion policy, as AWS demands of what it brings in so.
func (s *Service) existing(ctx context.Context, st Stack, bound *template.Bound, changes []Change) (map[string]string, error) {
	out := map[string]string{}
	var unprotected []string
	for _, c := range changes {
		typ, ok := s.lookup(c.Type)
		if c.Action != "Add" || c.Named == "" || !ok || typ.Intangible() {
			continue
		}
		row := Resource{Stack: st.Key(), LogicalID: c.LogicalID, Type: c.Type, Version: Version{PhysicalID: c.Named}}
		t := task{s: s, key: Resources.Key(row), row: row, stack: st, typ: typ, op: Operation{Caller: awsapi.CallerOf(ctx).ARN}}
		switch _, err := t.callRead(t.context(ctx, row.Version), row.instance()); {
		case gone(err):
			continue
		case err != nil:
			return nil, err
		}
		if p := bound.Resource(c.LogicalID).DeletionPolicy; p != template.Retain && p != template.RetainExceptOnCreate {
			unprotected = append(unprotected, c.LogicalID+" ("+c.Named+")")
		}
		out[c.LogicalID] = c.Named
	}
	if len(unprotected) > 0 {
		return nil, invalid("Resources that exist already are imported only with the DeletionPolicy Retain or RetainExceptOnCreate: [%s]", strings.Join(unprotected, ", "))
	}
	return out, nil
}

// named is the name that a template gives a resource which is not there yet; empty when it gives none, or none that is known before it is made.
func (s *Service) named(typ string, props map[string]any) string {
	t := s.typeOf(typ)
	if !t.CustomNamed(props) {
		return ""
	}
	name, _ := props[t.IDProperty()].(string)
	return name
}

// find reads a resource that the stack has not made.
func (t task) find(ctx context.Context, props map[string]any) (in Version, err error) {
	there, err := t.typ.Existing(t.row.PhysicalID, props)
	if err == nil {
		there, err = t.callRead(ctx, there)
	}
	in = t.row.Version
	in.State = there.State
	return in, err
}

// adopt does StepImport: the resource must be there; nothing about it is changed.
func (t task) adopt(ctx context.Context) (time.Duration, error) {
	props, err := t.properties(ctx)
	var found Version
	if err == nil {
		found, err = t.find(ctx, props)
	}
	if err = interrupted(ctx, err); errors.Is(err, errEngineStops) {
		return 0, err
	}
	t.tell(err)
	return 0, t.write(func(tx *store.Tx, r *Resource, op Operation) {
		r.Step = ""
		switch {
		case gone(err):
			setResource(tx, r, op, now(), "IMPORT_FAILED", fmt.Sprintf("Resource of type '%s' with identifier '%s' was not found.", r.Type, r.PhysicalID))
		case errors.Is(err, context.Canceled):
			setResource(tx, r, op, now(), "IMPORT_FAILED", "Resource import cancelled")
		case err != nil:
			setResource(tx, r, op, now(), "IMPORT_FAILED", failure(err, t.row))
		default:
			r.State = found.State
			setResource(tx, r, op, now(), "IMPORT_COMPLETE", "Resource import completed.")
		}
	})
}

// adoptStep begins the import of a resource.
func (p *progress) adoptStep(row Resource, next Version, physical string) {
	next.PhysicalID, next.Token = physical, p.token(row.LogicalID)
	row.Version, row.Origin, row.Before, row.Adopted = next, Added, nil, true
	p.step(row, StepImport, "IMPORT_IN_PROGRESS")
}

// letGo takes a resource that was brought in out of the stack again; the resource itself stays.
func (p *progress) letGo(r Resource) {
	r.Doomed, r.Adopted = nil, false
	if p.op.Kind == Import {
		note(p.tx, r, p.op, p.now, "IMPORT_ROLLBACK_IN_PROGRESS", "")
		note(p.tx, r, p.op, p.now, "IMPORT_ROLLBACK_COMPLETE", "")
	} else {
		note(p.tx, r, p.op, p.now, "DELETE_SKIPPED", "")
	}
	r.Status, r.Reason, r.Changed = "DELETE_SKIPPED", "", p.now
	p.put(r)
}

// spoken is a status in the words of the operation: those of imports are their own, and they clean nothing up.
func (op Operation) spoken(status string) string {
	if op.Kind != Import {
		return status
	}
	switch {
	case strings.HasSuffix(status, "CLEANUP_IN_PROGRESS"):
		return ""
	case strings.Contains(status, "ROLLBACK"):
		_, rest, _ := strings.Cut(status, "ROLLBACK")
		return "IMPORT_ROLLBACK" + rest
	case strings.HasSuffix(status, "_COMPLETE"):
		return "IMPORT_COMPLETE"
	}
	return status
}

// checkImportable refuses the inputs of change sets that contradict each other.
func checkImportable(in *api.CreateChangeSetInput) error {
	if in.ChangeSetType != "IMPORT" && len(in.ResourcesToImport) > 0 {
		return invalid("ResourcesToImport can only be specified for change sets of type IMPORT")
	}
	if in.ChangeSetType == "IMPORT" && deref(in.ImportExistingResources) {
		return awsapi.Errorf("ValidationError", 400, "ImportExistingResources cannot be specified for change sets of type IMPORT")
	}
	return nil
}

// brought are the resources that a change set would bring in: those of ResourcesToImport, or those that are there already.
func (s *Service) brought(ctx context.Context, st Stack, bound *template.Bound, changes []Change, in *api.CreateChangeSetInput) (map[string]string, error) {
	switch {
	case in.ChangeSetType == "IMPORT":
		out, err := s.imports(s.Store.Snapshot(), st, bound, in.ResourcesToImport)
		if err != nil {
			return nil, err
		}
		return out, onlyImports(st, bound, changes, out)
	case deref(in.ImportExistingResources):
		return s.existing(ctx, st, bound, changes)
	}
	return nil, nil
}
