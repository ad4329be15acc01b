package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/engineapi"
	"github.com/slipway-dev/slipway/manifest"
)

const (
	// usualTime is how long calls are watched to know how many fail anyway.
	usualTime = 5 * time.Second
	// failuresMin is how many calls must have failed before a share of them means something.
	failuresMin = 3
)

// outcome is how calls ended in some time.
type outcome struct {
	Requests int64 `json:"requests"`
	Failed   int64 `json:"failed"` // no answer, a 5xx, or an answer only to another try
}

func (o outcome) share() float64 {
	if o.Requests == 0 {
		return 0
	}
	return min(float64(o.Failed)/float64(o.Requests), 1)
}

func (o outcome) String() string {
	if o.Requests == 0 {
		return "no calls"
	}
	return fmt.Sprintf("%d calls, %s %% failed", o.Requests, figure(new(o.share()), 100, 1))
}

// watch judges the calls to a service by its callers' counters.
type watch struct {
	*platform
	node    string          // that gets more of them
	names   map[string]bool // under which the service is a destination
	pause   time.Duration
	allowed float64
	usual   outcome
}

func (p *platform) newWatch(s *manifest.Service, node string, targets []appmeshapi.WeightedTarget, how shift) *watch {
	w := &watch{platform: p, node: node, pause: how.pause, allowed: how.allowed / 100, names: map[string]bool{p.names.Host(s): true, node: true}}
	for _, t := range targets {
		w.names[val(t.VirtualNode)] = true
	}
	return w
}

// usually finds out how many calls fail as it is.
func (w *watch) usually(ctx context.Context) (outcome, error) {
	if w.pause == 0 {
		return outcome{}, nil
	}
	var err error
	w.usual, err = w.look(ctx, usualTime, func(outcome) error { return nil })
	return w.usual, err
}

// step watches for the pause; an error says that more fails than before.
func (w *watch) step(ctx context.Context) (outcome, error) {
	if w.pause == 0 {
		return outcome{}, nil
	}
	return w.look(ctx, w.pause, w.judge)
}

// judge says what is wrong with an outcome, if something is.
func (w *watch) judge(seen outcome) error {
	if seen.Failed < failuresMin || seen.share() <= w.usual.share()+w.allowed {
		return nil
	}
	return fmt.Errorf("%s %% of %d calls failed, where %s %% did before", figure(new(seen.share()), 100, 1), seen.Requests, figure(new(w.usual.share()), 100, 1))
}

// look counts calls for some time, judging again and again. An engine that restarts is waited for.
func (w *watch) look(ctx context.Context, span time.Duration, judge func(outcome) error) (outcome, error) {
	patience := newPatience(w.app)
	var first map[string]outcome
	var seen outcome
	for end := time.Now().Add(span); ; {
		state, err := w.meshState(ctx)
		if err != nil && !patience.allows(err) {
			return seen, err
		}
		if err == nil {
			now := w.counted(state)
			if first == nil {
				first = now
			}
			seen = since(now, first)
			if err := judge(seen); err != nil {
				return seen, err
			}
		}
		if !time.Now().Before(end) {
			return seen, nil
		}
		if err := wait(ctx, refreshEvery); err != nil {
			return seen, err
		}
	}
}

// counted are the counters of the calls to the service by caller: of those to the node alone if callers count these apart.
func (w *watch) counted(state engineapi.MeshState) map[string]outcome {
	apart := false
	for _, e := range state.Edges {
		apart = apart || e.Destination == w.node
	}
	out := map[string]outcome{}
	for _, e := range state.Edges {
		if w.names[e.Destination] && (!apart || e.Destination == w.node) {
			t := tallyOf(e)
			out[e.SourceTask+" "+e.Destination] = outcome{t.requests, t.failed + e.Retries}
		}
	}
	return out
}

// since is what was counted after before; a sidecar that has begun anew counts from 0.
func since(now, before map[string]outcome) outcome {
	var out outcome
	for key, n := range now {
		if b := before[key]; b.Requests <= n.Requests {
			n = outcome{n.Requests - b.Requests, n.Failed - b.Failed}
		}
		out.Requests += n.Requests
		out.Failed += max(n.Failed, 0)
	}
	return out
}
