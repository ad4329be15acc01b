package cloudformation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/cfn/template"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Polling of Settled and of deletions that wait for something else. Changes of the store poke a settling resource too: polling is for what no row shows.
const (
	leastPoll    = 20 * time.Millisecond
	firstPoll    = 50 * time.Millisecond
	lastPoll     = 2 * time.Second
	deleteGiveUp = 5 * time.Minute
	graceLate    = 2 * time.Second
)

// task is the work of one resource at one moment.
type task struct {
	s     *Service
	key   string
	row   Resource
	stack Stack
	op    Operation
	typ   cfn.Type
}

// work does the step a resource row asks for.
func (s *Service) work(ctx context.Context, key string) (time.Duration, error) {
	r := s.Store.Snapshot()
	row, err := Resources.Get(r, key)
	if err != nil || row.Step == "" {
		return 0, nil
	}
	t := task{s: s, key: key, row: row, typ: s.typeOf(row.Type)}
	if t.typ.Name() == "" {
		return 0, t.unknownType()
	}
	if t.op, err = Operations.Get(r, row.Stack); err != nil {
		return 0, nil // the operation ended: nobody waits for this step
	}
	if t.stack, err = Stacks.Get(r, row.Stack); err != nil {
		return 0, fmt.Errorf("stack of resource %s: %w", key, err)
	}
	ctx, done := s.flights.begin(t.context(ctx, row.Version), key)
	defer done()
	if op, err := Operations.Get(s.Store.Snapshot(), row.Stack); err == nil && op.Phase == Stopping {
		// Begun too late to be cancelled by the progress loop. A creation that an engine before this one may have begun is given the time to find
		// what it has made.
		timer := time.AfterFunc(graceLate, func() { s.flights.stop([]string{key}) })
		defer timer.Stop()
	}
	switch row.Step {
	case StepCreate:
		return t.create(ctx)
	case StepUpdate:
		return t.update(ctx)
	case StepSettle:
		return t.settle(ctx)
	case StepDelete:
		return t.remove(ctx)
	case StepImport:
		return t.adopt(ctx)
	case StepDiscard:
		return t.discard(ctx)
	}
	return 0, fmt.Errorf("resource %s has the unknown step %q", key, row.Step)
}

// unknownType fails a resource whose type this engine does not have: it was made by another version.
func (t task) unknownType() error {
	return t.write(func(tx *store.Tx, r *Resource, op Operation) {
		verb, _, _ := strings.Cut(r.Status, "_")
		r.Step = ""
		setResource(tx, r, op, now(), verb+"_FAILED", "Template format error: Unrecognized resource types: ["+r.Type+"]")
	})
}

// context carries what handlers want to know: scope, token and the request.
func (t task) context(ctx context.Context, v Version) context.Context {
	ctx = awsapi.WithCaller(ctx, awsapi.Caller{Scope: t.stack.Scope, ARN: t.op.Caller})
	ctx = awsapi.WithToken(ctx, v.Token)
	tags := map[string]string{
		cfn.TagStackID: t.stack.ID, cfn.TagStackName: t.stack.Name, cfn.TagLogicalID: t.row.LogicalID,
	}
	maps.Copy(tags, t.stackTags(v))
	return cfn.With(ctx, cfn.Request{
		StackID: t.stack.ID, StackName: t.stack.Name, LogicalID: t.row.LogicalID, Token: v.Token, PhysicalID: v.PhysicalID, Tags: tags, Signals: v.Signals,
		Beside: t.beside(), Operation: t.op.ID, Type: t.row.Type, Reverting: t.row.Reverting, Skip: skipped(t.op.Skip, t.row.LogicalID),
	})
}

// beside is the version that a replacement replaces, or that stays when others are discarded.
func (t task) beside() cfn.Instance {
	switch t.row.Step {
	case StepDiscard:
		return t.row.instance()
	case StepCreate:
		for _, v := range slices.Backward(t.row.Doomed) {
			if v.PhysicalID != "" {
				return v.instance()
			}
		}
		if t.row.Before != nil {
			return t.row.Before.instance()
		}
	}
	return cfn.Instance{}
}

// stackTags are the stack's tags that a version carries.
func (t task) stackTags(v Version) map[string]string {
	var own []cfn.Tag
	if v.StackTags != "" {
		_ = json.Unmarshal([]byte(v.StackTags), &own) // written by us
	}
	tags := map[string]string{}
	for _, tag := range own {
		tags[tag.Key] = tag.Value
	}
	return tags
}

func (t task) create(ctx context.Context) (time.Duration, error) {
	props, err := t.properties(ctx)
	var in cfn.Instance
	if err == nil {
		in, err = t.callCreate(ctx, props)
	}
	return t.made(ctx, in, err, "Resource creation Initiated")
}

func (t task) update(ctx context.Context) (time.Duration, error) {
	in := t.row.instance()
	props, err := t.properties(ctx)
	if err == nil && t.typ.Updatable() {
		var out cfn.Instance
		if out, err = t.callUpdate(ctx, in, props); err == nil {
			in = out
		}
	}
	return t.made(ctx, in, err, "")
}

// properties are what the handler is given: the row's, with dynamic references resolved.
func (t task) properties(ctx context.Context) (map[string]any, error) {
	props := t.row.properties()
	if !template.HasDynamic(props) {
		return props, nil
	}
	var resolve template.Resolver
	if t.s.Resolve != nil {
		resolve = func(d template.Dynamic) (string, error) { return t.s.Resolve(ctx, t.stack.Scope, d) }
	}
	v, err := template.ResolveDynamic(props, resolve)
	if err != nil {
		return nil, err
	}
	return v.(map[string]any), nil
}

// made records what a create or update gave. A type that has nothing to wait for is complete in the same write.
func (t task) made(ctx context.Context, in cfn.Instance, err error, initiated string) (time.Duration, error) {
	settled, made := false, err == nil
	if err == nil {
		var out cfn.Instance
		if settled, out, err = t.callSettled(ctx, in); err == nil {
			in = out
		}
	}
	if err = interrupted(ctx, err); errors.Is(err, errEngineStops) {
		return 0, err
	}
	t.tell(err)
	return t.again(settled || err != nil), t.write(func(tx *store.Tx, r *Resource, op Operation) {
		if t.row.Step == StepUpdate && in.ID != r.PhysicalID {
			superseded(r)
		}
		r.PhysicalID = in.ID
		if len(in.State) > 0 {
			r.State = in.State
		}
		if initiated != "" && made {
			setResource(tx, r, op, now(), inProgress(*r), initiated)
		}
		r.Step, r.Since = StepSettle, now()
		t.conclude(tx, r, op, settled, err)
	})
}

// superseded keeps the version of a resource whose update in place made another one: it is deleted when the update is complete.
func superseded(r *Resource) {
	if r.Before != nil && !r.Reverting {
		r.Origin = Replaced
		return
	}
	r.Doomed = append(slices.Clone(r.Doomed), r.Version)
}

func (t task) settle(ctx context.Context) (time.Duration, error) {
	if wait := t.tooSoon(); wait > 0 {
		return wait, nil
	}
	if t.op.Phase == Stopping {
		return 0, t.write(func(tx *store.Tx, r *Resource, op Operation) { t.conclude(tx, r, op, false, context.Canceled) })
	}
	settled, in, err := t.callSettled(ctx, t.row.instance())
	err = interrupted(ctx, err)
	if errors.Is(err, errEngineStops) {
		return 0, err
	}
	if err == nil && !settled {
		return t.again(false), nil
	}
	t.tell(err)
	return 0, t.write(func(tx *store.Tx, r *Resource, op Operation) {
		if err == nil {
			r.State = in.State
		}
		t.conclude(tx, r, op, settled, err)
	})
}

// errEngineStops ends the work on a resource without a trace: it goes on after the restart.
var errEngineStops = errors.New("the engine stops")

// interrupted says what an error under a cancelled context means: the stack has cancelled the work, or the engine stops.
func interrupted(ctx context.Context, err error) error {
	switch {
	case err == nil || ctx.Err() == nil:
		return err
	case errors.Is(context.Cause(ctx), errCancelled):
		return context.Canceled
	}
	return fmt.Errorf("%w: %w", errEngineStops, context.Canceled)
}

// conclude ends the work on a resource: complete, failed, or still settling.
func (t task) conclude(tx *store.Tx, r *Resource, op Operation, settled bool, err error) {
	verb := "CREATE"
	if strings.HasPrefix(r.Status, "UPDATE") {
		verb = "UPDATE"
	}
	switch {
	case err != nil:
		r.Step = ""
		setResource(tx, r, op, now(), verb+"_FAILED", t.reason(verb, err))
	case settled:
		r.Step, r.Held = "", nil
		if r.Reverting {
			r.Reverting, r.Before, r.Altered, r.Origin = false, nil, nil, ""
		}
		setResource(tx, r, op, now(), verb+"_COMPLETE", "")
	default:
		Resources.Put(tx, *r)
	}
}

func (t task) reason(verb string, err error) string {
	if errors.Is(err, context.Canceled) {
		return map[string]string{"CREATE": "Resource creation cancelled", "UPDATE": "Resource update cancelled"}[verb]
	}
	return failure(err, t.row)
}

func inProgress(r Resource) string {
	verb, _, _ := strings.Cut(r.Status, "_")
	return verb + "_IN_PROGRESS"
}

// tooSoon keeps a busy store from asking Settled all the time: it is the time until the next question.
func (t task) tooSoon() time.Duration {
	now := time.Now()
	last, ok := t.s.asked.Swap(t.key, now)
	if !ok || t.op.Phase == Stopping {
		return 0
	}
	wait := last.(time.Time).Add(leastPoll).Sub(now)
	if wait > 0 {
		t.s.asked.Store(t.key, last)
	}
	return wait
}

// again is when to look next: soon at first, then at a quarter of the time waited.
func (t task) again(done bool) time.Duration {
	if done {
		return 0
	}
	return max(firstPoll, min(lastPoll, time.Since(t.row.Since)/4))
}

// tell logs a failure; the stack's events have it too.
func (t task) tell(err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		t.s.Log.Warn("resource failed", "stack", t.stack.Name, "resource", t.row.LogicalID, "type", t.row.Type, "step", t.row.Step, "err", err)
	}
}

// write changes the row, unless another step has been chosen meanwhile.
func (t task) write(fn func(tx *store.Tx, r *Resource, op Operation)) error {
	err := t.s.Store.Update(func(tx *store.Tx) error {
		r, err := Resources.Get(tx, t.key)
		if err != nil || r.Step != t.row.Step || r.Token != t.row.Token {
			return nil
		}
		op, err := Operations.Get(tx, r.Stack)
		if err != nil {
			return fmt.Errorf("operation: %w", err)
		}
		fn(tx, &r, op)
		return nil
	})
	if err != nil {
		return fmt.Errorf("record %s of %s: %w", t.row.Step, t.key, err)
	}
	return nil
}
