package ecs

import (
	"reflect"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/control/rollout"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// keptHistory is how long service deployments and revisions are kept (ECS: 90
// days).
const keptHistory = 90 * 24 * time.Hour

// ServiceRevision is what a deployment deploys, as DescribeServiceRevisions
// shows it. It never changes.
type ServiceRevision struct {
	arn.Scope
	Cluster, Service, ID string
	Revision             Revision
	Images               []ecsapi.ContainerImage
	CreatedAt            time.Time
}

// ARN of the revision.
func (r ServiceRevision) ARN() string { return revisionARN(r.Scope, r.Cluster, r.Service, r.ID) }

func revisionARN(sc arn.Scope, cluster, service, id string) string {
	return sc.ARN("ecs", "service-revision/"+cluster+"/"+service+"/"+id)
}

// ServiceDeployment is the history of one change of a service: of the
// deployment that made it, and of the one that rolled it back.
type ServiceDeployment struct {
	arn.Scope
	Cluster, Service, ID string
	Deployment           string // ecs-svc/<19 digits>
	Target               string // id of the ServiceRevision deployed
	Sources              []string
	Configuration        ecsapi.DeploymentConfiguration
	Status               ecsapi.ServiceDeploymentStatus
	Reason               string
	CreatedAt, UpdatedAt time.Time
	StartedAt, EndedAt   time.Time
	Stage                rollout.Stage
	Production, Test     float64 // percent of the traffic that Target gets
	Held                 *rollout.Hold
	FailedTasks          int
	Threshold            int
	Failure              rollout.Failure
	Triggered            []string // alarms
	RolledBackAt         time.Time
	RolledBackTo         string // id of a ServiceRevision
}

// ARN of the service deployment.
func (d ServiceDeployment) ARN() string {
	return d.Scope.ARN("ecs", "service-deployment/"+d.Cluster+"/"+d.Service+"/"+d.ID)
}

// over says whether nothing more happens to it.
func (d ServiceDeployment) over() bool {
	switch d.Status {
	case "SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED":
		return true
	}
	return false
}

// newRecord begins the history of a deployment that row does not have yet.
func newRecord(row ServiceRow, d Deployment, now time.Time) ServiceDeployment {
	out := ServiceDeployment{
		Scope: row.Scope, Cluster: row.Cluster, Service: row.Name, ID: d.Record, Deployment: d.ID, Target: d.RevisionID,
		Configuration: row.Configuration, Status: "PENDING", CreatedAt: now, UpdatedAt: now,
	}
	for _, before := range row.Deployments {
		if before.ID != d.ID && before.RevisionID != "" {
			out.Sources = append(out.Sources, before.RevisionID)
		}
	}
	return out
}

// supersede ends the history of a deployment that another takes the place of.
func supersede(tx *store.Tx, row ServiceRow, now time.Time) {
	rec, err := ServiceDeployments.Get(tx, row.Key(row.Cluster, row.Name, row.Deployments[0].Record))
	if err != nil || rec.over() {
		return
	}
	rec.Status, rec.Reason = "STOPPED", "Service deployment stopped because a new service deployment was started."
	rec.EndedAt, rec.UpdatedAt = now, now
	ServiceDeployments.Put(tx, rec)
}

// record brings the histories up to what the deployments have come to.
func (st *step) record() {
	for _, d := range slices.Backward(st.row.Deployments) { // what failed before what undoes it
		rec, err := ServiceDeployments.Get(st.tx, st.row.Key(st.row.Cluster, st.row.Name, d.Record))
		if err != nil || rec.over() {
			continue
		}
		next := rec
		if d.RollsBack == rec.Deployment {
			next.undo(d, st.now)
		} else if d.ID == rec.Deployment && rec.RolledBackTo == "" {
			next.follow(d, st.row, st.now)
			if d.Failure == rollout.ByAlarm {
				next.Triggered = firing(st.tx, st.row)
			}
		}
		if !reflect.DeepEqual(rec, next) {
			next.UpdatedAt = st.now
			ServiceDeployments.Put(st.tx, next)
		}
	}
}

// follow takes over the state of the deployment itself.
func (d *ServiceDeployment) follow(dep Deployment, row ServiceRow, now time.Time) {
	if d.StartedAt.IsZero() {
		d.StartedAt = now
	}
	if row.Configuration.Strategy != "ROLLING" || dep.Progress.Stage == rollout.BakeTime {
		d.Stage, d.Production, d.Test, d.Held = dep.Progress.Stage, dep.Progress.Production, dep.Progress.Test, dep.Progress.Held
	}
	d.FailedTasks, d.Failure, d.Threshold = dep.FailedTasks, dep.Failure, dep.Threshold
	switch dep.RolloutState {
	case rollout.InProgress:
		d.Status = "IN_PROGRESS"
		switch dep.Request {
		case rollout.RollBack:
			d.Status = "ROLLBACK_REQUESTED"
		case rollout.Abort:
			d.Status = "STOP_REQUESTED"
		}
	case rollout.Completed:
		d.Status, d.EndedAt, d.Stage, d.Production, d.Test = "SUCCESSFUL", now, "", 100, 100
	case rollout.Failed:
		d.Status, d.Reason, d.EndedAt = "STOPPED", d.why("stopped"), now
		if dep.Failure.WantsRollback(row.rolloutConfig(), dep.Request) {
			d.Status, d.Reason = "ROLLBACK_FAILED", "No rollback candidate was found to run the rollback."
			if row.Deployments[0].RollsBack == dep.ID {
				d.Status, d.Reason, d.EndedAt = "ROLLBACK_IN_PROGRESS", d.why("rolled back"), time.Time{}
				d.RolledBackAt, d.RolledBackTo = now, row.Deployments[0].RevisionID
			}
		}
	}
}

// undo takes over the state of the deployment that rolls it back.
func (d *ServiceDeployment) undo(dep Deployment, now time.Time) {
	if d.RolledBackTo == "" {
		return // follow comes first
	}
	d.Stage, d.Production, d.Test, d.Held = dep.Progress.Stage, 0, 0, nil
	switch dep.RolloutState {
	case rollout.Completed:
		d.Status, d.EndedAt, d.Stage = "ROLLBACK_SUCCESSFUL", now, ""
	case rollout.Failed:
		d.Status, d.EndedAt, d.Stage = "ROLLBACK_FAILED", now, ""
	}
}

// why words the end of a deployment that failed.
func (d ServiceDeployment) why(how string) string {
	because := "a user requested it."
	switch d.Failure {
	case rollout.ByBreaker:
		because = "the circuit breaker threshold was exceeded."
	case rollout.ByAlarm:
		because = "one or more CloudWatch alarms were triggered."
	case rollout.ByPause:
		because = "a lifecycle hook timed out."
	}
	return "Service deployment " + how + " because " + because
}

// forgetHistory removes what is kept of a service that is gone.
func forgetHistory(tx *store.Tx, row ServiceRow) {
	forget(tx, row, func(time.Time, string) bool { return true })
}

// forgetOld removes what is older than the history that ECS keeps.
func forgetOld(tx *store.Tx, row ServiceRow, now time.Time) {
	forget(tx, row, func(created time.Time, id string) bool {
		used := id == row.LastRevisionID || slices.ContainsFunc(row.Deployments, func(d Deployment) bool { return d.RevisionID == id || d.Record == id })
		return now.Sub(created) > keptHistory && !used
	})
}

func forget(tx *store.Tx, row ServiceRow, gone func(created time.Time, id string) bool) {
	prefix := row.Key(row.Cluster, row.Name, "")
	for _, d := range slices.Collect(ServiceDeployments.List(tx, prefix)) {
		if gone(d.CreatedAt, d.ID) {
			ServiceDeployments.Delete(tx, ServiceDeployments.Key(d))
		}
	}
	for _, r := range slices.Collect(ServiceRevisions.List(tx, prefix)) {
		if gone(r.CreatedAt, r.ID) {
			ServiceRevisions.Delete(tx, ServiceRevisions.Key(r))
		}
	}
}

// images are the images of a revision's containers, as its definition names
// them.
func images(r store.Reader, sc arn.Scope, rev Revision) (out []ecsapi.ContainerImage) {
	d, err := findDefinition(r, sc, rev.TaskDefinition)
	if err != nil {
		return nil
	}
	for _, c := range d.Spec.ContainerDefinitions {
		out = append(out, ecsapi.ContainerImage{ContainerName: c.Name, Image: c.Image})
	}
	return out
}
