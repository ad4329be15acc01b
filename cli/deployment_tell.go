package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/manifest"
)

// rolloutDetails is one deployment with what happened meanwhile, as JSON.
type rolloutDetails struct {
	rolloutReport
	Events []happening `json:"events"`
}

// tellDeployment tells all about the deployment with an id, or the beginning
// of one.
func (p *platform) tellDeployment(ctx context.Context, word string) error {
	list, err := p.histories(ctx, p.manifest.Services, -1)
	if err != nil {
		return err
	}
	word = short(word)
	found := slices.DeleteFunc(list, func(r rolloutReport) bool { return len(word) < 4 || !strings.HasPrefix(r.ID, word) })
	switch {
	case len(found) == 0 && strings.ContainsAny(word, "0123456789"):
		return usage("there is no deployment %s; see: slipway deployments", word)
	case len(found) == 0:
		return p.unknown(word)
	case len(found) > 1:
		return usage("%d deployments begin with %s; give more of the id (see: slipway deployments --json)", len(found), word)
	}
	r := rolloutDetails{rolloutReport: found[0]}
	if r.Events, err = p.meanwhile(ctx, r.rolloutReport); err != nil {
		return err
	}
	if p.json {
		return p.print(r)
	}
	return p.printRows(append(p.rolloutLines(r.rolloutReport, time.Now()), p.eventRows(r.Events)...))
}

// meanwhile are the events of the service while a deployment ran.
func (p *platform) meanwhile(ctx context.Context, r rolloutReport) ([]happening, error) {
	out := []happening{}
	s, ok := p.service(r.Service)
	if !ok {
		return out, nil
	}
	all, err := (&feed{platform: p, chosen: []manifest.Service{*s}, seen: map[string]bool{}}).fresh(ctx, false)
	if err != nil {
		return nil, err
	}
	for _, h := range all {
		// A second of tolerance: its last events are written when it has ended.
		if !h.Time.Before(r.Created) && (r.Finished == nil || !h.Time.After(r.Finished.Add(time.Second))) {
			out = append(out, h)
		}
	}
	return out, nil
}

// rolloutLines tells a deployment, a line for each thing known.
func (a *app) rolloutLines(r rolloutReport, now time.Time) []string {
	table := [][]string{
		{"deployment", r.ID},
		{"service", a.bold(r.Service)},
		{"revision", orDash(r.Revision)},
		{"strategy", spokenStrategy(r.Strategy)},
		{"status", a.state(r.Status)},
	}
	add := func(name, value string) {
		if value != "" {
			table = append(table, []string{name, value})
		}
	}
	if r.running() && r.Stage != "" {
		add("stage", r.step())
	}
	add("reason", r.Reason)
	if r.Threshold > 0 {
		add("failures", fmt.Sprintf("%d of %d that trip the circuit breaker", r.Failures, r.Threshold))
	}
	add("alarms", strings.Join(r.Alarms, ", "))
	add("rolled back", r.RollbackWhy)
	add("started", r.began().Local().Format(time.DateTime)+", "+age(r.began(), now)+" ago")
	add("took", r.took(now))
	return columns(table, -1, -1)
}
