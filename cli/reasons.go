package cli

import (
	"fmt"
	"strings"
)

// reasonsOf finds out what a service lacks: first what is missing, then what
// stands in its way. None when it is steady.
func reasonsOf(s serviceReport) []reason {
	out := []reason{}
	if s.Steady {
		return out
	}
	if s.State != "ACTIVE" || len(s.Deployments) == 0 {
		return append(out, reason{Kind: "missing", Text: "the service is " + strings.ToLower(s.State), Do: "deploy it with: slipway deploy"})
	}
	d := s.Deployments[0]
	if d.Healthy < s.Desired {
		out = append(out, reason{Kind: "missing", Text: fmt.Sprintf("%d of %d tasks of revision %s run and are healthy", d.Healthy, s.Desired, d.Revision)})
	}
	for _, t := range d.Tasks {
		out = append(out, waiting(s.Name, t)...)
	}
	out = append(out, lastFailure(s)...)
	out = append(out, complaints(s)...)
	out = append(out, rollout(s)...)
	for _, old := range s.Deployments[1:] {
		if len(old.Tasks) > 0 {
			out = append(out, reason{Kind: "leaving", Text: fmt.Sprintf("%d tasks of revision %s are still there", len(old.Tasks), old.Revision)})
		}
	}
	return out
}

// waiting says what one task of the wanted revision waits for.
func waiting(service string, t taskReport) []reason {
	id := brief(t.ID)
	if t.Status != "RUNNING" && t.Desired == "RUNNING" {
		text := fmt.Sprintf("task %s is %s", id, t.Status)
		if t.Reason != "" {
			text += ": " + t.Reason
		}
		return []reason{{Kind: "starting", Text: text}}
	}
	var out []reason
	if t.Health == "UNHEALTHY" {
		out = append(out, reason{
			Kind: "unhealthy", Text: fmt.Sprintf("task %s fails its container's health check", id),
			Do: fmt.Sprintf("see what it says: slipway logs %s --task %s", service, id),
		})
	}
	for _, g := range t.Targets {
		if g.State == "healthy" {
			continue
		}
		text := fmt.Sprintf("task %s is %s for the load balancer", id, g.State)
		if g.Text != "" {
			text += ": " + g.Text
		}
		out = append(out, reason{Kind: "unhealthy", Text: text, Do: fmt.Sprintf("see what it says: slipway logs %s --task %s", service, id)})
	}
	return out
}

// lastFailure is the newest task that failed.
func lastFailure(s serviceReport) []reason {
	t := s.LastStop
	if t == nil {
		return nil
	}
	text := fmt.Sprintf("task %s of revision %s: %s", brief(t.ID), t.Revision, t.Reason)
	for _, c := range t.Containers {
		if c.ExitCode != nil {
			text += fmt.Sprintf("; container %s exited with code %d", c.Name, *c.ExitCode)
		}
	}
	return []reason{{Kind: "failed", Text: text, Do: fmt.Sprintf("its last lines: slipway logs %s --task %s", s.Name, brief(t.ID))}}
}

// complaints are what the scheduler says it cannot do, since the service was
// steady last. The texts are ECS's ("Amazon ECS service event messages").
func complaints(s serviceReport) (out []reason) {
	said := map[string]bool{}
	for _, ev := range s.events { // youngest first
		if strings.Contains(ev.Message, "has reached a steady state") {
			break
		}
		var r reason
		switch _, why, _ := strings.Cut(ev.Message, "Reason: "); {
		case strings.HasPrefix(ev.Message, "was unable to place a task"):
			r = reason{Kind: "placement", Text: "no place for a task: " + why}
		case strings.HasPrefix(ev.Message, "is unable to consistently start tasks"):
			r = reason{
				Kind: "throttled", Text: "tasks fail again and again: each start waits longer than the one before, up to 15 minutes",
				Do: "mend the cause and deploy; a new revision starts at once",
			}
		case strings.HasPrefix(ev.Message, "was unable to stop or start tasks"):
			r = reason{
				Kind: "bounds", Text: "the bounds of the deployment leave no room to start or stop a task",
				Do: "raise rollout.maximum or lower rollout.minimum in the manifest",
			}
		default:
			continue
		}
		if !said[r.Kind] {
			said[r.Kind] = true
			out = append(out, r)
		}
	}
	return out
}

// rollout says what the deployment itself waits for.
func rollout(s serviceReport) (out []reason) {
	d, r := s.Deployments[0], s.Rollout
	switch {
	case d.Rollout == "FAILED":
		out = append(out, reason{
			Kind: "breaker", Text: "the deployment has failed and starts no more tasks: " + d.Reason,
			Do: "go back with: slipway rollback " + s.Name + ", or deploy a revision that works",
		})
	case r != nil && r.Threshold > 0 && r.Failures > 0:
		out = append(out, reason{Kind: "breaker", Text: fmt.Sprintf("%d failures; at %d the circuit breaker ends the deployment", r.Failures, r.Threshold)})
	case d.Failed > 0:
		out = append(out, reason{Kind: "breaker", Text: fmt.Sprintf("%d tasks of the deployment have failed", d.Failed)})
	}
	if r == nil {
		return out
	}
	if len(r.Alarms) > 0 {
		out = append(out, reason{Kind: "alarm", Text: "in alarm: " + strings.Join(r.Alarms, ", ")})
	}
	if r.running() && r.Stage != "" && r.Strategy != "ROLLING" {
		out = append(out, reason{Kind: "traffic", Text: fmt.Sprintf("the %s deployment is at: %s", spokenStrategy(r.Strategy), r.step())})
	}
	return out
}
