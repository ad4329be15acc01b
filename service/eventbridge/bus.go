package eventbridge

import (
	"context"
	"strings"
	"time"

	api "github.com/slipway-dev/slipway/api/eventsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// maxBuses of an account and region. Source: Amazon EventBridge quotas.
const maxBuses = 100

// Bus is an event bus. The default one has a row only when it has a policy or tags.
type Bus struct {
	Scope             arn.Scope
	Name              string
	Description       string
	Policy            string // who else may put events; JSON, or empty
	Tags              map[string]string
	Created, Modified time.Time
}

// Buses are keyed by name.
var Buses = store.NewTable("eventbridge/bus", func(b Bus) string { return busKey(b.Scope, b.Name) })

func busKey(s arn.Scope, name string) string { return s.Key("bus", name) }

// ARN of the bus.
func (b Bus) ARN() string { return busARN(b.Scope, b.Name) }

func busARN(s arn.Scope, name string) string { return s.ARN("events", "event-bus/"+name) }

// busName is the name of the bus that a request means by its name or ARN, or by nothing.
func busName(given *string) string {
	name := val(given)
	if a, err := arn.Parse(name); err == nil && a.Service == "events" {
		name = strings.TrimPrefix(a.Resource, "event-bus/")
	}
	if name == "" {
		return defaultBus
	}
	return name
}

// findBus finds a bus of an account and region.
func findBus(r store.Reader, s arn.Scope, given *string) (Bus, error) {
	name := busName(given)
	if a, err := arn.Parse(val(given)); err == nil && a.Scope() != s {
		return Bus{}, errNoBus(val(given))
	}
	b, err := Buses.Get(r, busKey(s, name))
	if err == nil || name == defaultBus {
		b.Scope, b.Name = s, name
		return b, nil
	}
	return b, errNoBus(name)
}

// rulesOf are the rules of a bus.
func rulesOf(r store.Reader, b Bus, prefix string) (all []Rule) {
	for rule := range Rules.List(r, ruleKey(b.Scope, rulePath(b.Name, prefix))) {
		if rule.bus() == b.Name {
			all = append(all, rule)
		}
	}
	return all
}

// CreateEventBus makes a bus for events of the account's own.
func (s *Service) CreateEventBus(ctx context.Context, in *api.CreateEventBusInput) (*api.CreateEventBusOutput, error) {
	name, sc := *in.Name, scope(ctx)
	if err := checkSettings(name, map[string]bool{
		"EventSourceName": val(in.EventSourceName) != "", "KmsKeyIdentifier": val(in.KmsKeyIdentifier) != "", "DeadLetterConfig": in.DeadLetterConfig != nil, "LogConfig": in.LogConfig != nil,
	}); err != nil {
		return nil, err
	}
	if strings.Contains(name, "/") {
		return nil, invalid("Event bus name %s must not contain '/': only those of partners do.", name)
	}
	tags, err := retagged(ctx, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	b := Bus{Scope: sc, Name: name, Description: val(in.Description), Tags: tags, Created: now(), Modified: now()}
	return &api.CreateEventBusOutput{EventBusArn: new(b.ARN()), Description: in.Description}, s.Store.Update(func(tx *store.Tx) error {
		if _, err := findBus(tx, sc, &name); err == nil {
			return fault("ResourceAlreadyExistsException", "Event bus %s already exists.", name)
		}
		n := 0
		for range Buses.List(tx, busKey(sc, "")) {
			n++
		}
		if n >= maxBuses {
			return fault("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
		}
		Buses.Put(tx, b)
		return nil
	})
}

// checkSettings refuses settings that would have no effect here.
func checkSettings(bus string, given map[string]bool) error {
	for _, name := range []string{"EventSourceName", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig"} {
		if given[name] {
			return invalid("%s of event bus %s is not supported by this engine yet.", name, bus)
		}
	}
	return nil
}

// changeBus changes a bus. The default one gets a row by it.
func (s *Service) changeBus(ctx context.Context, name *string, fn func(b *Bus) error) error {
	return s.Store.Update(func(tx *store.Tx) error {
		b, err := findBus(tx, scope(ctx), name)
		if err != nil {
			return err
		}
		if err := fn(&b); err != nil {
			return err
		}
		b.Modified = now()
		Buses.Put(tx, b)
		return nil
	})
}

// UpdateEventBus changes the description.
func (s *Service) UpdateEventBus(ctx context.Context, in *api.UpdateEventBusInput) (*api.UpdateEventBusOutput, error) {
	name := busName(in.Name)
	if err := checkSettings(name, map[string]bool{"KmsKeyIdentifier": val(in.KmsKeyIdentifier) != "", "DeadLetterConfig": in.DeadLetterConfig != nil, "LogConfig": in.LogConfig != nil}); err != nil {
		return nil, err
	}
	err := s.changeBus(ctx, in.Name, func(b *Bus) error {
		b.Description = val(in.Description)
		return nil
	})
	return &api.UpdateEventBusOutput{Arn: new(busARN(scope(ctx), name)), Name: &name, Description: in.Description}, err
}

// DeleteEventBus removes a bus without rules; one that is gone is no error.
func (s *Service) DeleteEventBus(ctx context.Context, in *api.DeleteEventBusInput) (*api.DeleteEventBusOutput, error) {
	return nil, s.Store.Update(func(tx *store.Tx) error {
		b, err := findBus(tx, scope(ctx), in.Name)
		switch {
		case err != nil:
			return nil
		case b.Name == defaultBus:
			return invalid("Cannot delete event bus default.")
		case len(rulesOf(tx, b, "")) > 0:
			return invalid("Event bus %s can't be deleted since it has rules.", b.Name)
		}
		Buses.Delete(tx, Buses.Key(b))
		return nil
	})
}

// DescribeEventBus tells a bus.
func (s *Service) DescribeEventBus(ctx context.Context, in *api.DescribeEventBusInput) (*api.DescribeEventBusOutput, error) {
	b, err := findBus(s.Store.Snapshot(), scope(ctx), in.Name)
	if err != nil {
		return nil, err
	}
	return &api.DescribeEventBusOutput{
		Name: &b.Name, Arn: new(b.ARN()), Description: opt(b.Description), Policy: opt(b.Policy), CreationTime: opt(b.Created), LastModifiedTime: opt(b.Modified),
	}, nil
}

// ListEventBuses lists the buses, the default one too.
func (s *Service) ListEventBuses(ctx context.Context, in *api.ListEventBusesInput) (*api.ListEventBusesOutput, error) {
	snap := s.Store.Snapshot()
	first, err := findBus(snap, scope(ctx), nil)
	if err != nil {
		return nil, err
	}
	all := []Bus{first}
	for b := range Buses.List(snap, busKey(scope(ctx), "")) {
		if b.Name != defaultBus {
			all = append(all, b)
		}
	}
	var found []Bus
	for _, b := range all {
		if strings.HasPrefix(b.Name, val(in.NamePrefix)) {
			found = append(found, b)
		}
	}
	page, next, err := awsapi.Page(found, func(b Bus) string { return b.Name }, in.NextToken, int(val(in.Limit)), maxPage)
	if err != nil {
		return nil, err
	}
	out := &api.ListEventBusesOutput{EventBuses: []api.EventBus{}, NextToken: next}
	for _, b := range page {
		out.EventBuses = append(out.EventBuses, api.EventBus{
			Name: &b.Name, Arn: new(b.ARN()), Description: opt(b.Description), Policy: opt(b.Policy), CreationTime: opt(b.Created), LastModifiedTime: opt(b.Modified),
		})
	}
	return out, nil
}
