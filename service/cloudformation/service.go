// Package cloudformation is AWS CloudFormation: stacks made from templates, change sets, events, exports, rollback.
//
// It owns what a stack is and in which order work is done; what a resource type is comes from the other services as cfn.Type, and what a template says from
// kernel/cfn/template. An API call only checks and writes rows: the stack, and an Operation that says what to do. Two loops do the rest and meet in the
// rows alone. The progress loop, keyed by stack, decides: which resources can start, whether to go on, roll back, clean up or end. It does no I/O. The
// resource loop, keyed by resource, does the one Step its row asks for: create, update, settle, delete or discard.
//
// Invariants: an operation is always resumed from its rows, so that a crash at any point neither makes a resource twice (creation tokens are derived from
// the operation) nor forgets one (rows exist before the resource does and go after it). A stack has at most one operation. Resolved secrets are never
// written: rows keep dynamic references as they stand in the template.
package cloudformation

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/cfn/template"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Config of the service.
type Config struct {
	Store *store.Store
	Log   *slog.Logger
	// Types are the resource types of every service. Two of one name are a programming error.
	Types []cfn.Type
	// StrictQuotas limits TemplateBody to 51,200 bytes as AWS does; otherwise it may have 1 MB, like a template in S3.
	StrictQuotas bool
	// Fetch reads a TemplateURL (https, virtual-hosted or path style), or the s3://bucket/key of AWS::Include; nil refuses them. Its errors are shown to users.
	Fetch func(ctx context.Context, url string) (string, error)
	// Parameter looks up an SSM parameter for template parameters of SSM types; nil knows none.
	Parameter func(ctx context.Context, scope arn.Scope, name string) (string, bool)
	// Resolve looks up dynamic references; nil refuses them.
	Resolve func(ctx context.Context, scope arn.Scope, d template.Dynamic) (string, error)
	// Zones lists the availability zones of a region; nil means its first three.
	Zones func(region string) []string
	// Endpoint is the address of the API, "http://localhost:4566" when it is empty: wait condition handles are addresses below it.
	Endpoint string
	// Transport carries requests to the providers of custom resources; nil means http.DefaultTransport.
	Transport http.RoundTripper
	// Parallel is how many resources are worked on at once, over all stacks; 0 means 64.
	Parallel int
}

// Service is CloudFormation.
type Service struct {
	Config
	types   map[string]cfn.Type
	flights flights
	bounds  sync.Map // stack key + template + parameters -> *template.Bound
	asked   sync.Map // resource key -> time.Time of the last question whether it has settled
}

// New makes the service. It panics when two types have one name.
func New(cfg Config) *Service {
	s := &Service{Config: cfg, types: map[string]cfn.Type{}}
	for _, t := range append(s.Resources(), cfg.Types...) {
		if _, ok := s.types[t.Name()]; ok {
			panic(fmt.Sprintf("cloudformation: resource type %s is given twice", t.Name()))
		}
		s.types[t.Name()] = t
	}
	return s
}

// API is the operations of this service.
func (s *Service) API() *awsapi.Service {
	a := awsapi.NewService("cloudformation")
	awsapi.Handle(a, "CreateStack", s.CreateStack)
	awsapi.Handle(a, "UpdateStack", s.UpdateStack)
	awsapi.Handle(a, "DeleteStack", s.DeleteStack)
	awsapi.Handle(a, "CancelUpdateStack", s.CancelUpdateStack)
	awsapi.Handle(a, "ContinueUpdateRollback", s.ContinueUpdateRollback)
	awsapi.Handle(a, "RollbackStack", s.RollbackStack)
	awsapi.Handle(a, "SignalResource", s.SignalResource)
	awsapi.Handle(a, "SetStackPolicy", s.SetStackPolicy)
	awsapi.Handle(a, "GetStackPolicy", s.GetStackPolicy)
	awsapi.Handle(a, "EstimateTemplateCost", s.EstimateTemplateCost)
	awsapi.Handle(a, "UpdateTerminationProtection", s.UpdateTerminationProtection)
	awsapi.Handle(a, "DescribeStacks", s.DescribeStacks)
	awsapi.Handle(a, "ListStacks", s.ListStacks)
	awsapi.Handle(a, "DescribeStackEvents", s.DescribeStackEvents)
	awsapi.Handle(a, "DescribeEvents", s.DescribeEvents)
	awsapi.Handle(a, "DescribeChangeSetHooks", s.DescribeChangeSetHooks)
	awsapi.Handle(a, "ListTypes", s.ListTypes)
	awsapi.Handle(a, "DescribeType", s.DescribeType)
	awsapi.Handle(a, "DescribeStackResource", s.DescribeStackResource)
	awsapi.Handle(a, "DescribeStackResources", s.DescribeStackResources)
	awsapi.Handle(a, "ListStackResources", s.ListStackResources)
	awsapi.Handle(a, "GetTemplate", s.GetTemplate)
	awsapi.Handle(a, "GetTemplateSummary", s.GetTemplateSummary)
	awsapi.Handle(a, "ValidateTemplate", s.ValidateTemplate)
	awsapi.Handle(a, "CreateChangeSet", s.CreateChangeSet)
	awsapi.Handle(a, "DescribeChangeSet", s.DescribeChangeSet)
	awsapi.Handle(a, "ExecuteChangeSet", s.ExecuteChangeSet)
	awsapi.Handle(a, "DeleteChangeSet", s.DeleteChangeSet)
	awsapi.Handle(a, "ListChangeSets", s.ListChangeSets)
	awsapi.Handle(a, "DetectStackDrift", s.DetectStackDrift)
	awsapi.Handle(a, "DetectStackResourceDrift", s.DetectStackResourceDrift)
	awsapi.Handle(a, "DescribeStackDriftDetectionStatus", s.DescribeStackDriftDetectionStatus)
	awsapi.Handle(a, "DescribeStackResourceDrifts", s.DescribeStackResourceDrifts)
	awsapi.Handle(a, "ListExports", s.ListExports)
	awsapi.Handle(a, "ListImports", s.ListImports)
	return a
}

// Loops are the loops of this service.
func (s *Service) Loops() []loop.Loop {
	parallel := s.Parallel
	if parallel == 0 {
		parallel = 64
	}
	return []loop.Loop{
		{
			Name: "stack progress", Workers: 8, Reconcile: s.advance,
			List: Operations.Keys,
			Keys: func(r *store.Snapshot, c store.Change) []string {
				switch c.Table {
				case Operations.Name():
					keys := []string{c.Key}
					for child := range Stacks.By(r, "parent", c.Key) {
						keys = append(keys, child.Key())
					}
					return keys
				case Stacks.Name():
					if st, err := Stacks.Get(r, c.Key); err == nil && st.Parent != "" {
						key, _ := stackKey(st.Parent)
						return []string{key}
					}
				case Resources.Name():
					return []string{parent(c.Key)}
				}
				return nil
			},
		},
		{
			Name: "stack resources", Workers: parallel, Reconcile: s.work,
			List: func(r *store.Snapshot) []string {
				return waiting(r, StepCreate, StepUpdate, StepSettle, StepDelete, StepDiscard, StepImport)
			},
			Keys: resourceKeys,
		},
	}
}

// resourceKeys: a changed row is looked at itself; a change anywhere else may be what a settling resource waits for.
func resourceKeys(r *store.Snapshot, c store.Change) []string {
	switch c.Table {
	case Resources.Name():
		return []string{c.Key}
	case Operations.Name():
		keys := nestedSettling(r, c.Key)
		for res := range Resources.List(r, c.Key+"/") {
			if res.Step == StepSettle {
				keys = append(keys, Resources.Key(res))
			}
		}
		return keys
	case Stacks.Name():
		keys := waiting(r, StepSettle)
		return slices.DeleteFunc(keys, func(k string) bool { // only nested stacks wait for stacks
			res, err := Resources.Get(r, k)
			return err != nil || res.Type != stackType
		})
	case Events.Name(), Sequences.Name(), Templates.Name(), ChangeSets.Name(), Drifts.Name(), Detections.Name():
		return nil
	default:
		return waiting(r, StepSettle)
	}
}

func waiting(r *store.Snapshot, steps ...Step) []string {
	var keys []string
	for _, step := range steps {
		for res := range Resources.By(r, "step", string(step)) {
			keys = append(keys, Resources.Key(res))
		}
	}
	return keys
}

// bind gives a deployment's template its parameters. The result is remembered: an operation asks for it at every step.
func (s *Service) bind(r store.Reader, st Stack, d Deployment) (*template.Bound, error) {
	key := st.Key() + "\x00" + d.deployed() + "\x00" + fingerprint(d.Parameters)
	if b, ok := s.bounds.Load(key); ok {
		return b.(*template.Bound), nil
	}
	row, err := Templates.Get(r, st.Key()+"/"+d.deployed())
	if err != nil {
		return nil, fmt.Errorf("template of stack %s: %w", st.Name, err)
	}
	parse := template.Parse
	if d.Processed != "" {
		parse = template.ParseProcessed
	}
	t, err := parse(row.Body, template.Limits{})
	if err != nil {
		return nil, err
	}
	b, err := t.Bind(s.inputs(st, d))
	if err != nil {
		return nil, err
	}
	s.bounds.Store(key, b)
	return b, nil
}

func (s *Service) inputs(st Stack, d Deployment) template.Inputs {
	in := template.Inputs{
		Parameters: map[string]string{}, AccountID: st.Account, Region: st.Region, StackID: st.ID, StackName: st.Name,
		NotificationARNs: d.NotificationARNs,
	}
	resolved := map[string]string{}
	for _, p := range d.Parameters {
		in.Parameters[p.Key] = p.Value
		if p.Resolved != "" {
			resolved[p.Value] = p.Resolved
		}
	}
	in.Stored = func(name string) (string, bool) {
		v, ok := resolved[name]
		return v, ok
	}
	if s.Zones != nil {
		in.Zones = s.Zones(st.Region)
	}
	return in
}

// forget drops what is remembered of a stack between the steps of its operation.
func (s *Service) forget(stackKey string) {
	s.asked.Range(func(k, _ any) bool {
		if strings.HasPrefix(k.(string), stackKey+"/") {
			s.asked.Delete(k)
		}
		return true
	})
	s.bounds.Range(func(k, _ any) bool {
		if strings.HasPrefix(k.(string), stackKey+"\x00") {
			s.bounds.Delete(k)
		}
		return true
	})
}

// now is the time as events show it: milliseconds, UTC.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
