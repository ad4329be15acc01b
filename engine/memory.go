package engine

import (
	"context"
	"runtime/debug"
	"time"
)

// gcPercent trades a little processor time for memory: the engine idles most
// of the time on a machine that has other work, and its hot path, the proxy,
// does not allocate.
const gcPercent = 50

// trimEvery is how often memory that is free goes back to the system. Go does
// so by itself, but only down to a tenth above what a busy time needed.
const trimEvery = 15 * time.Second

// trim gives free memory back until ctx ends. Once costs some ten milliseconds.
func trim(ctx context.Context) error {
	t := time.NewTicker(trimEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			debug.FreeOSMemory()
		}
	}
}
