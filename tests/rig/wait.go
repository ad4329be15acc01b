package rig

import (
	"context"
	"fmt"
	"time"
)

// Wait waits unless ctx ends.
func Wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Until asks every few milliseconds until done is true. The error says what
// was waited for, and what was last in the way.
func Until(ctx context.Context, limit time.Duration, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		ok, err := done()
		if ok {
			return nil
		}
		if Wait(ctx, 20*time.Millisecond) != nil {
			if err != nil {
				return fmt.Errorf("not within %s: %s: %w", limit, what, err)
			}
			return fmt.Errorf("not within %s: %s", limit, what)
		}
	}
}
