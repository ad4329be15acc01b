package eventbridge

import (
	"time"

	api "github.com/slipway-dev/slipway/api/eventsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// defaultBus is the bus that every account has, to which AWS services tell what happens.
const defaultBus = "default"

// Rule says which events go where.
type Rule struct {
	Scope       arn.Scope
	Name        string
	Bus         string // empty: the default one
	Pattern     string // JSON, or empty
	Schedule    string // rate(...) or cron(...), or empty
	Disabled    bool
	Description string
	Role        string
	Creator     string // account
	Tags        map[string]string
	Targets     []api.Target
	// Since is when the schedule was set or last fired.
	Since time.Time
}

// ARN of the rule.
func (r Rule) ARN() string { return ruleARN(r.Scope, r.path()) }

func (r Rule) bus() string {
	if r.Bus == "" {
		return defaultBus
	}
	return r.Bus
}

// path is how keys and ARNs name the rule.
func (r Rule) path() string { return rulePath(r.Bus, r.Name) }

// rulePath is the name of a rule of the default bus, or "bus/name".
func rulePath(bus, name string) string {
	if bus == "" || bus == defaultBus {
		return name
	}
	return bus + "/" + name
}

func ruleARN(s arn.Scope, path string) string { return s.ARN("events", "rule/"+path) }

// Rules are keyed by path.
var Rules = store.NewTable("eventbridge/rule", func(r Rule) string { return ruleKey(r.Scope, r.path()) })

func ruleKey(s arn.Scope, path string) string { return s.Key("rule", path) }

// Delivery is an event that is on its way to a target.
type Delivery struct {
	Scope    arn.Scope
	ID       string // of the event, rule and target
	Rule     string // its path
	Target   string // id
	Event    string // JSON
	Since    time.Time
	Attempts int       // that failed
	Next     time.Time // of the next one
}

// Deliveries are keyed by id.
var Deliveries = store.NewTable("eventbridge/delivery", func(d Delivery) string { return d.Scope.Key("delivery", d.ID) })

// observed is what was last told of a row of another service.
type observed struct {
	Scope arn.Scope
	Key   string // kind and key of the row
	Print string // what a change of shows
	State string // what the next event tells of before, such as an alarm's state
}

// observations are keyed by kind and key of the row.
var observations = store.NewTable("eventbridge/observed", func(o observed) string { return o.Scope.Key("observed", o.Key) })
