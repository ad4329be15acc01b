package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/manifest"
)

func (a *app) whyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "why [SERVICE...]", Short: "Explain what keeps services from being steady, and what to do about it",
		Long: "Explain what a service still misses and what stands in the way: tasks that start, fail or are unhealthy, placements that were refused, the delay\n" +
			"of restarts, the circuit breaker's count, the bounds of the deployment, traffic that is being shifted, alarms.\n" +
			"Exits with 1 when a service is not steady.",
		Example:           "  slipway why payment\n  slipway why --json | jq -r '.services[].reasons[].text'",
		ValidArgsFunction: a.completeServices,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, chosen, err := a.platformWith(args)
		if err != nil {
			return err
		}
		list, err := p.explanations(cmd.Context(), chosen)
		if err != nil {
			return err
		}
		return p.showExplanations(list)
	}
	return cmd
}

// explanation is why one service is not steady, or that it is.
type explanation struct {
	Service string   `json:"service"`
	Steady  bool     `json:"steady"`
	Reasons []reason `json:"reasons"`
}

// reason is one thing that keeps a service from being steady.
type reason struct {
	Kind string `json:"kind"` // missing, starting, unhealthy, failed, placement, throttled, breaker, bounds, traffic, alarm, leaving
	Text string `json:"text"`
	Do   string `json:"do,omitempty"` // what helps
}

func (p *platform) explanations(ctx context.Context, chosen []manifest.Service) ([]explanation, error) {
	reports, err := p.serviceReports(ctx, chosen, "RUNNING", "STOPPED")
	if err != nil {
		return nil, err
	}
	out := []explanation{}
	for _, s := range reports {
		out = append(out, explanation{Service: s.Name, Steady: s.Steady, Reasons: reasonsOf(s)})
	}
	return out, nil
}

func (p *platform) showExplanations(list []explanation) error {
	steady := true
	for _, e := range list {
		steady = steady && e.Steady
	}
	if p.json {
		if err := p.print(map[string]any{"services": list}); err != nil {
			return err
		}
	} else {
		for _, e := range list {
			p.tellWhy(e)
		}
	}
	if !steady {
		return &codedError{exitFailed, &quietError{}}
	}
	return nil
}

func (p *platform) tellWhy(e explanation) {
	if e.Steady {
		fmt.Fprintf(p.out, "%s %s is steady: every task that should run does, and serves\n", p.green("●"), p.bold(e.Service))
		return
	}
	fmt.Fprintf(p.out, "%s %s is not steady\n", p.yellow("●"), p.bold(e.Service))
	for _, r := range e.Reasons {
		fmt.Fprintf(p.out, "  %-10s %s\n", r.Kind, r.Text)
		if r.Do != "" {
			fmt.Fprintf(p.out, "  %-10s %s\n", "", p.faint(r.Do))
		}
	}
}
