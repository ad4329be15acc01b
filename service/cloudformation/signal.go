package cloudformation

import (
	"context"
	"fmt"
	"strings"
	"time"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Signal is what was told to a wait condition, by its handle or by SignalResource.
type Signal struct {
	Target   string // stack key + logical id: of the handle, or of the resource with a creation policy
	UniqueID string
	Status   string // SUCCESS, FAILURE
	Reason   string
	Data     string
	At       time.Time
}

// dropSignals forgets the signals of a target.
func dropSignals(tx *store.Tx, target string) {
	for sig := range Signals.List(tx, target+"/") {
		Signals.Delete(tx, Signals.Key(sig))
	}
}

// SignalResource tells a resource with a creation policy that it is ready, or has failed.
func (s *Service) SignalResource(ctx context.Context, in *api.SignalResourceInput) (*api.SignalResourceOutput, error) {
	return &api.SignalResourceOutput{}, s.Store.Update(func(tx *store.Tx) error {
		st, err := find(ctx, tx, deref(in.StackName))
		if err != nil {
			return err
		}
		id := deref(in.LogicalResourceId)
		row, err := Resources.Get(tx, st.Key()+"/"+id)
		if err != nil {
			return invalid("Resource %s does not exist for stack %s", id, st.Name)
		}
		if row.Status != "CREATE_IN_PROGRESS" && row.Status != "UPDATE_IN_PROGRESS" {
			return invalid("Resource %s is in %s state and cannot be signaled", id, row.Status)
		}
		if row.Signals == nil {
			return invalid("Resource %s of type %s has no creation policy that waits for signals", id, row.Type)
		}
		sig := Signal{Target: st.Key() + "/" + id, UniqueID: deref(in.UniqueId), Status: string(in.Status), At: now()}
		if _, err := Signals.Get(tx, Signals.Key(sig)); err == nil && sig.Status != "FAILURE" {
			return invalid("Signal with ID %s for resource %s already exists. Signals may only be updated with a FAILURE status.", sig.UniqueID, id)
		}
		Signals.Put(tx, sig)
		op, err := Operations.Get(tx, st.Key())
		if err != nil {
			return fmt.Errorf("operation of stack %s: %w", st.Name, err)
		}
		note(tx, row, op, now(), row.Status, fmt.Sprintf("Received %s signal with UniqueId %s", sig.Status, sig.UniqueID))
		return nil
	})
}

// told keeps a signal that was PUT to a handle. One with the same unique id replaces the one before, as an object in S3 does.
func (s *Service) told(c callback, message map[string]any) error {
	text := func(name string) string { v, _ := message[name].(string); return v }
	sig := Signal{
		Target: c.Stack + "/" + c.LogicalID, UniqueID: text("UniqueId"), Status: text("Status"), Reason: text("Reason"), Data: text("Data"), At: now(),
	}
	if sig.UniqueID == "" || (sig.Status != "SUCCESS" && sig.Status != "FAILURE") {
		return invalid("a signal is {\"Status\": \"SUCCESS\" or \"FAILURE\", \"UniqueId\": \"...\", \"Reason\": \"...\", \"Data\": \"...\"}")
	}
	return s.Store.Update(func(tx *store.Tx) error {
		if row, err := Resources.Get(tx, sig.Target); err != nil || row.Type != handleType || strings.HasPrefix(row.Status, "DELETE") {
			return invalid("the handle is gone")
		}
		Signals.Put(tx, sig)
		return nil
	})
}
