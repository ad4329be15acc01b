package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/manifest"
)

const ecsService = "AWS::ECS::Service"

// failure is a resource that failed, with what was found out about it while
// it was still there.
type failure struct {
	event    cfnapi.StackEvent
	details  string
	began    time.Time // when its update was begun
	restored time.Time // when the revision before was back; zero: not seen
	revision string    // that runs since then
}

// explain words a failed operation: which resource, why; for an ECS service
// also which task failed, how, and the last lines its container wrote.
func (d *deployment) explain(st *cfnapi.Stack, failures []failure) error {
	var b strings.Builder
	what := "deployment"
	if strings.HasPrefix(string(st.StackStatus), "DELETE_") {
		what = "deletion"
	}
	fmt.Fprintf(&b, "the %s failed: stack %s is %s", what, val(st.StackName), st.StackStatus)
	if strings.HasPrefix(string(st.StackStatus), "UPDATE_ROLLBACK_COMPLETE") {
		b.WriteString(": what ran before runs on")
	}
	told := 0
	for _, f := range failures {
		if val(f.event.ResourceType) == "AWS::CloudFormation::Stack" && val(f.event.PhysicalResourceId) == val(f.event.StackId) {
			continue // the stack itself fails because of the others
		}
		told++
		fmt.Fprintf(&b, "\n\n%s (%s)\n  %s%s", val(f.event.LogicalResourceId), val(f.event.ResourceType), val(f.event.ResourceStatusReason), f.details)
		if f.revision != "" {
			fmt.Fprintf(&b, "\n  rolled back to revision %s in %s", f.revision, inSeconds(f.restored.Sub(f.began)))
		}
	}
	if told == 0 && val(st.StackStatusReason) != "" {
		b.WriteString("\n  " + val(st.StackStatusReason))
	}
	return errors.New(b.String())
}

// details finds out why a service failed. What cannot be found out is left
// out: the failure itself is told.
func (d *deployment) details(ctx context.Context, ev cfnapi.StackEvent, began time.Time) string {
	name := d.ecsName(ev)
	if val(ev.ResourceType) != ecsService || name == "" {
		return ""
	}
	return d.autopsy(ctx, name, began)
}

// returned finds out which revisions run again after a rollback.
func (d *deployment) returned(ctx context.Context, failures []failure) {
	for i := range failures {
		f := &failures[i]
		s, ok := d.service(d.ecsName(f.event))
		if val(f.event.ResourceType) != ecsService || !ok || f.restored.IsZero() {
			continue
		}
		found, err := d.describeServices(ctx, []manifest.Service{*s})
		if err == nil && len(found[s.Name].Deployments) > 0 {
			f.revision = short(val(found[s.Name].Deployments[0].TaskDefinition))
		}
	}
}

// inSeconds is a duration for people, to the tenth of a second.
func inSeconds(d time.Duration) string { return fmt.Sprintf("%.1f s", max(d, 0).Seconds()) }

// ecsName is the ECS service that a stack resource is: from its physical id,
// arn:...:service/<cluster>/<name>, or before it has one from the template.
func (d *deployment) ecsName(ev cfnapi.StackEvent) string {
	if a, err := arn.Parse(val(ev.PhysicalResourceId)); err == nil {
		return short(a.Resource)
	}
	if d.template == nil {
		return ""
	}
	r, ok := d.template.Resource(val(ev.LogicalResourceId))
	if !ok {
		return ""
	}
	for _, f := range r.Properties {
		if name, ok := f.Value.(string); ok && f.Key == "ServiceName" {
			return name
		}
	}
	return ""
}

// short is the last part of an ARN.
func short(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
