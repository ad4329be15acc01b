package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
)

// pollEvery is how often a running operation is asked about. The engine is on
// this machine, so asking often costs little and shows progress at once.
const pollEvery = 100 * time.Millisecond

// wait sleeps unless ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// follow shows the events of the stack's operation until it ends.
func (d *deployment) follow(ctx context.Context, began time.Time, what string) error {
	st, err := d.describe(ctx)
	if err != nil {
		return err
	}
	if st == nil {
		return errors.New("the stack went away while it was made")
	}
	return d.followID(ctx, val(st.StackId), began, what)
}

func (d *deployment) followID(ctx context.Context, id string, began time.Time, what string) error {
	view := d.newView(what)
	defer view.close()
	seen := map[string]bool{}
	var failures []cfnapi.StackEvent
	for {
		// The state is read before the events, so that none of its are missed.
		st, err := d.stackByID(ctx, id)
		if err != nil {
			return err
		}
		fresh, err := d.events(ctx, id, began, seen)
		if err != nil {
			return err
		}
		for _, ev := range fresh {
			view.event(ev)
			if strings.HasSuffix(string(ev.ResourceStatus), "_FAILED") && !strings.Contains(val(ev.ResourceStatusReason), "cancelled") {
				failures = append(failures, ev)
			}
		}
		status := string(st.StackStatus)
		switch {
		case strings.HasSuffix(status, "_IN_PROGRESS") && status != "REVIEW_IN_PROGRESS":
		case status == "CREATE_COMPLETE" || status == "UPDATE_COMPLETE" || status == "DELETE_COMPLETE":
			view.close()
			d.step(what, began)
			return nil
		default:
			view.close()
			return d.explain(ctx, st, failures)
		}
		if err := wait(ctx, pollEvery); err != nil {
			return err
		}
	}
}

// stackByID finds the stack also after its deletion.
func (d *deployment) stackByID(ctx context.Context, id string) (*cfnapi.Stack, error) {
	out, err := call[cfnapi.DescribeStacksInput, cfnapi.DescribeStacksOutput](ctx, d.client, "cloudformation", "DescribeStacks",
		&cfnapi.DescribeStacksInput{StackName: &id})
	if isCode(err, "ValidationError") {
		return &cfnapi.Stack{StackStatus: "DELETE_COMPLETE"}, nil
	}
	if err != nil {
		return nil, err
	}
	return &out.Stacks[0], nil
}

// events returns the events since began that were not seen, oldest first.
func (d *deployment) events(ctx context.Context, id string, began time.Time, seen map[string]bool) ([]cfnapi.StackEvent, error) {
	var fresh []cfnapi.StackEvent
	in := &cfnapi.DescribeStackEventsInput{StackName: &id}
	for {
		out, err := call[cfnapi.DescribeStackEventsInput, cfnapi.DescribeStackEventsOutput](ctx, d.client, "cloudformation", "DescribeStackEvents", in)
		if isCode(err, "ValidationError") {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, ev := range out.StackEvents {
			// A second of tolerance: events carry whole milliseconds.
			if seen[val(ev.EventId)] || val(ev.Timestamp).Before(began.Add(-time.Second)) {
				slices.Reverse(fresh)
				return fresh, nil
			}
			seen[val(ev.EventId)] = true
			fresh = append(fresh, ev)
		}
		if out.NextToken == nil {
			slices.Reverse(fresh)
			return fresh, nil
		}
		in.NextToken = out.NextToken
	}
}

// view shows events: a live tree on a terminal, lines otherwise.
type view interface {
	event(cfnapi.StackEvent)
	close()
}

func (d *deployment) newView(what string) view {
	switch {
	case d.json:
		return silent{}
	case d.terminal && !d.noColor:
		return newTree(d.app, what)
	}
	return lines{d.app}
}

type silent struct{}

func (silent) event(cfnapi.StackEvent) {}
func (silent) close()                  {}

// lines prints one line for each thing that is finished or has failed.
type lines struct{ *app }

func (l lines) event(ev cfnapi.StackEvent) {
	status := string(ev.ResourceStatus)
	if strings.HasSuffix(status, "_IN_PROGRESS") {
		return
	}
	reason := ""
	if r := val(ev.ResourceStatusReason); r != "" {
		reason = "  " + r
	}
	fmt.Fprintf(l.out, "  %-24s %-40s %s%s\n", status, val(ev.LogicalResourceId), val(ev.ResourceType), reason)
}

func (lines) close() {}
