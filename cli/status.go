package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/manifest"
)

// refreshEvery is how often status -w looks.
const refreshEvery = 500 * time.Millisecond

func (a *app) statusCommand() *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use: "status [SERVICE...]", Short: "Show services, their deployments and tasks, and why what should run does not",
		Long: "Show the services as a tree: service, deployment, tasks. A task shows its own health, what the load balancer thinks of it, and why it does not run.\n" +
			"Exits with 1 when a service is not as it should be, so that scripts can wait for it.",
		Example:           "  slipway status\n  slipway status -w payment\n  slipway status --json | jq '.services[] | select(.steady | not)'",
		ValidArgsFunction: a.completeServices,
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "keep the view up to date until ^C")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, chosen, err := a.platformWith(args)
		if err != nil {
			return err
		}
		if watch {
			return p.watch(cmd.Context(), chosen)
		}
		r, err := p.report(cmd.Context(), chosen)
		if err != nil {
			return err
		}
		return p.showReport(r)
	}
	return cmd
}

// showReport prints a report and fails silently when something is amiss.
func (p *platform) showReport(r *statusReport) error {
	if p.json {
		if err := p.print(r); err != nil {
			return err
		}
	} else {
		width := 0 // a pipe has any width
		if p.terminal {
			width, _ = p.size()
		}
		for _, row := range p.reportRows(r, time.Now(), width) {
			if _, err := p.out.Write([]byte(row + "\n")); err != nil {
				return err
			}
		}
	}
	if !r.steady() {
		return &codedError{exitFailed, &quietError{}}
	}
	return nil
}

// quietError is a failure of which everything has been said.
type quietError struct{}

func (*quietError) Error() string { return "" }

func (r *statusReport) steady() bool {
	for _, s := range r.Services {
		if !s.Steady {
			return false
		}
	}
	return r.State != "NOT_DEPLOYED"
}

// watch shows the report until ctx ends.
func (p *platform) watch(ctx context.Context, chosen []manifest.Service) error {
	read := func(ctx context.Context) (*statusReport, error) { return p.report(ctx, chosen) }
	return watching(ctx, p, read, func(r *statusReport, now time.Time) []string {
		width := 0
		if p.live() {
			width, _ = p.size()
		}
		return p.reportRows(r, now, width)
	})
}
