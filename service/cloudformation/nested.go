package cloudformation

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// await holds a nested stack whose update is complete, until the stack around it cleans up; that may still bring it back: see turnBack.
func (p *progress) await() {
	key, _ := stackKey(p.stack.Parent)
	switch op, err := Operations.Get(p.tx, key); {
	case err != nil, op.Phase == Cleanup, op.Phase == Deleting, op.Phase == Rollback:
		p.op.Phase = Cleanup
		Operations.Put(p.tx, p.op)
	default:
		p.again = time.Minute // the parent's operation wakes it
	}
}

// turnBack brings a nested stack back whose update is complete but held: it undoes it by its own rows, without reading any template again.
func (p *progress) turnBack(r Resource) bool {
	key, ok := stackKey(r.PhysicalID)
	if r.Type != stackType || !ok {
		return false
	}
	if !undo(p.tx, key, p.now) {
		return false
	}
	before := *r.Before
	before.State, before.PhysicalID = withoutOperation(r.State), r.PhysicalID
	r.Version, r.Reverting = before, true
	p.step(r, StepSettle, "UPDATE_IN_PROGRESS")
	return true
}

// undo makes an update that is held go back, and reports whether there is one.
func undo(tx *store.Tx, key string, at time.Time) bool {
	op, err := Operations.Get(tx, key)
	if err != nil || op.Phase != Waiting {
		return false
	}
	st, err := Stacks.Get(tx, key)
	if err != nil {
		return false
	}
	op.Phase = Revert
	Operations.Put(tx, op)
	setStatus(tx, &st, op, at, "UPDATE_ROLLBACK_IN_PROGRESS", "")
	return true
}

// withoutOperation is the state of a nested stack that waits for no operation in particular: however it ends, it is as it was.
func withoutOperation(state json.RawMessage) json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(state, &m) != nil {
		return state
	}
	delete(m, "LastOperation")
	return encode(m)
}

// nestedBusy reports whether nested stacks are still cleaning up.
func (p *progress) nestedBusy() bool {
	for child := range Stacks.By(p.tx, "parent", p.stack.Key()) {
		if _, err := Operations.Get(p.tx, child.Key()); err == nil {
			return true
		}
	}
	return false
}

// nestedSettling are the resources that wait for the nested stack with a key.
func nestedSettling(r *store.Snapshot, key string) []string {
	st, err := Stacks.Get(r, key)
	if err != nil || st.Parent == "" {
		return nil
	}
	var keys []string
	for res := range Resources.By(r, "physical", st.Scope.Key(st.ID)) {
		if res.Step == StepSettle {
			keys = append(keys, Resources.Key(res))
		}
	}
	return keys
}

// bringBack undoes an update of a nested stack that is under way, or takes up its rollback that failed. It reports whether the stack then needs no update: it
// has rolled back by itself.
func (h nestedStacks) bringBack(ctx context.Context, p *nestedStack, skip []string) (bool, error) {
	st, err := h.row(p)
	if err != nil {
		return false, err
	}
	held := false
	if err := h.Store.Update(func(tx *store.Tx) error { held = undo(tx, st.Key(), now()); return nil }); held || err != nil {
		return held, err
	}
	switch st.Status {
	case "UPDATE_IN_PROGRESS":
		_, err = h.CancelUpdateStack(ctx, &api.CancelUpdateStackInput{StackName: &p.StackID})
	case "UPDATE_ROLLBACK_FAILED":
		_, err = h.ContinueUpdateRollback(ctx, &api.ContinueUpdateRollbackInput{StackName: &p.StackID, ResourcesToSkip: skip})
	case "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE":
	default:
		return false, nil
	}
	return true, err
}

// skipped are the resources to skip of the nested stack with a logical id: "Stack.Resource" names them.
func skipped(names []string, logicalID string) []string {
	var out []string
	for _, name := range names {
		if rest, ok := strings.CutPrefix(name, logicalID+"."); ok {
			out = append(out, rest)
		}
	}
	return out
}
