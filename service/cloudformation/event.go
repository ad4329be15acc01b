package cloudformation

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/store"
)

const stackType = "AWS::CloudFormation::Stack"

// emit appends an event to its stack's history. Each event is at least a millisecond, the wire's resolution, later than the one before: clients sort
// events by their time, and the CDK CLI shows those of one instant backwards.
func emit(tx *store.Tx, e Event) {
	seq, err := Sequences.Get(tx, e.Stack)
	if err != nil {
		seq = Sequence{Stack: e.Stack}
	}
	seq.Last++
	if e.Time.Sub(seq.At) < time.Millisecond {
		e.Time = seq.At.Add(time.Millisecond)
	}
	seq.At = e.Time
	Sequences.Put(tx, seq)
	e.Seq = seq.Last
	if e.ID == "" {
		e.ID = fmt.Sprintf("%s-%s-%s", e.LogicalID, e.Status, e.Time.Format("2006-01-02T15:04:05.000Z"))
	}
	Events.Put(tx, e)
}

// setStatus moves a stack to a status and records it.
func setStatus(tx *store.Tx, st *Stack, op Operation, at time.Time, status, reason string) {
	st.Status, st.Reason = status, reason
	Stacks.Put(tx, *st)
	emit(tx, Event{
		Stack: st.Key(), ID: hashID(st.ID, op.ID, status, at.String()), LogicalID: st.Name, PhysicalID: st.ID, Type: stackType, Time: at, Status: status, Reason: reason,
		Token: op.Token, Operation: op.ID,
	})
}

// setResource moves a resource to a status and records it with the properties it is being given.
func setResource(tx *store.Tx, r *Resource, op Operation, at time.Time, status, reason string) {
	r.Status, r.Reason, r.Changed = status, reason, at
	Resources.Put(tx, *r)
	Drifts.Delete(tx, Resources.Key(*r))
	note(tx, *r, op, at, status, reason)
}

// note records an event of a resource without changing its row.
func note(tx *store.Tx, r Resource, op Operation, at time.Time, status, reason string) {
	emit(tx, Event{
		Stack: r.Stack, LogicalID: r.LogicalID, PhysicalID: r.PhysicalID, Type: r.Type, Time: at, Status: status, Reason: reason,
		Properties: mask(string(r.Properties), op), Token: op.Token, Operation: op.ID,
	})
}

// mask hides the values of NoEcho parameters in a text that everybody may read.
func mask(text string, op Operation) string {
	hide := func(ps []Parameter) {
		for _, p := range ps {
			if p.NoEcho && p.Value != "" {
				quoted := string(encode(p.Value))
				text = strings.ReplaceAll(text, quoted[1:len(quoted)-1], masked)
			}
		}
	}
	hide(op.Desired.Parameters)
	if op.Previous != nil {
		hide(op.Previous.Parameters)
	}
	return text
}

// parent is the key of the stack that a row below it belongs to.
func parent(key string) string { return key[:strings.LastIndexByte(key, '/')] }

func encode(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("cloudformation: encode %T: %v", v, err)) // decoded JSON always encodes
	}
	return raw
}
