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

// tailByDefault is how many lines of each service logs shows unasked.
const tailByDefault = 100

type logsOptions struct {
	follow bool
	since  string
	grep   string
	task   string
	tail   int // lines of each service at first; negative: all
}

func (a *app) logsCommand() *cobra.Command {
	var o logsOptions
	cmd := &cobra.Command{
		Use: "logs [SERVICE...]", Short: "Print the logs of services; -f follows them",
		Long: "Print what the containers of the services wrote, merged by time, the last " + fmt.Sprint(tailByDefault) + " lines of each service unless --since or --tail says otherwise.\n" +
			"The lines of tasks that have ended are there as long as the log is kept. --grep takes a CloudWatch Logs filter pattern:\n" +
			"words that must all be there, -word, ?either ?or, \"a phrase\", { $.level = \"error\" } for JSON lines, %regular expression%.\n" +
			"With --json each line is an object on a line of its own.",
		Example:           "  slipway logs -f\n  slipway logs payment order --since 10m --grep '{ $.status >= 500 }'\n  slipway logs payment --task 1f0c9a2b --tail 20",
		ValidArgsFunction: a.completeServices,
	}
	f := cmd.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "print new lines as they come, until ^C")
	f.StringVar(&o.since, "since", "", "how far back: 30s, 10m, 2h, 3d, or a time such as 2026-01-02T15:04:05Z")
	f.StringVarP(&o.grep, "grep", "g", "", "filter pattern of CloudWatch Logs")
	f.StringVarP(&o.task, "task", "t", "", "id of a task, or its beginning")
	f.IntVarP(&o.tail, "tail", "n", tailByDefault, "lines of each service; -1: all")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, chosen, err := a.platformWith(args)
		if err != nil {
			return err
		}
		now := time.Now()
		var from time.Time
		if o.since != "" {
			if from, err = sinceTime(o.since, now); err != nil {
				return err
			}
			if !cmd.Flags().Changed("tail") {
				o.tail = -1
			}
		}
		return p.logs(cmd.Context(), chosen, o, from, now)
	}
	return cmd
}

// sinceTime understands an age or a time.
func sinceTime(s string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n int
		if _, err := fmt.Sscanf(days, "%d", &n); err == nil && fmt.Sprint(n) == days && n >= 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("%q is no age and no time; try 10m, 2h, 3d or %s", s, now.UTC().Format(time.RFC3339))
}

// logs prints what is there and follows what comes.
func (p *platform) logs(ctx context.Context, chosen []manifest.Service, o logsOptions, from, now time.Time) error {
	out := newPrinter(p.app, p.manifest.Services)
	var tails []*tail
	for _, s := range chosen {
		tails = append(tails, newTail(p.client, s.Name, p.names.LogGroup(s.Name), o.grep, o.task))
	}
	var lines []logLine
	missing := 0
	for _, t := range tails {
		got, err := t.first(ctx, from, now, o.tail)
		if errors.Is(err, errNoGroup) {
			missing++
			continue
		}
		if err != nil {
			return orNil(ctx, err)
		}
		lines = append(lines, got...)
	}
	if missing == len(tails) && !o.follow {
		return fmt.Errorf("there is no log group %s; see whether the platform is deployed: slipway status", tails[0].group)
	}
	if err := out.lines(lines); err != nil || !o.follow {
		return err
	}
	patience := newPatience(p.app)
	for {
		if wait(ctx, followEvery) != nil {
			return nil // ^C is how it ends
		}
		lines = lines[:0]
		var failed error
		for _, t := range tails {
			got, err := t.next(ctx)
			lines = append(lines, got...)
			if err != nil && !errors.Is(err, errNoGroup) {
				failed = err
			}
		}
		if err := out.lines(lines); err != nil {
			return err
		}
		if !patience.allows(failed) && failed != nil {
			return orNil(ctx, failed)
		}
	}
}

// orNil is nil when ctx has ended: ^C is how following ends.
func orNil(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// logLine is one line of a log, and its JSON.
type logLine struct {
	Time      time.Time `json:"time"`
	Service   string    `json:"service"`
	Task      string    `json:"task"`
	Container string    `json:"container"`
	Message   string    `json:"message"`
	Stream    string    `json:"stream"`
	ID        string    `json:"id"`
}

// newLogLine takes an event apart. Streams are <prefix>/<container>/<task>.
func newLogLine(service, stream, id, message string, ms int64) logLine {
	l := logLine{Time: time.UnixMilli(ms).UTC(), Service: service, Stream: stream, ID: id, Message: strings.TrimRight(message, "\r\n")}
	if parts := strings.Split(stream, "/"); len(parts) >= 3 {
		l.Container, l.Task = parts[len(parts)-2], parts[len(parts)-1]
	}
	return l
}

// printer prints lines of several services, each in its colour.
type printer struct {
	*app
	width  int
	colour map[string]string
}

func newPrinter(a *app, services []manifest.Service) *printer {
	p := &printer{app: a, colour: map[string]string{}}
	palette := []string{"36", "33", "35", "32", "34", "96", "93", "95", "92", "94"}
	for i, s := range services {
		p.width = max(p.width, len(s.Name))
		p.colour[s.Name] = palette[i%len(palette)]
	}
	return p
}

// lines prints lines in the order of time; those of one time in the order
// they came.
func (p *printer) lines(lines []logLine) error {
	slices.SortStableFunc(lines, func(a, b logLine) int { return a.Time.Compare(b.Time) })
	for _, l := range lines {
		if p.json {
			if err := p.printLine(l); err != nil {
				return err
			}
			continue
		}
		prefix := fmt.Sprintf("%-*s %s |", p.width, l.Service, brief(l.Task))
		if _, err := fmt.Fprintf(p.out, "%s %s\n", p.paint(p.colour[l.Service], prefix), l.Message); err != nil {
			return err
		}
	}
	return nil
}
