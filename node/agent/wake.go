package agent

import (
	"errors"

	"github.com/slipway-dev/slipway/kernel/store"
)

// wakes holds no state: a write to it dirties a task's key after something
// outside the store has happened, such as a container's exit.
var wakes = store.NewTable("agent/wake", func(w wake) string { return w.ARN }, store.Volatile[wake]())

type wake struct {
	ARN string
	N   int64 // differs at each wake
}

// wake has tasks reconciled soon.
func (a *Agent) wake(arns ...string) {
	if len(arns) == 0 {
		return
	}
	err := a.cfg.Store.Update(func(tx *store.Tx) error {
		for _, arn := range arns {
			before, err := wakes.Get(tx, arn)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			wakes.Put(tx, wake{arn, before.N + 1})
		}
		return nil
	})
	if err != nil {
		a.cfg.Log.Error("tasks could not be woken", "tasks", arns, "err", err)
	}
}
