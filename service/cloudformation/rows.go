package cloudformation

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/cfn/template"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Stack is a stack, deleted ones included: those can still be described by their ARN.
type Stack struct {
	arn.Scope
	ID          string // ARN
	Name        string
	UUID        string
	Status      string
	Reason      string
	Description string
	Created     time.Time
	Updated     time.Time // zero until the first update
	Deleted     time.Time
	Deployment  Deployment
	Outputs     []Output
	Imports     []string // names of exports in use, sorted
	Protected   bool
	Policy      string // stack policy, JSON
	Parent      string // ARN of the stack this one is nested in
	Root        string // ARN of the outermost stack around it
	Drift       string // IN_SYNC, DRIFTED or UNKNOWN; "" when nobody has looked since the last operation
	DriftAt     time.Time
	ChangeSetID string
	// DisableRollback, Timeout and RetainExceptOnCreate are as the creation asked.
	DisableRollback      bool
	RetainExceptOnCreate bool
	Timeout              int32 // minutes, 0 for none
	LastOperation        string
	LastKind             Kind
	LastToken            string // ClientRequestToken of the last operation
	// Rollback is the last deployment that stood, when an update has failed and was not, or not wholly, rolled back; nil when none ever stood.
	Rollback *Deployment
}

// Deployment is what a stack is, or shall be, made from.
type Deployment struct {
	Template         string // hash of the body, in Templates
	Processed        string // hash of what macros made of it; "" without macros
	Parameters       []Parameter
	Tags             []cfn.Tag
	Capabilities     []string
	RoleARN          string
	NotificationARNs []string
}

// Parameter is the value of a template parameter.
type Parameter struct {
	Key, Value string
	Resolved   string `json:",omitempty"` // value of the SSM parameter named by Value
	NoEcho     bool   `json:",omitempty"`
}

// Output is an output of a stack.
type Output struct{ Key, Value, Description, Export string }

// Template is a template body; stacks and change sets refer to it by hash.
type Template struct{ Stack, Hash, Body string }

// Kind is what an operation does to its stack.
type Kind string

// Kinds of operations.
const (
	Create Kind = "CREATE_STACK"
	Update Kind = "UPDATE_STACK"
	Delete Kind = "DELETE_STACK"
	Import Kind = "IMPORT_STACK"
)

// Phase is how far an operation has come. The order is Forward, (Waiting,) Cleanup when all goes well; Forward, Stopping, Rollback or Revert, Cleanup when a resource
// fails; Delete when the stack goes.
type Phase string

// Phases of operations.
const (
	Forward  Phase = "forward"  // resources are made and changed
	Stopping Phase = "stopping" // one failed: those in progress are cancelled, nothing new begins
	Rollback Phase = "rollback" // a creation is undone
	Revert   Phase = "revert"   // an update is undone
	Waiting  Phase = "waiting"  // a nested stack's update is complete: the stack around it says whether it stays
	Cleanup  Phase = "cleanup"  // what is no longer used is deleted
	Deleting Phase = "delete"   // everything is deleted
)

// Operation is the running operation of a stack. The progress loop drives it and removes it at its end.
type Operation struct {
	Stack     string // key of the stack
	ID        string
	Kind      Kind
	Phase     Phase
	Token     string      // ClientRequestToken
	Desired   Deployment  // what Forward works for
	Previous  *Deployment // what Revert goes back to
	OnFailure string      // ROLLBACK, DELETE or DO_NOTHING
	Retain    []string    // logical ids that Delete leaves alone
	Skip      []string    // logical ids that Revert leaves alone
	Deadline  time.Time   // zero for none
	Cancelled bool        // by CancelUpdateStack, or by DeleteStack during a creation
	Reason    string      // why a rollback was begun, when no resource is to blame
	Policy    string      // stack policy the update is held to, JSON
	Reverted  bool        // Cleanup follows Revert
	Nested    bool        // part of the update of the stack around it: Waiting comes before Cleanup
	// RetainExceptOnCreate treats every Retain policy as RetainExceptOnCreate.
	RetainExceptOnCreate bool
	Caller               string            // ARN of who asked
	Import               map[string]string // physical ids of what is brought in, by logical id
}

// Step is the work a resource waits for; the resource loop does it.
type Step string

// Steps. The empty step is rest.
const (
	StepCreate  Step = "create"
	StepUpdate  Step = "update"
	StepSettle  Step = "settle"
	StepDelete  Step = "delete"
	StepImport  Step = "import"
	StepDiscard Step = "discard" // delete the doomed versions, keep the current one
)

// Origin is what the running operation did to a resource.
type Origin string

// Origins. The empty origin: nothing.
const (
	Added    Origin = "added"
	Changed  Origin = "changed"
	Replaced Origin = "replaced"
)

// Resource is a resource of a stack by logical id.
type Resource struct {
	Stack     string // key of the stack
	LogicalID string
	Type      string
	Version
	Status    string
	Reason    string
	Changed   time.Time
	Step      Step
	Since     time.Time // when Step began
	Operation string    // the operation Origin, Before and Status belong to
	Origin    Origin
	Before    *Version  // the version before the running operation, when Origin is Changed or Replaced
	Altered   *Version  // what became of Before in place, by an update that failed, before it was to be replaced
	Held      []string  // logical ids that the version before a change depended on, until the change is complete
	Doomed    []Version // versions to delete
	Adopted   bool      // the running operation has brought it in: its way back lets go of it
	Reverting bool      // the running update, or the one that failed, goes back to Before
}

// Version is one physical resource with what it was made from.
type Version struct {
	PhysicalID   string
	State        json.RawMessage `json:",omitempty"`
	Properties   json.RawMessage `json:",omitempty"` // resolved, but for dynamic references
	DependsOn    []string        // logical ids
	Token        string          // of its creation
	StackTags    string          // the stack's tags it carries, as JSON
	Metadata     json.RawMessage `json:",omitempty"`
	DeletePolicy template.Policy
	ReplPolicy   template.Policy
	Signals      *cfn.Signals `json:",omitempty"` // what its creation policy waits for
}

// Event is a line of a stack's history.
type Event struct {
	Stack      string // key of the stack
	Seq        int64
	ID         string
	LogicalID  string
	PhysicalID string
	Type       string
	Time       time.Time
	Status     string
	Reason     string
	Properties string // of resource events, JSON
	Token      string
	Operation  string
}

// Sequence numbers the events of a stack and keeps their times apart.
type Sequence struct {
	Stack string
	Last  int64
	At    time.Time // of the last event
}

// ChangeSet is a change set of a stack.
type ChangeSet struct {
	Stack           string // key of the stack
	ID              string // ARN
	Name            string
	Type            string // CREATE or UPDATE
	Description     string
	Created         time.Time
	Status          string
	Reason          string
	ExecutionStatus string
	Deployment      Deployment
	OnFailure       string // OnStackFailure
	IncludeNested   bool
	ImportExisting  bool
	Import          map[string]string // physical ids of what is brought in, by logical id
	Mode            string
	Token           string
	Changes         []Change
	Parent, Root    string // ARNs of the change sets it is nested in; "" for one that is not
}

// Drift is what the last detection found of a resource.
type Drift struct {
	Stack       string // key of the stack
	LogicalID   string
	PhysicalID  string
	Type        string
	Status      string // IN_SYNC, MODIFIED, DELETED, NOT_CHECKED or UNKNOWN
	Reason      string // why the status is UNKNOWN
	Expected    string // properties, JSON
	Actual      string
	Differences []Difference
	At          time.Time
}

// Difference is a property that has drifted.
type Difference struct {
	Path             string
	Expected, Actual string // as text or JSON; "null" for what is not there
	Kind             cfn.DriftKind
}

// Detection is a run of drift detection over a stack.
type Detection struct {
	Stack  string // key of the stack
	ID     string
	Status string // DETECTION_COMPLETE or DETECTION_FAILED
	Reason string
	Drift  string // of the stack: IN_SYNC, DRIFTED or UNKNOWN
	Count  int    // resources that have drifted
	At     time.Time
}

// Tables of this service. The primary key of a stack is account/region/name/uuid; everything else is keyed below that.
var (
	Stacks = store.NewTable("cloudformation/stack", Stack.Key,
		store.Index("name", func(s Stack) []string {
			if s.Status == "DELETE_COMPLETE" {
				return nil
			}
			return []string{s.Scope.Key(s.Name)}
		}),
		store.Index("parent", func(s Stack) []string {
			if key, ok := stackKey(s.Parent); ok && s.Status != "DELETE_COMPLETE" {
				return []string{key}
			}
			return nil
		}),
		store.Index("export", func(s Stack) []string {
			var keys []string
			for _, o := range s.Outputs {
				if o.Export != "" && s.Status != "DELETE_COMPLETE" {
					keys = append(keys, s.Scope.Key(o.Export))
				}
			}
			return keys
		}),
		store.Index("import", func(s Stack) []string {
			var keys []string
			for _, name := range s.Imports {
				if s.Status != "DELETE_COMPLETE" {
					keys = append(keys, s.Scope.Key(name))
				}
			}
			return keys
		}))
	Templates  = store.NewTable("cloudformation/template", func(t Template) string { return t.Stack + "/" + t.Hash })
	Operations = store.NewTable("cloudformation/operation", func(o Operation) string { return o.Stack })
	Resources  = store.NewTable("cloudformation/resource", func(r Resource) string { return r.Stack + "/" + r.LogicalID },
		store.Index("step", func(r Resource) []string {
			if r.Step == "" {
				return nil
			}
			return []string{string(r.Step)}
		}),
		store.Index("physical", func(r Resource) []string {
			if r.PhysicalID == "" {
				return nil
			}
			return []string{arn.ScopeOfKey(r.Stack).Key(r.PhysicalID)}
		}))
	Events     = store.NewTable("cloudformation/event", func(e Event) string { return fmt.Sprintf("%s/%012d", e.Stack, e.Seq) })
	Sequences  = store.NewTable("cloudformation/sequence", func(s Sequence) string { return s.Stack })
	Drifts     = store.NewTable("cloudformation/drift", func(d Drift) string { return d.Stack + "/" + d.LogicalID })
	Detections = store.NewTable("cloudformation/detection", func(d Detection) string { return d.Stack + "/" + d.ID })
	Signals    = store.NewTable("cloudformation/signal", func(s Signal) string { return s.Target + "/" + digest(s.UniqueID) })
	Secrets    = store.NewTable("cloudformation/secret", func(s Secret) string { return s.Name })
	Answers    = store.NewTable("cloudformation/answer", func(a Answer) string { return a.Stack + "/" + a.LogicalID + "/" + a.Request })
	ChangeSets = store.NewTable("cloudformation/changeset", func(c ChangeSet) string { return c.Stack + "/" + c.Name })
)

// Tables lists the tables of this service.
func Tables() []store.Schema {
	return []store.Schema{Stacks, Templates, Operations, Resources, Events, Sequences, ChangeSets, Drifts, Detections, Signals, Secrets, Answers}
}

// Key is the stack's primary key.
func (s Stack) Key() string { return s.Scope.Key(s.Name, s.UUID) }

// stackKey is the primary key of the stack with an ARN; false when it is none of a stack.
func stackKey(id string) (string, bool) {
	a, err := arn.Parse(id)
	if err != nil {
		return "", false
	}
	rest, ok := strings.CutPrefix(a.Resource, "stack/")
	return a.Scope().Key(rest), ok
}

// failed reports whether the row's last work failed.
func (r Resource) failed() bool { return strings.HasSuffix(r.Status, "_FAILED") }

// instance is the version as the resource type sees it.
func (v Version) instance() cfn.Instance { return cfn.Instance{ID: v.PhysicalID, State: v.State} }

// properties are the resolved properties, numbers as json.Number.
func (v Version) properties() map[string]any {
	m := map[string]any{}
	dec := json.NewDecoder(strings.NewReader(string(v.Properties)))
	dec.UseNumber()
	_ = dec.Decode(&m) // written by us; absent is empty
	return m
}
