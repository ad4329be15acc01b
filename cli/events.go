package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/manifest"
)

func (a *app) eventsCommand() *cobra.Command {
	var follow, stack bool
	var since string
	cmd := &cobra.Command{
		Use: "events [SERVICE...]", Short: "Print what happened to services; -f follows it",
		Long: "Print the events of the services in the order of time: tasks started and stopped, targets registered, deployments completed or failed.\n" +
			"--stack adds the events of the CloudFormation stack. With --json each event is an object on a line of its own.",
		Example:           "  slipway events -f\n  slipway events payment --stack --since 10m",
		ValidArgsFunction: a.completeServices,
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "print new events as they come, until ^C")
	cmd.Flags().BoolVar(&stack, "stack", false, "events of the stack too")
	cmd.Flags().StringVar(&since, "since", "", "how far back: 30s, 10m, 2h, 3d, or a time such as 2026-01-02T15:04:05Z")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, chosen, err := a.platformWith(args)
		if err != nil {
			return err
		}
		f := &feed{platform: p, chosen: chosen, stackToo: stack, seen: map[string]bool{}}
		if since != "" {
			if f.since, err = sinceTime(since, time.Now()); err != nil {
				return err
			}
		}
		return f.run(cmd.Context(), follow)
	}
	return cmd
}

// happening is one event, and its JSON.
type happening struct {
	Time    time.Time `json:"time"`
	Source  string    `json:"source"` // service, stack
	Subject string    `json:"subject"`
	State   string    `json:"state,omitempty"` // of a stack's resource
	Message string    `json:"message"`
	ID      string    `json:"id"`
}

// feed merges the events of services and of the stack, each once.
type feed struct {
	*platform
	chosen   []manifest.Service
	stackToo bool
	since    time.Time // zero: all that is kept
	seen     map[string]bool
}

func (f *feed) run(ctx context.Context, follow bool) error {
	patience := newPatience(f.app)
	for {
		fresh, err := f.fresh(ctx, follow)
		for _, h := range fresh {
			if err := f.show(h); err != nil {
				return err
			}
		}
		if !patience.allows(err) && err != nil {
			return orNil(ctx, err)
		}
		if !follow || wait(ctx, followEvery) != nil {
			return nil
		}
	}
}

// fresh are the events that were not there before, oldest first. Who follows
// may have come before there is a platform.
func (f *feed) fresh(ctx context.Context, patient bool) ([]happening, error) {
	var out []happening
	if f.stackToo {
		st, err := f.stack(ctx)
		if err != nil {
			return nil, err
		}
		if st != nil {
			events, err := f.events(ctx, val(st.StackId), time.Time{}, f.seen)
			if err != nil {
				return nil, err
			}
			for _, ev := range events {
				out = append(out, happening{
					val(ev.Timestamp), "stack", val(ev.LogicalResourceId), string(ev.ResourceStatus), val(ev.ResourceStatusReason), val(ev.EventId),
				})
			}
		}
	}
	services, err := f.describeServices(ctx, f.chosen)
	if _, none := errors.AsType[*notDeployed](err); none && (patient || len(out) > 0) {
		err = nil
	}
	for name, s := range services {
		for _, ev := range slices.Backward(s.Events) { // they come youngest first
			if f.seen[val(ev.Id)] {
				continue
			}
			f.seen[val(ev.Id)] = true
			out = append(out, happening{val(ev.CreatedAt), "service", name, "", eventText(s, ev), val(ev.Id)})
		}
	}
	out = slices.DeleteFunc(out, func(h happening) bool { return h.Time.Before(f.since) })
	slices.SortStableFunc(out, func(a, b happening) int { return a.Time.Compare(b.Time) })
	return out, err
}

func (f *feed) show(h happening) error {
	if f.json {
		return f.printLine(h)
	}
	return f.printRows(f.eventRows([]happening{h}))
}

// eventRows is a line for each event.
func (a *app) eventRows(list []happening) (rows []string) {
	for _, h := range list {
		text := h.Message
		if h.State != "" {
			text = strings.TrimRight(a.state(h.State)+"  "+text, " ")
		}
		rows = append(rows, fmt.Sprintf("%s  %s  %s", a.faint(h.Time.Local().Format("15:04:05.000")), a.bold(h.Subject), text))
	}
	return rows
}
