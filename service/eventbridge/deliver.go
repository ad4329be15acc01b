package eventbridge

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	api "github.com/slipway-dev/slipway/api/eventsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/telemetry/logs"
)

// How long, and how often, a delivery is tried, unless the target says
// otherwise. Source: EventBridge user guide, Event retry policy.
const (
	keptFor     = 24 * time.Hour
	maxAttempts = 185
)

// pause is what lies between two attempts: it grows from a second, so that
// the last of them is near the end of the day.
func pause(attempts int) time.Duration { return min(time.Second<<min(attempts, 16), 8*time.Minute) }

func (s *Service) deliveries() loop.Loop {
	return loop.Loop{
		Name: "eventbridge-delivery", Workers: 4, Reconcile: s.deliver, List: Deliveries.Keys, Keys: loop.Changed(Deliveries),
	}
}

// deliver brings one event to one target. A target or rule that is gone gets
// nothing more.
func (s *Service) deliver(ctx context.Context, key string) (time.Duration, error) {
	snap := s.Store.Snapshot()
	d, err := Deliveries.Get(snap, key)
	if err != nil {
		return 0, nil
	}
	if wait := time.Until(d.Next); wait > 0 {
		return wait, nil
	}
	r, err := Rules.Get(snap, ruleKey(d.Scope, d.Rule))
	at := slices.IndexFunc(r.Targets, func(t api.Target) bool { return *t.Id == d.Target })
	if err != nil || at < 0 {
		return 0, s.drop(key)
	}
	t := r.Targets[at]
	failed := s.bring(ctx, r, t, d)
	if failed == nil {
		return 0, s.drop(key)
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	age, most := keptFor, maxAttempts
	if p := t.RetryPolicy; p != nil {
		if p.MaximumEventAgeInSeconds != nil {
			age = time.Duration(*p.MaximumEventAgeInSeconds) * time.Second
		}
		if p.MaximumRetryAttempts != nil {
			most = int(*p.MaximumRetryAttempts)
		}
	}
	if d.Attempts >= most || time.Since(d.Since) >= age {
		s.Log.Warn("an event was not delivered", "rule", r.Name, "target", d.Target, "attempts", d.Attempts+1, "err", failed)
		return 0, s.drop(key)
	}
	if d.Attempts == 0 {
		s.Log.Info("an event is to be delivered again", "rule", r.Name, "target", d.Target, "err", failed)
	}
	d.Next = time.Now().Add(pause(d.Attempts))
	d.Attempts++
	return 0, s.Store.Update(func(tx *store.Tx) error {
		Deliveries.Put(tx, d) // which wakes the loop
		return nil
	})
}

func (s *Service) drop(key string) error {
	return s.Store.Update(func(tx *store.Tx) error {
		Deliveries.Delete(tx, key)
		return nil
	})
}

// bring calls the target.
func (s *Service) bring(ctx context.Context, r Rule, t api.Target, d Delivery) error {
	text, err := input(r, t, d.Event, d.Since)
	if err != nil {
		return err
	}
	a, err := arn.Parse(*t.Arn)
	if err != nil {
		return err
	}
	if group, ok := strings.CutPrefix(a.Resource, "log-group:"); ok {
		return s.write(ctx, a.Scope(), strings.TrimSuffix(group, ":*"), r, d, text)
	}
	if name, ok := strings.CutPrefix(a.Resource, "automation-definition/"); ok {
		name, _, _ = strings.Cut(name, ":")
		return s.Automations.Automate(awsapi.WithCaller(ctx, session(a.Scope(), t)), a.Scope(), name)
	}
	return s.run(ctx, r, t, a, text)
}

// session is a session of the target's role.
func session(in arn.Scope, t api.Target) awsapi.Caller {
	caller := awsapi.Caller{Scope: in}
	if role, err := arn.Parse(val(t.RoleArn)); err == nil {
		var name [16]byte
		_, _ = rand.Read(name[:]) // never fails
		caller.ARN = arn.Scope{Account: role.Account}.GlobalARN("sts", "assumed-role/"+role.Name()+"/"+hex.EncodeToString(name[:]))
	}
	return caller
}

// write adds a line to a stream that has the rule's name. What a transformer
// makes of the form {"timestamp", "message"} says time and text of the line.
func (s *Service) write(ctx context.Context, in arn.Scope, group string, r Rule, d Delivery, text string) error {
	line := logs.Event{Timestamp: d.Since.UnixMilli(), Message: text}
	var own struct {
		Timestamp *int64
		Message   *string
	}
	if json.Unmarshal([]byte(text), &own) == nil && own.Timestamp != nil && own.Message != nil {
		line = logs.Event{Timestamp: *own.Timestamp, Message: *own.Message}
	}
	return s.Lines.Write(ctx, in, group, r.Name, false, []logs.Event{line})
}

// run starts tasks as the target's role. What is given as input are overrides.
func (s *Service) run(ctx context.Context, r Rule, t api.Target, cluster arn.ARN, text string) error {
	p := t.EcsParameters
	in := &ecsapi.RunTaskInput{
		Cluster: t.Arn, TaskDefinition: p.TaskDefinitionArn, Count: p.TaskCount, LaunchType: ecsapi.LaunchType(p.LaunchType),
		PlatformVersion: p.PlatformVersion, Group: p.Group, EnableECSManagedTags: p.EnableECSManagedTags, EnableExecuteCommand: p.EnableExecuteCommand,
		PropagateTags: ecsapi.PropagateTags(p.PropagateTags), ReferenceId: p.ReferenceId, StartedBy: new(startedBy(r.Name)),
	}
	for _, c := range p.CapacityProviderStrategy {
		in.CapacityProviderStrategy = append(in.CapacityProviderStrategy, ecsapi.CapacityProviderStrategyItem{CapacityProvider: c.CapacityProvider, Base: c.Base, Weight: c.Weight})
	}
	for _, tag := range p.Tags {
		in.Tags = append(in.Tags, ecsapi.Tag{Key: tag.Key, Value: tag.Value})
	}
	if n := p.NetworkConfiguration; n != nil && n.AwsvpcConfiguration != nil {
		in.NetworkConfiguration = &ecsapi.NetworkConfiguration{AwsvpcConfiguration: &ecsapi.AwsVpcConfiguration{
			Subnets: n.AwsvpcConfiguration.Subnets, SecurityGroups: n.AwsvpcConfiguration.SecurityGroups,
			AssignPublicIp: ecsapi.AssignPublicIp(n.AwsvpcConfiguration.AssignPublicIp),
		}}
	}
	if t.Input != nil || t.InputTransformer != nil {
		in.Overrides = &ecsapi.TaskOverride{}
		if err := json.Unmarshal([]byte(text), in.Overrides); err != nil {
			return fmt.Errorf("the input is not the overrides of a task: %w", err)
		}
	}
	out, err := s.Tasks.RunTask(awsapi.WithCaller(ctx, session(cluster.Scope(), t)), in)
	if err == nil && len(out.Failures) > 0 {
		err = fmt.Errorf("run task: %s", val(out.Failures[0].Reason))
	}
	return err
}

// startedBy is what tasks of a rule are started by: at most 36 characters, as
// StartedBy takes them.
func startedBy(rule string) string {
	by := "events-rule/" + rule
	return by[:min(len(by), 36)]
}
