package eventbridge

import (
	"context"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/cloudwatch"
	"github.com/slipway-dev/slipway/service/ecr"
	"github.com/slipway-dev/slipway/service/ecs"
)

// sighting is how a row of another service stands.
type sighting struct {
	observed
	// tell makes the events of what became of it since before; nil before: it
	// was not there. A sighting of what is gone has no Print.
	tell func(ctx context.Context, s *Service, before *observed) ([]happening, error)
}

// kind is a kind of row that events tell of.
type kind struct {
	name   string
	tables []store.Schema
	// see is how a row stands; false when it is neither there nor was told of.
	see func(r store.Reader, key string, before *observed) (sighting, bool)
	// keys lists the rows of an account and region.
	keys func(r store.Reader, in arn.Scope) []string
}

// kinds are all sources but PutEvents and schedules.
var kinds = []kind{
	{"tag", []store.Schema{ecr.Tags}, seeTag, func(r store.Reader, in arn.Scope) (keys []string) {
		for t := range ecr.Tags.List(r, in.Key("")) {
			keys = append(keys, ecr.Tags.Key(t))
		}
		return keys
	}},
	{"task", []store.Schema{ecs.Tasks, agent.Statuses}, seeTask, func(r store.Reader, in arn.Scope) (keys []string) {
		for t := range ecs.Tasks.List(r, in.ARN("ecs", "task/")) {
			keys = append(keys, t.ARN)
		}
		return keys
	}},
	{"service", []store.Schema{ecs.Services}, seeService, func(r store.Reader, in arn.Scope) (keys []string) {
		for s := range ecs.Services.List(r, in.Key("")) {
			keys = append(keys, ecs.Services.Key(s))
		}
		return keys
	}},
	{"alarm", []store.Schema{cloudwatch.Alarms}, seeAlarm, func(r store.Reader, in arn.Scope) (keys []string) {
		for a := range cloudwatch.Alarms.List(r, in.Key("")) {
			keys = append(keys, cloudwatch.Alarms.Key(a))
		}
		return keys
	}},
}

// scopeOf is the account and region of a row's key, which may be an ARN.
func scopeOf(key string) arn.Scope {
	if a, err := arn.Parse(key); err == nil {
		return a.Scope()
	}
	return arn.ScopeOfKey(key)
}

// ruled says whether there are rules.
func ruled(r store.Reader, in arn.Scope) bool {
	for range Rules.List(r, ruleKey(in, "")) {
		return true
	}
	return false
}

// baseline observes all rows, when the first rule comes: what was before it is
// not told.
func baseline(tx *store.Tx, in arn.Scope) {
	for o := range observations.List(tx, in.Key("observed", "")) {
		observations.Delete(tx, observations.Key(o))
	}
	for _, k := range kinds {
		for _, key := range k.keys(tx, in) {
			if now, ok := k.see(tx, key, nil); ok {
				now.Scope, now.Key = in, k.name+" "+key
				observations.Put(tx, now.observed)
			}
		}
	}
}

// sources tells what happens to rows of other services.
func (s *Service) sources() loop.Loop {
	return loop.Loop{
		Name: "eventbridge-sources", Workers: 2, Reconcile: s.look,
		List: func(r *store.Snapshot) (keys []string) {
			scopes := map[arn.Scope]bool{}
			for rule := range Rules.List(r, "") {
				scopes[rule.Scope] = true
			}
			for in := range scopes {
				for _, k := range kinds {
					for _, key := range k.keys(r, in) {
						keys = append(keys, k.name+" "+key)
					}
				}
				for o := range observations.List(r, in.Key("observed", "")) {
					keys = append(keys, o.Key) // also of what is gone
				}
			}
			return keys
		},
		Keys: func(r *store.Snapshot, c store.Change) []string {
			for _, k := range kinds {
				for _, t := range k.tables {
					if t.Name() == c.Table && ruled(r, scopeOf(c.Key)) {
						return []string{k.name + " " + c.Key}
					}
				}
			}
			return nil
		},
	}
}

// look compares a row with what was last told of it, and tells the rest.
func (s *Service) look(ctx context.Context, key string) (time.Duration, error) {
	name, rowKey, _ := strings.Cut(key, " ")
	in := scopeOf(rowKey)
	snap := s.Store.Snapshot()
	if !ruled(snap, in) {
		return 0, nil
	}
	var before *observed
	if o, err := observations.Get(snap, in.Key("observed", key)); err == nil {
		before = &o
	}
	for _, k := range kinds {
		if k.name != name {
			continue
		}
		now, ok := k.see(snap, rowKey, before)
		if !ok || before != nil && before.Print == now.Print && before.State == now.State {
			return 0, nil
		}
		now.Scope, now.Key = in, key
		events, err := now.tell(ctx, s, before)
		if err != nil {
			return 0, err
		}
		return 0, s.Store.Update(func(tx *store.Tx) error {
			if now.Print == "" {
				observations.Delete(tx, observations.Key(now.observed))
			} else {
				observations.Put(tx, now.observed)
			}
			for _, e := range events {
				if err := publish(tx, Bus{Scope: in, Name: defaultBus}, e); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return 0, nil
}
