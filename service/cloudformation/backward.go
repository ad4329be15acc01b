package cloudformation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/kernel/cfn/template"
	"github.com/slipway-dev/slipway/kernel/store"
)

// deleteAll deletes every resource, those that others depend on last. It is the way back of a creation and the way of a deletion.
func (p *progress) deleteAll() {
	if p.op.Phase == Deleting {
		if user, name, used := exportUsed(p.tx, p.stack); used {
			p.finish("DELETE_FAILED", exportInUse(name, user))
			return
		}
	}
	busy := false
	for again := true; again; {
		again = false
		for _, id := range slices.Clone(p.order) {
			r := p.rows[id]
			if r.Step != "" {
				busy = true
				continue
			}
			if p.settledDown(r) || p.needed(id) {
				continue
			}
			p.remove(r)
			again = true // it may have gone at once, and freed others
			busy = busy || p.rows[id].Step != ""
		}
	}
	if busy {
		return
	}
	why := p.failures("delete")
	if why == "" && p.removeCircle() {
		return
	}
	if p.op.Phase == Rollback {
		if why != "" {
			p.finish("ROLLBACK_FAILED", why)
		} else {
			p.finish("ROLLBACK_COMPLETE", "")
		}
		return
	}
	if why != "" {
		p.finish("DELETE_FAILED", why)
	} else {
		p.finish("DELETE_COMPLETE", "")
	}
}

// settledDown reports whether nothing more can be done to delete a resource in this operation.
func (p *progress) settledDown(r Resource) bool {
	switch r.Status {
	case "DELETE_COMPLETE", "DELETE_SKIPPED":
		return len(r.Doomed) == 0 || r.Operation == p.op.ID
	case "DELETE_FAILED":
		return r.Operation == p.op.ID
	}
	return false
}

// needed reports whether a resource that is still there depends on id.
func (p *progress) needed(id string) bool {
	for _, other := range p.rows {
		if other.LogicalID == id || other.Status == "DELETE_COMPLETE" || other.Status == "DELETE_SKIPPED" {
			continue
		}
		if other.uses(id) {
			return true
		}
	}
	return false
}

// uses reports whether anything there is of a resource may depend on id.
func (r Resource) uses(id string) bool {
	versions := append([]Version{r.Version, {DependsOn: r.Held}}, r.Doomed...)
	for _, v := range []*Version{r.Before, r.Altered} {
		if v != nil {
			versions = append(versions, *v)
		}
	}
	return slices.ContainsFunc(versions, func(v Version) bool { return slices.Contains(v.DependsOn, id) })
}

// removeCircle starts the deletion of what is left when old versions of resources depend on each other's new ones in a circle, and reports whether there is
// anything: those that are in use wait for the others.
func (p *progress) removeCircle() bool {
	found := false
	for _, id := range slices.Clone(p.order) {
		if r := p.rows[id]; !p.settledDown(r) {
			p.remove(r)
			found = found || p.rows[id].Step != ""
		}
	}
	return found
}

// remove starts the deletion of a resource, or skips it as its policy says.
func (p *progress) remove(r Resource) {
	r.Operation = p.op.ID
	if r.Before != nil && r.Origin == Replaced { // a replacement whose old resource was not cleaned up
		r.Doomed = append(slices.Clone(r.Doomed), *r.Before)
		r.Before, r.Altered, r.Origin = nil, nil, ""
	}
	switch {
	case r.Adopted && p.op.Kind != Delete:
		p.letGo(r)
	case p.op.Phase == Deleting && slices.Contains(p.op.Retain, r.LogicalID), p.retained(r):
		r.Doomed = nil
		p.set(r, "DELETE_SKIPPED", "")
	case r.PhysicalID == "" && len(r.Doomed) == 0:
		p.set(r, "DELETE_COMPLETE", "")
	default:
		r.Step, r.Since = StepDelete, p.now
		p.set(r, "DELETE_IN_PROGRESS", "")
	}
}

// retained reports whether the deletion policy keeps a resource that its stack lets go of.
func (p *progress) retained(r Resource) bool {
	made := r.Origin == Added && p.op.Kind != Delete // undoing what this operation itself made
	switch r.DeletePolicy {
	case template.Retain:
		return r.PhysicalID != "" && !(made && p.op.RetainExceptOnCreate)
	case template.RetainExceptOnCreate:
		return r.PhysicalID != "" && !made
	}
	return false
}

// exportUsed finds an export of a stack that another one imports.
func exportUsed(r store.Reader, st Stack) (user Stack, name string, used bool) {
	for _, o := range st.Outputs {
		if o.Export == "" {
			continue
		}
		if user, ok := importer(r, st.Scope.Key(o.Export), st); ok {
			return user, o.Export, true
		}
	}
	return Stack{}, "", false
}

// revert brings every resource of an update back to what it was before.
func (p *progress) revert() {
	busy := false
	for _, id := range slices.Clone(p.order) {
		r := p.rows[id]
		switch {
		case r.Step != "":
			busy = true
		case r.Before == nil && r.Origin == "" && r.Status == "UPDATE_FAILED":
			p.set(r, "UPDATE_COMPLETE", "") // it failed before anything was done
		case r.Before == nil || (r.Operation == p.op.ID && r.failed() && r.Reverting):
		case slices.Contains(p.op.Skip, id):
			r.Version, r.Before, r.Origin, r.Reverting = *r.Before, nil, "", false
			p.set(r, "UPDATE_COMPLETE", "")
		default:
			p.takeBack(r)
			busy = busy || p.rows[id].Step != ""
		}
	}
	if busy {
		return
	}
	var failed []string
	for _, id := range p.order {
		if r := p.rows[id]; r.Reverting && r.failed() {
			failed = append(failed, id)
		}
	}
	if len(failed) > 0 {
		p.stack.Rollback = p.op.Previous
		p.finish("UPDATE_ROLLBACK_FAILED", fmt.Sprintf("The following resource(s) failed to update: [%s]. ", strings.Join(failed, ", ")))
		return
	}
	p.op.Reverted = true
	p.stack.Rollback = nil
	if p.op.Previous != nil {
		p.stack.Deployment = *p.op.Previous
	}
	p.enter(Cleanup, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "")
}

// takeBack undoes what the update did to one resource. A replaced one needs no work: its old self is still there, unless it had been changed before.
func (p *progress) takeBack(r Resource) {
	r.Operation = p.op.ID
	if p.turnBack(r) {
		return
	}
	before := *r.Before
	if r.Origin == Replaced {
		if r.PhysicalID != "" && r.PhysicalID != before.PhysicalID {
			r.Doomed = append(slices.Clone(r.Doomed), r.Version)
		}
		if r.Altered != nil {
			r.Version, r.Altered, r.Origin = *r.Altered, nil, Changed
		}
	}
	if r.Origin == Replaced {
		r.Version, r.Before, r.Origin, r.Reverting = before, nil, "", false
		note(p.tx, r, p.op, p.now, "UPDATE_IN_PROGRESS", "")
		p.set(r, "UPDATE_COMPLETE", "")
		return
	}
	// The state is what is really there; only the wish goes back.
	before.State, before.PhysicalID = r.State, r.PhysicalID
	r.Version, r.Reverting = before, true
	p.step(r, StepUpdate, "UPDATE_IN_PROGRESS")
}
