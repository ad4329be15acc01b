package cli

import (
	"context"
	"fmt"
	"time"
)

// watching shows what read returns until ctx ends: in place on a terminal,
// otherwise every time it has changed. An engine that restarts is waited for.
func watching[T any](ctx context.Context, p *platform, read func(context.Context) (T, error), rows func(T, time.Time) []string) error {
	s := &screen{app: p.app}
	patience := newPatience(p.app)
	last := ""
	for {
		r, err := read(ctx)
		now := digest(r)
		switch {
		case ctx.Err() != nil:
			return nil // ^C is how it ends
		case patience.allows(err):
		case err != nil:
			return err
		case p.live():
			s.show(rows(r, time.Now()))
		case now == last:
		case p.json:
			if err := p.printLine(r); err != nil {
				return err
			}
		default:
			for _, row := range rows(r, time.Now()) {
				fmt.Fprintln(p.out, row)
			}
			fmt.Fprintln(p.out)
		}
		if err == nil {
			last = now
		}
		if wait(ctx, refreshEvery) != nil {
			return nil
		}
	}
}
