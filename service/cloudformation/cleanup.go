package cloudformation

import (
	"slices"

	"github.com/slipway-dev/slipway/kernel/cfn/template"
)

// cleanup deletes what an update, or its way back, leaves over: resources no longer in the template, and replaced ones. What fails here is only told.
func (p *progress) cleanup() error {
	keep, err := p.kept()
	if err != nil {
		return err
	}
	p.keep = keep
	busy := false
	for again := true; again; {
		again = false
		for _, id := range slices.Clone(p.order) {
			r := p.rows[id]
			if r.Step != "" {
				busy = true
				continue
			}
			if p.sweep(r, keep[id]) {
				again = true
				if now, ok := p.rows[id]; ok && now.Step != "" {
					busy = true
				}
			}
		}
	}
	if busy || p.nestedBusy() {
		return nil
	}
	if p.sweepCircle() {
		return p.cleanup()
	}
	switch {
	case p.op.Reverted:
		p.finish("UPDATE_ROLLBACK_COMPLETE", "")
	case p.op.Kind == Create:
		p.finish("CREATE_COMPLETE", "")
	default:
		p.finish("UPDATE_COMPLETE", "")
	}
	return nil
}

// kept says which logical ids stay.
func (p *progress) kept() (map[string]bool, error) {
	keep := map[string]bool{}
	if p.op.Reverted {
		for id, r := range p.rows {
			keep[id] = r.Origin != Added
		}
		return keep, nil
	}
	bound, err := p.bound()
	if err != nil {
		return nil, err
	}
	for _, r := range bound.Active() {
		keep[r.LogicalID] = true
	}
	return keep, nil
}

// sweep takes one row a step further in Cleanup, and reports whether it did anything.
func (p *progress) sweep(r Resource, keep bool) bool {
	if keep && r.Origin == Replaced && r.Before != nil {
		r.Doomed = append(slices.Clone(r.Doomed), *r.Before)
		r.Before, r.Altered, r.Origin = nil, nil, ""
		p.put(r)
	}
	switch {
	case !keep && (r.Status == "DELETE_COMPLETE" || r.Status == "DELETE_SKIPPED" || (r.Status == "DELETE_FAILED" && r.Operation == p.op.ID)):
		p.drop(r.LogicalID)
	case !keep && !p.blocked(r):
		p.remove(r)
	case keep && len(r.Doomed) > 0 && !p.blocked(r):
		p.discard(r)
	default:
		return false
	}
	return true
}

// sweepCircle begins with what is left when everything is blocked: versions that depend on each other in a circle, of which none can be the first. What is in
// use waits for the others. It reports whether there was anything.
func (p *progress) sweepCircle() bool {
	found := false
	for _, id := range slices.Clone(p.order) {
		switch r := p.rows[id]; {
		case r.Step != "":
		case !p.keep[id]:
			p.remove(r)
			found = true
		case len(r.Doomed) > 0:
			p.discard(r)
			found = true
		}
	}
	return found
}

// discard starts the deletion of the doomed versions of a resource that stays.
func (p *progress) discard(r Resource) {
	kept := slices.Clone(r.Doomed)
	r.Doomed = slices.DeleteFunc(kept, func(v Version) bool {
		retain := v.ReplPolicy == template.Retain && !p.op.Reverted
		if retain || v.PhysicalID == "" {
			old := r
			old.Version = v
			if retain {
				note(p.tx, old, p.op, p.now, "DELETE_SKIPPED", "")
			}
			return true
		}
		return false
	})
	if len(r.Doomed) > 0 {
		r.Step, r.Since = StepDiscard, p.now
		for _, v := range r.Doomed {
			old := r
			old.Version = v
			note(p.tx, old, p.op, p.now, "DELETE_IN_PROGRESS", "")
		}
	}
	p.put(r)
}

// blocked reports whether something else that Cleanup still has to delete depends on a row.
func (p *progress) blocked(r Resource) bool {
	for id, other := range p.rows {
		if id == r.LogicalID {
			continue
		}
		for _, v := range other.Doomed {
			if slices.Contains(v.DependsOn, r.LogicalID) {
				return true
			}
		}
		if p.keep[id] && other.Origin == Replaced && other.Before != nil && slices.Contains(other.Before.DependsOn, r.LogicalID) {
			return true
		}
		// Another that goes may be as it was before an update that failed: all that it ever was counts.
		if !p.keep[id] && other.uses(r.LogicalID) && other.Status != "DELETE_COMPLETE" && other.Status != "DELETE_SKIPPED" && other.Status != "DELETE_FAILED" {
			return true
		}
	}
	return false
}
