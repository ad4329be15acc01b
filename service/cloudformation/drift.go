package cloudformation

import (
	"context"
	"fmt"
	"slices"

	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// detect compares resources with what their services say of them. A resource whose service does not answer is UNKNOWN.
func (s *Service) detect(ctx context.Context, st Stack, rows []Resource) []Drift {
	out := make([]Drift, len(rows))
	for i, row := range rows {
		out[i] = s.detectOne(ctx, st, row)
	}
	return out
}

func (s *Service) detectOne(ctx context.Context, st Stack, row Resource) Drift {
	d := Drift{Stack: row.Stack, LogicalID: row.LogicalID, PhysicalID: row.PhysicalID, Type: row.Type, Status: "NOT_CHECKED", At: now()}
	typ, ok := s.lookup(row.Type)
	if !ok || typ.Intangible() {
		return d
	}
	t := task{s: s, key: Resources.Key(row), row: row, stack: st, typ: typ}
	there, err := t.callRead(t.context(ctx, row.Version), row.instance())
	if gone(err) {
		d.Status = "DELETED"
		return d
	}
	var drift cfn.Drift
	if err == nil {
		drift, err = typ.Drift(row.properties(), there, t.stackTags(row.Version))
	}
	if err != nil {
		d.Status, d.Reason = "UNKNOWN", fmt.Sprintf("Drift of resource %s could not be detected: %v", row.LogicalID, err)
		return d
	}
	hide := func(text string) string { return mask(text, Operation{Desired: st.Deployment}) }
	d.Status = "IN_SYNC"
	d.Expected, d.Actual = hide(string(encode(drift.Expected))), hide(string(encode(drift.Actual)))
	for _, diff := range drift.Differences {
		d.Status = "MODIFIED"
		d.Differences = append(d.Differences, Difference{
			Path: diff.Path, Kind: diff.Kind, Expected: hide(driftText(diff.Expected)), Actual: hide(driftText(diff.Actual)),
		})
	}
	return d
}

// driftText is a value as a property difference shows it: text as it is, everything else as JSON.
func driftText(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	return string(encode(v))
}

// detectable are the states of a stack in which drift can be detected.
var detectable = []string{"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}

func checkDetectable(st Stack) error {
	if !slices.Contains(detectable, st.Status) {
		return invalid("Drift detection cannot be performed on stack [%s] while it is in [%s] state", st.ID, st.Status)
	}
	return nil
}

// record keeps what a detection found, unless an operation has begun meanwhile: what was compared is history then. The stack's own drift is that of all its
// resources that were ever checked.
func (s *Service) record(seen Stack, found []Drift, run *Detection) error {
	return s.Store.Update(func(tx *store.Tx) error {
		st, err := Stacks.Get(tx, seen.Key())
		if err != nil {
			return err
		}
		if st.LastOperation != seen.LastOperation || st.Status != seen.Status {
			return checkDetectable(st)
		}
		for _, d := range found {
			Drifts.Put(tx, d)
		}
		st.Drift, st.DriftAt = "IN_SYNC", now()
		drifted := 0
		for d := range Drifts.List(tx, st.Key()+"/") {
			switch d.Status {
			case "MODIFIED", "DELETED":
				drifted++
			case "UNKNOWN":
				st.Drift = "UNKNOWN"
			}
		}
		if drifted > 0 {
			st.Drift = "DRIFTED"
		}
		Stacks.Put(tx, st)
		if run != nil {
			run.Drift, run.Count, run.At = st.Drift, drifted, st.DriftAt
			Detections.Put(tx, *run)
		}
		return nil
	})
}
