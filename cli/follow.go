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
	st, err := d.stack(ctx)
	if err != nil {
		return d.orInterrupted(ctx, err)
	}
	if st == nil {
		return errors.New("the stack went away while it was made")
	}
	return d.followID(ctx, val(st.StackId), began, what)
}

func (d *deployment) followID(ctx context.Context, id string, began time.Time, what string) error {
	f := d.newFollowing(id, began, what)
	st, err := f.end(ctx)
	if err != nil {
		return err
	}
	// A stack that could not be made and was deleted for it is no success.
	undone := st.StackStatus == "DELETE_COMPLETE" && slices.ContainsFunc(f.failures, func(x failure) bool { return x.event.ResourceStatus == "CREATE_FAILED" })
	switch st.StackStatus {
	case "CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE":
		if !undone {
			d.step(what, began)
			return nil
		}
	}
	d.returned(ctx, f.failures)
	return d.explain(st, f.failures)
}

func (d *deployment) newFollowing(id string, began time.Time, what string) *following {
	return &following{deployment: d, id: id, began: began, seen: map[string]bool{}, view: d.newView(what, began), started: map[string]time.Time{}}
}

// end shows the operation until it has ended, and returns the stack as it is
// then.
func (f *following) end(ctx context.Context) (*cfnapi.Stack, error) {
	defer f.view.close()
	for {
		st, err := f.poll(ctx)
		if err != nil {
			f.view.close()
			return nil, f.orInterrupted(ctx, err)
		}
		if !inProgress(st.StackStatus) {
			f.last(ctx)
			return st, nil
		}
		if err := wait(ctx, pollEvery); err != nil {
			f.view.close()
			return nil, f.orInterrupted(ctx, err)
		}
	}
}

// last shows how it has ended.
func (f *following) last(ctx context.Context) {
	f.asked = time.Time{}
	f.progress(ctx)
	f.view.close()
}

// orInterrupted words an error for who has pressed ^C: the engine goes on
// with the operation.
func (d *deployment) orInterrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return &codedError{exitInterrupted, fmt.Errorf("interrupted; the engine goes on with stack %s. "+
		"Watch it with: slipway events -f --stack, and its outcome with: slipway status -w; cancel it with: slipway rollback", d.manifest.StackName())}
}

// following is one operation of a stack that is being watched.
type following struct {
	*deployment
	id       string
	began    time.Time
	seen     map[string]bool
	view     view
	failures []failure
	services []string             // names of the ECS services that are being deployed
	started  map[string]time.Time // by logical id: when the first work on it began
	asked    time.Time            // when they were last asked about
}

// poll reads what is new, shows it, and returns the stack.
func (f *following) poll(ctx context.Context) (*cfnapi.Stack, error) {
	// The state is read before the events, so that none of its are missed.
	st, err := f.stackByID(ctx, f.id)
	if err != nil {
		return nil, err
	}
	fresh, err := f.events(ctx, f.id, f.began, f.seen)
	if err != nil {
		return nil, err
	}
	for _, ev := range fresh {
		f.view.event(ev)
		f.track(ev)
		if strings.HasSuffix(string(ev.ResourceStatus), "_FAILED") && !strings.Contains(val(ev.ResourceStatusReason), "cancelled") {
			// Now, because a rollback takes tasks and logs with it.
			f.failures = append(f.failures, failure{event: ev, details: f.details(ctx, ev, f.began), began: f.started[val(ev.LogicalResourceId)]})
		}
	}
	f.progress(ctx)
	f.view.tick()
	return st, nil
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
func (p *platform) events(ctx context.Context, id string, began time.Time, seen map[string]bool) ([]cfnapi.StackEvent, error) {
	var fresh []cfnapi.StackEvent
	in := &cfnapi.DescribeStackEventsInput{StackName: &id}
	for {
		out, err := call[cfnapi.DescribeStackEventsInput, cfnapi.DescribeStackEventsOutput](ctx, p.client, "cloudformation", "DescribeStackEvents", in)
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
