package ecs

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/control/rollout"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// historyKey is the key of a service deployment or revision of the caller, by
// its ARN: <kind>/<cluster>/<service>/<id>; empty, which is nobody's, when the
// ARN is none.
func historyKey(sc arn.Scope, ref, kind string) string {
	parts := strings.Split(strings.TrimPrefix(ref, sc.ARN("ecs", "")), "/")
	if len(parts) != 4 || parts[0] != kind {
		return ""
	}
	return sc.Key(parts[1:]...)
}

// ListServiceDeployments lists a service's deployments, the newest first.
func (s *Service) ListServiceDeployments(ctx context.Context, in *ecsapi.ListServiceDeploymentsInput) (*ecsapi.ListServiceDeploymentsOutput, error) {
	snap := s.store.Snapshot()
	_, row, err := service(snap, awsapi.CallerOf(ctx).Scope, in.Cluster, in.Service)
	if err != nil {
		return nil, err
	}
	var all []ServiceDeployment
	for d := range ServiceDeployments.List(snap, row.Key(row.Cluster, row.Name, "")) {
		if (len(in.Status) == 0 || slices.Contains(in.Status, d.Status)) && within(d.CreatedAt, in.CreatedAt) {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b ServiceDeployment) int { return b.CreatedAt.Compare(a.CreatedAt) })
	page, next, err := awsapi.Page(all, func(d ServiceDeployment) string { return d.ID }, in.NextToken, int(value(in.MaxResults)), 100)
	if err != nil {
		return nil, errInvalid("Invalid token %s", value(in.NextToken))
	}
	out := &ecsapi.ListServiceDeploymentsOutput{ServiceDeployments: []ecsapi.ServiceDeploymentBrief{}, NextToken: next}
	for _, d := range page {
		out.ServiceDeployments = append(out.ServiceDeployments, brief(row, d))
	}
	return out, nil
}

func within(t time.Time, c *ecsapi.CreatedAt) bool {
	return c == nil || (c.Before == nil || t.Before(*c.Before)) && (c.After == nil || t.After(*c.After))
}

func brief(row ServiceRow, d ServiceDeployment) ecsapi.ServiceDeploymentBrief {
	return ecsapi.ServiceDeploymentBrief{
		ServiceDeploymentArn: new(d.ARN()), ServiceArn: new(row.ARN()), ClusterArn: new(row.Scope.ARN("ecs", "cluster/"+row.Cluster)),
		StartedAt: timeOrNil(d.StartedAt), CreatedAt: &d.CreatedAt, FinishedAt: timeOrNil(d.EndedAt),
		TargetServiceRevisionArn: new(revisionARN(d.Scope, d.Cluster, d.Service, d.Target)), Status: d.Status, StatusReason: optional(d.Reason),
	}
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// DescribeServiceDeployments answers up to twenty service deployments.
func (s *Service) DescribeServiceDeployments(ctx context.Context, in *ecsapi.DescribeServiceDeploymentsInput) (*ecsapi.DescribeServiceDeploymentsOutput, error) {
	sc, snap := awsapi.CallerOf(ctx).Scope, s.store.Snapshot()
	if len(in.ServiceDeploymentArns) > 20 {
		return nil, errInvalid("serviceDeploymentArns cannot have more than 20 elements.")
	}
	out := &ecsapi.DescribeServiceDeploymentsOutput{ServiceDeployments: []ecsapi.ServiceDeployment{}, Failures: []ecsapi.Failure{}}
	for _, ref := range in.ServiceDeploymentArns {
		key := historyKey(sc, ref, "service-deployment")
		d, err := ServiceDeployments.Get(snap, key)
		if err != nil {
			out.Failures = append(out.Failures, missing(ref))
			continue
		}
		row, _ := Services.Get(snap, sc.Key(d.Cluster, d.Service))
		out.ServiceDeployments = append(out.ServiceDeployments, describeRecord(snap, row, d))
	}
	return out, nil
}

func describeRecord(r store.Reader, row ServiceRow, d ServiceDeployment) ecsapi.ServiceDeployment {
	b := brief(row, d)
	out := ecsapi.ServiceDeployment{
		ServiceDeploymentArn: b.ServiceDeploymentArn, ServiceArn: b.ServiceArn, ClusterArn: b.ClusterArn, CreatedAt: b.CreatedAt, StartedAt: b.StartedAt,
		FinishedAt: b.FinishedAt, UpdatedAt: &d.UpdatedAt, Status: d.Status, StatusReason: b.StatusReason,
		LifecycleStage: ecsapi.ServiceDeploymentLifecycleStage(d.Stage), DeploymentConfiguration: &d.Configuration,
		SourceServiceRevisions: []ecsapi.ServiceRevisionSummary{},
	}
	if d.Status == "STOPPED" {
		out.StoppedAt = timeOrNil(d.EndedAt)
	}
	counts := revisionCounts(r, row)
	for _, id := range d.Sources {
		out.SourceServiceRevisions = append(out.SourceServiceRevisions, summary(d, id, counts[id], 100-d.Production, 100-d.Test))
	}
	out.TargetServiceRevision = new(summary(d, d.Target, counts[d.Target], d.Production, d.Test))
	if !d.RolledBackAt.IsZero() {
		out.Rollback = &ecsapi.Rollback{
			Reason: &d.Reason, StartedAt: &d.RolledBackAt, ServiceRevisionArn: new(revisionARN(d.Scope, d.Cluster, d.Service, d.RolledBackTo)),
		}
	}
	out.DeploymentCircuitBreaker, out.Alarms = d.breaker(row), d.alarms()
	if h := d.Held; h != nil {
		action := ecsapi.DeploymentLifecycleHookAction("CONTINUE")
		if h.RollBack {
			action = "ROLLBACK"
		}
		out.LifecycleHookDetails = []ecsapi.DeploymentLifecycleHookDetail{
			{HookId: &h.ID, TargetType: "PAUSE", Status: "AWAITING_ACTION", ExpiresAt: &h.Until, TimeoutAction: action},
		}
	}
	return out
}

// breaker is the circuit breaker as the history has it.
func (d ServiceDeployment) breaker(row ServiceRow) *ecsapi.ServiceDeploymentCircuitBreaker {
	c := ServiceRow{Configuration: d.Configuration}.rolloutConfig()
	out := &ecsapi.ServiceDeploymentCircuitBreaker{Status: d.monitored(c.Breaker.Enable, d.Failure == rollout.ByBreaker), FailureCount: new(int32(d.FailedTasks)), Threshold: new(int32(d.Threshold))}
	if d.Threshold == 0 {
		out.Threshold = new(int32(c.Breaker.Threshold(row.DesiredCount)))
	}
	return out
}

func (d ServiceDeployment) alarms() *ecsapi.ServiceDeploymentAlarms {
	names := ServiceRow{Configuration: d.Configuration}.alarms()
	return &ecsapi.ServiceDeploymentAlarms{Status: d.monitored(len(names) > 0, d.Failure == rollout.ByAlarm), AlarmNames: names, TriggeredAlarmNames: d.Triggered}
}

func (d ServiceDeployment) monitored(on, triggered bool) ecsapi.ServiceDeploymentRollbackMonitorsStatus {
	switch {
	case !on:
		return "DISABLED"
	case triggered:
		return "TRIGGERED"
	case d.over():
		return "MONITORING_COMPLETE"
	}
	return "MONITORING"
}

func summary(d ServiceDeployment, id string, c taskCounts, production, test float64) ecsapi.ServiceRevisionSummary {
	out := ecsapi.ServiceRevisionSummary{
		Arn: new(revisionARN(d.Scope, d.Cluster, d.Service, id)), RequestedTaskCount: &c.requested, RunningTaskCount: &c.running, PendingTaskCount: &c.pending,
	}
	if s := d.Configuration.Strategy; s != "" && s != "ROLLING" {
		out.RequestedProductionTrafficWeight, out.RequestedTestTrafficWeight = &production, &test
	}
	return out
}

// DescribeServiceRevisions answers up to twenty service revisions.
func (s *Service) DescribeServiceRevisions(ctx context.Context, in *ecsapi.DescribeServiceRevisionsInput) (*ecsapi.DescribeServiceRevisionsOutput, error) {
	sc, snap := awsapi.CallerOf(ctx).Scope, s.store.Snapshot()
	if len(in.ServiceRevisionArns) > 20 {
		return nil, errInvalid("serviceRevisionArns cannot have more than 20 elements.")
	}
	out := &ecsapi.DescribeServiceRevisionsOutput{ServiceRevisions: []ecsapi.ServiceRevision{}, Failures: []ecsapi.Failure{}}
	for _, ref := range in.ServiceRevisionArns {
		key := historyKey(sc, ref, "service-revision")
		r, err := ServiceRevisions.Get(snap, key)
		if err != nil {
			out.Failures = append(out.Failures, missing(ref))
			continue
		}
		rev := r.Revision
		out.ServiceRevisions = append(out.ServiceRevisions, ecsapi.ServiceRevision{
			ServiceRevisionArn: new(r.ARN()), ServiceArn: new(sc.ARN("ecs", "service/"+r.Cluster+"/"+r.Service)), ClusterArn: new(sc.ARN("ecs", "cluster/"+r.Cluster)),
			TaskDefinition: &rev.TaskDefinition, CapacityProviderStrategy: rev.Strategy, LaunchType: rev.LaunchType, PlatformVersion: &rev.PlatformVersion,
			PlatformFamily: new("Linux"), LoadBalancers: orEmpty(rev.LoadBalancers), ServiceRegistries: orEmpty(rev.Registries), NetworkConfiguration: rev.Network,
			ContainerImages: r.Images, GuardDutyEnabled: new(false), ServiceConnectConfiguration: rev.ServiceConnect, CreatedAt: &r.CreatedAt,
		})
	}
	return out, nil
}

// running finds the deployment that a service deployment's ARN names, for a
// change, if it is the service's present one and not over.
func (s *Service) running(tx *store.Tx, sc arn.Scope, ref string) (ServiceRow, ServiceDeployment, error) {
	key := historyKey(sc, ref, "service-deployment")
	rec, err := ServiceDeployments.Get(tx, key)
	if err != nil {
		return ServiceRow{}, rec, awsapi.Errorf("ServiceDeploymentNotFoundException", http.StatusBadRequest, "The service deployment %s was not found.", ref)
	}
	row, err := Services.Get(tx, sc.Key(rec.Cluster, rec.Service))
	if err != nil || rec.over() || row.Deployments[0].Record != rec.ID {
		return row, rec, awsapi.Errorf("ConflictException", http.StatusBadRequest, "The service deployment is %s and can no longer be stopped.", rec.Status)
	}
	row.Deployments = slices.Clone(row.Deployments)
	return row, rec, nil
}

// StopServiceDeployment rolls a running deployment back (ROLLBACK, the
// default), or leaves everything as it is now (ABORT).
func (s *Service) StopServiceDeployment(ctx context.Context, in *ecsapi.StopServiceDeploymentInput) (*ecsapi.StopServiceDeploymentOutput, error) {
	sc := awsapi.CallerOf(ctx).Scope
	err := s.store.Update(func(tx *store.Tx) error {
		row, rec, err := s.running(tx, sc, value(in.ServiceDeploymentArn))
		if err != nil {
			return err
		}
		d := &row.Deployments[0]
		if d.RollsBack != "" {
			return nil // it is on its way back already
		}
		if d.Progress.Stage == rollout.CleanUp {
			return awsapi.Errorf("ConflictException", http.StatusBadRequest, "The service deployment is in the CLEAN_UP stage and can no longer be stopped.")
		}
		d.Request, rec.Status = rollout.RollBack, "ROLLBACK_REQUESTED"
		if in.StopType == "ABORT" {
			d.Request, rec.Status = rollout.Abort, "STOP_REQUESTED"
		}
		rec.UpdatedAt = time.Now().UTC()
		ServiceDeployments.Put(tx, rec)
		Services.Put(tx, row)
		return nil
	})
	return &ecsapi.StopServiceDeploymentOutput{ServiceDeploymentArn: in.ServiceDeploymentArn}, err
}

// ContinueServiceDeployment ends the pause that a deployment stands at.
func (s *Service) ContinueServiceDeployment(ctx context.Context, in *ecsapi.ContinueServiceDeploymentInput) (*ecsapi.ContinueServiceDeploymentOutput, error) {
	sc := awsapi.CallerOf(ctx).Scope
	err := s.store.Update(func(tx *store.Tx) error {
		row, _, err := s.running(tx, sc, value(in.ServiceDeploymentArn))
		if err != nil {
			return err
		}
		svc := row.rollout(tx)
		if !svc.Continue(value(in.HookId)) {
			return errInvalid("The service deployment does not wait at the lifecycle hook %s.", value(in.HookId))
		}
		row.take(svc)
		if in.Action == "ROLLBACK" {
			row.Deployments[0].Request = rollout.RollBack
		}
		Services.Put(tx, row)
		return nil
	})
	return &ecsapi.ContinueServiceDeploymentOutput{ServiceDeploymentArn: in.ServiceDeploymentArn}, err
}
