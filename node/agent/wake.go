package agent

import "github.com/slipway-dev/slipway/kernel/store"

// wakes holds no state: a write to it dirties a task's key after something
// outside the store has happened, such as a container's exit.
var wakes = store.NewTable("agent/wake", func(w wake) string { return w.ARN }, store.Volatile[wake]())

type wake struct {
	ARN string
	N   int64 // differs at each wake
}
