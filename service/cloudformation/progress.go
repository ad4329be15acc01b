package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/cfn/template"
	"github.com/slipway-dev/slipway/kernel/store"
)

// advance takes the operation of one stack as far as it can go without waiting. It reads rows and writes rows, nothing else.
func (s *Service) advance(_ context.Context, key string) (time.Duration, error) {
	var p *progress
	err := s.Store.Update(func(tx *store.Tx) error {
		var err error
		if p, err = s.load(tx, key); err != nil {
			return err
		}
		return p.run()
	})
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil // no operation: nothing to do
	}
	if err != nil {
		return 0, fmt.Errorf("advance stack %s: %w", key, err)
	}
	s.flights.stop(p.cancel)
	if p.ended {
		s.forget(key)
		s.Log.Info("stack operation ended", "stack", p.stack.Name, "operation", p.op.Kind, "status", p.stack.Status, "reason", p.stack.Reason)
	}
	return p.again, nil
}

// progress is one look at an operation inside of one transaction.
type progress struct {
	s      *Service
	tx     *store.Tx
	now    time.Time
	stack  Stack
	op     Operation
	rows   map[string]Resource
	order  []string        // keys of rows, sorted
	keep   map[string]bool // in Cleanup: the logical ids that stay
	cancel []string        // resource keys whose handlers shall be interrupted
	again  time.Duration
	ended  bool
}

func (s *Service) load(tx *store.Tx, key string) (*progress, error) {
	op, err := Operations.Get(tx, key)
	if err != nil {
		return nil, err
	}
	st, err := Stacks.Get(tx, key)
	if err != nil {
		return nil, err
	}
	p := &progress{s: s, tx: tx, now: now(), stack: st, op: op, rows: map[string]Resource{}}
	for r := range Resources.List(tx, key+"/") {
		p.rows[r.LogicalID] = r
		p.order = append(p.order, r.LogicalID)
	}
	return p, nil
}

// run goes through the phases until one has to wait.
func (p *progress) run() error {
	for !p.ended {
		phase := p.op.Phase
		var err error
		switch phase {
		case Forward:
			err = p.forward()
		case Stopping:
			p.stopping()
		case Rollback, Deleting:
			p.deleteAll()
		case Revert:
			p.revert()
		case Waiting:
			p.await()
		case Cleanup:
			err = p.cleanup()
		default:
			err = fmt.Errorf("operation %s is in the unknown phase %q", p.op.ID, phase)
		}
		if err != nil {
			return err
		}
		if p.op.Phase == phase {
			break
		}
	}
	return nil
}

// enter begins a phase, with the stack's new status.
func (p *progress) enter(phase Phase, status, reason string) {
	p.op.Phase = phase
	Operations.Put(p.tx, p.op)
	if status = p.op.spoken(status); status != "" {
		setStatus(p.tx, &p.stack, p.op, p.now, status, reason)
	}
}

// finish ends the operation.
func (p *progress) finish(status, reason string) {
	status = p.op.spoken(status)
	keep := status == "CREATE_FAILED" || status == "UPDATE_FAILED" || status == "UPDATE_ROLLBACK_FAILED"
	for _, id := range p.order {
		r, ok := p.rows[id]
		if ok && !keep && (r.Before != nil || r.Origin != "") {
			r.Before, r.Altered, r.Origin, r.Adopted = nil, nil, "", false
			p.put(r)
		}
	}
	if status == "DELETE_COMPLETE" {
		p.stack.Deleted, p.stack.Outputs, p.stack.Imports = p.now, nil, nil
		for cs := range ChangeSets.List(p.tx, p.stack.Key()+"/") {
			ChangeSets.Delete(p.tx, ChangeSets.Key(cs))
		}
	}
	dropNested(p.tx, p.stack.Key(), p.stack.ChangeSetID) // of nested stacks that were not reached
	setStatus(p.tx, &p.stack, p.op, p.now, status, reason)
	if keep {
		// What Revert needs stays for ContinueUpdateRollback and for the next update.
		p.stack.LastOperation = p.op.ID
	}
	Operations.Delete(p.tx, p.op.Stack)
	for a := range Answers.List(p.tx, p.op.Stack+"/") {
		Answers.Delete(p.tx, Answers.Key(a))
	}
	p.pruneTemplates()
	p.pruneEvents()
	p.ended = true
}

// pruneEvents drops the events, and the runs of drift detection, that are older than AWS keeps them.
func (p *progress) pruneEvents() {
	for d := range Detections.List(p.tx, p.stack.Key()+"/") {
		if p.now.Sub(d.At) >= remembered {
			Detections.Delete(p.tx, Detections.Key(d))
		}
	}
	for e := range Events.List(p.tx, p.stack.Key()+"/") {
		if p.now.Sub(e.Time) < remembered {
			return // the rest is younger
		}
		Events.Delete(p.tx, Events.Key(e))
	}
}

// pruneTemplates drops the templates that nothing refers to any more.
func (p *progress) pruneTemplates() {
	used := map[string]bool{}
	use := func(d Deployment) { used[d.Template], used[d.Processed] = true, true }
	use(p.stack.Deployment)
	if p.stack.Rollback != nil {
		use(*p.stack.Rollback)
	}
	for cs := range ChangeSets.List(p.tx, p.stack.Key()+"/") {
		use(cs.Deployment)
	}
	for t := range Templates.List(p.tx, p.stack.Key()+"/") {
		if !used[t.Hash] {
			Templates.Delete(p.tx, Templates.Key(t))
		}
	}
}

func (p *progress) put(r Resource) {
	if _, ok := p.rows[r.LogicalID]; !ok {
		p.order = append(p.order, r.LogicalID)
		slices.Sort(p.order)
	}
	p.rows[r.LogicalID] = r
	Resources.Put(p.tx, r)
}

func (p *progress) drop(id string) {
	Resources.Delete(p.tx, p.op.Stack+"/"+id)
	delete(p.rows, id)
	p.order = slices.DeleteFunc(p.order, func(other string) bool { return other == id })
}

// set moves a row to a status, with its event.
func (p *progress) set(r Resource, status, reason string) {
	setResource(p.tx, &r, p.op, p.now, status, reason)
	p.put(r)
}

func (p *progress) environment() environment {
	return environment{s: p.s, r: p.tx, stack: p.stack, rows: p.rows}
}

func (p *progress) bound() (*template.Bound, error) { return p.s.bind(p.tx, p.stack, p.op.Desired) }

// failures words the failed resources of this operation, by what failed: "The following resource(s) failed to create: [A, B]. ".
func (p *progress) failures(verbs ...string) string {
	var out strings.Builder
	for _, verb := range verbs {
		var ids []string
		for _, id := range p.order {
			if r := p.rows[id]; r.Operation == p.op.ID && r.Status == strings.ToUpper(verb)+"_FAILED" {
				ids = append(ids, id)
			}
		}
		if len(ids) > 0 {
			fmt.Fprintf(&out, "The following resource(s) failed to %s: [%s]. ", verb, strings.Join(ids, ", "))
		}
	}
	return out.String()
}
