package peer

import (
	"context"
	"net/http"
)

// rounds is how often every replica that has not answered yet is asked for once more. Whom a question reaches is the sidecar's choice: by
// chance alone a replica is missed once in 160,000 times.
const rounds = 12

// askAround puts a read of path to the service's own name, behind which a sidecar chooses a replica, until each of so many others has
// answered. In a mesh a task cannot choose whom it reaches, but sees who has answered.
func (p *Replicas) askAround(ctx context.Context, others int, path string) Answer {
	busy, answered := false, map[string]bool{p.ID: true}
	for range rounds {
		missing := others + 1 - len(answered)
		if missing <= 0 || ctx.Err() != nil {
			break
		}
		answers := make(chan Answer, missing)
		for range missing {
			go func() { answers <- p.ask(ctx, p.Name+path) }()
		}
		for range missing {
			one := <-answers
			if one.Body != nil && one.replica != p.ID {
				return one
			}
			busy = busy || one.Busy && one.replica != p.ID
			if one.replica != "" {
				answered[one.replica] = true
			}
		}
	}
	return Answer{Busy: busy, Missing: len(answered) <= others}
}

// Sign says who answers a question of another replica.
func (p *Replicas) Sign(w http.ResponseWriter) { w.Header().Set(AnswererHeader, p.ID) }
