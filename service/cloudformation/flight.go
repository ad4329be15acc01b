package cloudformation

import (
	"context"
	"errors"
	"sync"
)

// errCancelled is the cause of a handler's context that the stack has cancelled, in contrast to one that ends with the engine.
var errCancelled = errors.New("cancelled by the stack operation")

// flights are the handler calls under way, so that they can be cancelled.
type flights struct {
	mu     sync.Mutex
	cancel map[string]context.CancelCauseFunc // by resource key
}

// begin enters a call; the function returned takes it out.
func (f *flights) begin(ctx context.Context, key string) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cancel == nil {
		f.cancel = map[string]context.CancelCauseFunc{}
	}
	f.cancel[key] = cancel
	return ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.cancel, key)
		cancel(nil)
	}
}

// stop cancels the calls for some resources.
func (f *flights) stop(keys []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range keys {
		if cancel := f.cancel[k]; cancel != nil {
			cancel(errCancelled)
		}
	}
}
