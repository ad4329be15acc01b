package cloudformation

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/cfn/template"
)

// forward starts every resource whose dependencies are complete, and moves on when all are, or when one has failed.
func (p *progress) forward() error {
	if p.op.Cancelled {
		p.stop("")
		return nil
	}
	if !p.op.Deadline.IsZero() {
		if !p.now.Before(p.op.Deadline) {
			p.stop("Stack creation time exceeded the specified timeout. ")
			return nil
		}
		p.again = p.op.Deadline.Sub(p.now)
	}
	bound, err := p.bound()
	if err != nil {
		return p.broken(err)
	}
	active := map[string]bool{}
	for _, r := range bound.Active() {
		active[r.LogicalID] = true
	}
	if p.protectRemoved(active) {
		p.stop("")
		return nil
	}
	waiting := false
	for _, r := range bound.Ordered() {
		row, known := p.rows[r.LogicalID]
		if !known || row.Operation != p.op.ID {
			if !p.ready(bound.Dependencies(r)) {
				waiting = true
				continue
			}
			p.begin(bound, r)
			row = p.rows[r.LogicalID]
		}
		if row.failed() {
			p.stop("")
			return nil
		}
		waiting = waiting || row.Step != ""
	}
	if waiting {
		return nil
	}
	return p.complete(bound)
}

// ready reports whether resources have done their part of this operation.
func (p *progress) ready(ids []string) bool {
	for _, id := range ids {
		if r, ok := p.rows[id]; !ok || r.Operation != p.op.ID || r.Step != "" || r.failed() {
			return false
		}
	}
	return true
}

// begin decides what one resource needs and writes it as the row's step.
func (p *progress) begin(bound *template.Bound, r *template.Resource) {
	row, exists := p.rows[r.LogicalID]
	if exists && row.Status == "CREATE_FAILED" || strings.HasPrefix(row.Status, "DELETE_") {
		// Left over from an operation that was not rolled back: what there is of it goes, and it is made again.
		if row.PhysicalID != "" {
			row.Doomed = append(slices.Clone(row.Doomed), row.Version)
		}
		row.Version, exists = Version{}, false
	}
	next := Version{
		DependsOn: bound.Dependencies(r), StackTags: stackTags(p.op.Desired.Tags), DeletePolicy: r.DeletionPolicy, ReplPolicy: r.UpdateReplacePolicy,
	}
	props, err := bound.Properties(r, p.environment())
	if err == nil && r.Metadata != nil {
		var meta any
		meta, err = bound.Eval(r.Metadata, p.environment())
		next.Metadata = encode(meta)
	}
	if err == nil {
		next.Signals, err = signals(bound, r, p.environment())
	}
	if err != nil {
		p.refuse(row, r, exists, err)
		return
	}
	next.Properties = encode(props)
	if exists && row.PhysicalID == "" && row.Before != nil { // a replacement that was never made
		if row.Altered != nil {
			row.Version, row.Origin, row.Altered = *row.Altered, Changed, nil
		} else {
			row.Version, row.Origin, row.Before = *row.Before, "", nil
		}
	}
	exists = exists && row.PhysicalID != ""
	row.Stack, row.LogicalID, row.Type = p.op.Stack, r.LogicalID, r.Type
	if physical := p.op.Import[r.LogicalID]; !exists && physical != "" {
		p.adoptStep(row, next, physical)
		return
	}
	if !exists {
		next.Token = p.token(r.LogicalID)
		row.Version, row.Origin, row.Before = next, Added, nil
		p.step(row, StepCreate, "CREATE_IN_PROGRESS")
		return
	}
	p.change(row, next, props)
}

const replacing = "Requested update requires the creation of a new physical resource; hence creating one."

// change compares a resource that exists with what it shall be.
func (p *progress) change(row Resource, next Version, props map[string]any) {
	t := p.s.typeOf(row.Type)
	plan := compare(t, row.Version, next, props)
	before := row.Version
	if row.Before != nil && row.Origin != "" { // an update that failed before was not rolled back
		before = *row.Before
	}
	added := row.Origin == Added // by an update that failed and was not rolled back: the way back deletes it
	switch {
	case plan.Replacement != "True" && !plan.Handled && row.Status != "UPDATE_FAILED":
		next.PhysicalID, next.State, next.Token = row.PhysicalID, row.State, row.Token
		row.Version, row.Operation = next, p.op.ID
		p.put(row)
	case plan.Replacement != "True":
		next.PhysicalID, next.State, next.Token = row.PhysicalID, row.State, row.Token
		if p.denied(row, modifyAction) {
			return
		}
		row.Held = append(slices.Clone(row.Held), row.DependsOn...)
		row.Version = next
		if !added {
			row.Before = &before
		}
		if row.Origin == "" {
			row.Origin = Changed
		}
		p.step(row, StepUpdate, "UPDATE_IN_PROGRESS")
	case plan.Clash != "":
		row.Operation = p.op.ID
		p.set(row, "UPDATE_FAILED", fmt.Sprintf("CloudFormation cannot update a stack when a custom-named resource requires replacing. "+
			"Rename %s and update the stack again.", plan.Clash))
	case p.denied(row, replaceAction):
	default:
		if added || (row.Origin == Replaced && row.PhysicalID != before.PhysicalID) {
			row.Doomed = append(slices.Clone(row.Doomed), row.Version)
		} else {
			if row.Origin == Changed {
				row.Altered = new(row.Version)
			}
			before.State = row.State
		}
		// The event still names the old resource, the row already is the new one.
		note(p.tx, row, p.op, p.now, "UPDATE_IN_PROGRESS", replacing)
		next.Token = p.token(row.LogicalID)
		if row.Version = next; !added {
			row.Before, row.Origin = &before, Replaced
		}
		row.Step, row.Since, row.Operation = StepCreate, p.now, p.op.ID
		row.Status, row.Reason, row.Changed = "UPDATE_IN_PROGRESS", replacing, p.now
		p.put(row)
	}
}

// denied fails a resource that the stack policy keeps as it is.
func (p *progress) denied(row Resource, action string) bool {
	why := p.protected(action, row)
	if why != "" {
		row.Operation = p.op.ID
		p.set(row, "UPDATE_FAILED", why)
	}
	return why != ""
}

func (p *progress) step(row Resource, step Step, status string) {
	row.Step, row.Since, row.Operation = step, p.now, p.op.ID
	p.set(row, status, "")
}

// token names the creation of a resource within this operation.
func (p *progress) token(id string) string { return hashID("create", p.op.ID, string(p.op.Phase), id) }

// refuse fails a resource whose properties cannot be computed.
func (p *progress) refuse(row Resource, r *template.Resource, exists bool, err error) {
	status := "CREATE_FAILED"
	if exists {
		status = "UPDATE_FAILED"
	} else {
		row = Resource{Stack: p.op.Stack, LogicalID: r.LogicalID, Type: r.Type, Origin: Added, Doomed: row.Doomed}
	}
	row.Operation = p.op.ID
	p.set(row, status, failure(err, row))
}

// stop begins the end of an operation that cannot succeed: nothing new starts, and what is under way is interrupted.
func (p *progress) stop(reason string) {
	p.op.Reason += reason
	p.enter(Stopping, "", "")
	for _, id := range p.order {
		if r := p.rows[id]; r.Step != "" {
			p.cancel = append(p.cancel, Resources.Key(r))
		}
	}
}

// broken rolls back for a reason that no single resource has.
func (p *progress) broken(err error) error {
	if e, ok := errors.AsType[*template.Error](err); ok {
		p.stop(e.Message + ". ")
		return nil
	}
	return err
}

// stopping waits for what is under way, then chooses the way back.
func (p *progress) stopping() {
	for _, id := range p.order {
		if p.rows[id].Step != "" {
			return
		}
	}
	why := p.op.Reason
	if why == "" {
		why = p.failures("create", "update", "import")
	}
	switch {
	case p.op.Kind == Create && p.op.OnFailure == "DO_NOTHING":
		p.finish("CREATE_FAILED", why)
	case p.op.Kind == Create && p.op.OnFailure == "DELETE":
		p.enter(Deleting, "DELETE_IN_PROGRESS", why+"Delete requested by user.")
	case p.op.Kind == Create:
		p.enter(Rollback, "ROLLBACK_IN_PROGRESS", why+"Rollback requested by user.")
	case p.op.Kind == Delete:
		p.enter(Deleting, "DELETE_IN_PROGRESS", "User Initiated")
	case p.op.OnFailure == "DO_NOTHING":
		p.stack.Rollback = p.op.Previous
		p.finish("UPDATE_FAILED", why)
	case p.op.Previous == nil: // there is nothing to go back to
		p.enter(Rollback, "ROLLBACK_IN_PROGRESS", why+"Rollback requested by user.")
	default:
		p.enter(Revert, "UPDATE_ROLLBACK_IN_PROGRESS", why)
	}
}

// deadline is when a creation of a stack gives up.
func deadline(at time.Time, minutes int32) time.Time {
	if minutes <= 0 {
		return time.Time{}
	}
	return at.Add(time.Duration(minutes) * time.Minute)
}
