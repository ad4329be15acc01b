package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/manifest"
)

// shownDeployments is how many deployments are listed unless -n says otherwise.
const shownDeployments = 20

func (a *app) deploymentsCommand() *cobra.Command {
	var watch bool
	var most int
	cmd := &cobra.Command{
		Use: "deployments [SERVICE...|ID]", Short: "List the deployments of services, the newest first, or tell all about one",
		Long: "List the deployments of services: what was deployed, how, how far it is or how it ended. With the id of one, or its beginning, tell all\n" +
			"about that one, with the service's events meanwhile. With --json and -w each change is an object on a line of its own.",
		Example:           "  slipway deployments\n  slipway deployments -w payment\n  slipway deployments 4f1d9c02",
		ValidArgsFunction: a.completeServices,
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "keep the view up to date until ^C")
	cmd.Flags().IntVarP(&most, "number", "n", shownDeployments, "deployments to list; -1: all")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := a.platform()
		if err != nil {
			return err
		}
		if len(args) == 1 {
			if _, ok := p.service(args[0]); !ok {
				return p.tellDeployment(cmd.Context(), args[0])
			}
		}
		chosen, err := p.choose(args)
		if err != nil {
			return err
		}
		read := func(ctx context.Context) ([]rolloutReport, error) { return p.histories(ctx, chosen, most) }
		if watch {
			return watching(cmd.Context(), p, read, a.rolloutRows)
		}
		list, err := read(cmd.Context())
		if err != nil {
			return err
		}
		if a.json {
			return a.print(map[string]any{"deployments": list})
		}
		return a.printRows(a.rolloutRows(list, time.Now()))
	}
	return cmd
}

// histories merges the deployments of services, newest first; at most so many
// if that is not negative.
func (p *platform) histories(ctx context.Context, services []manifest.Service, most int) ([]rolloutReport, error) {
	out := []rolloutReport{}
	for _, s := range services {
		list, err := p.history(ctx, s)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	slices.SortStableFunc(out, func(a, b rolloutReport) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.Service, b.Service))
	})
	if most >= 0 {
		out = out[:min(most, len(out))]
	}
	return out, nil
}

// rolloutRows is the table of deployments.
func (a *app) rolloutRows(list []rolloutReport, now time.Time) []string {
	table := [][]string{{"ID", "SERVICE", "REVISION", "STRATEGY", "STATUS", "STAGE", "STARTED", "TOOK", "REASON"}}
	for _, r := range list {
		_, revision, _ := strings.Cut(r.Revision, ":")
		stage := r.Stage
		if !r.running() {
			stage = ""
		}
		table = append(table, []string{
			brief(r.ID), r.Service, orDash(revision), spokenStrategy(r.Strategy), a.state(r.Status), orDash(spoken(stage)), age(r.began(), now) + " ago",
			r.took(now), r.why(),
		})
	}
	return columns(table, -1, -1)
}

func spokenStrategy(s string) string { return strings.Replace(strings.ToLower(s), "_", "/", 1) }

// began is when its work began, or if that is still to come when it was made.
func (r *rolloutReport) began() time.Time {
	if r.Started != nil {
		return *r.Started
	}
	return r.Created
}

func (r *rolloutReport) took(now time.Time) string {
	end := now
	if r.Finished != nil {
		end = *r.Finished
	}
	return max(end.Sub(r.began()), 0).Round(100 * time.Millisecond).String()
}

// why is the reason of the rollback if there is one, else that of the status.
func (r *rolloutReport) why() string {
	if r.RollbackWhy != "" {
		return r.RollbackWhy
	}
	return r.Reason
}

// printRows writes lines.
func (a *app) printRows(rows []string) error {
	_, err := fmt.Fprintln(a.out, strings.Join(rows, "\n"))
	return err
}
