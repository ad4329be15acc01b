package ecs

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
)

// StopTask stops a task now, without draining: it is deregistered, and its
// containers get their signal.
func (s *Service) StopTask(ctx context.Context, in *ecsapi.StopTaskInput) (*ecsapi.StopTaskOutput, error) {
	sc := awsapi.CallerOf(ctx).Scope
	reason := "Task stopped by user"
	if in.Reason != nil {
		reason = *in.Reason
	}
	var out Task
	err := s.store.Update(func(tx *store.Tx) error {
		t, err := s.task(tx, sc, in.Cluster, value(in.Task))
		if err != nil {
			return err
		}
		if t.DesiredStatus == "RUNNING" {
			now := time.Now().UTC()
			t.askToStop("UserInitiated", reason, now)
			t.deregister(tx, now)
			t.halt(tx)
		}
		out = t
		Tasks.Put(tx, t)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecsapi.StopTaskOutput{Task: new(describeTask(s.store.Snapshot(), out, true))}, nil
}

// task finds a task by id or ARN in a cluster.
func (s *Service) task(r store.Reader, sc arn.Scope, clusterRef *string, ref string) (Task, error) {
	c, err := cluster(r, sc, clusterRef)
	if err != nil {
		return Task{}, err
	}
	id := ref[strings.LastIndexByte(ref, '/')+1:]
	t, err := Tasks.Get(r, sc.ARN("ecs", "task/"+c.Name+"/"+id))
	if err != nil {
		return t, errInvalid("The referenced task was not found.")
	}
	return t, nil
}

// askToStop sets the desired status; the task loop does the rest.
func (t *Task) askToStop(code ecsapi.TaskStopCode, reason string, now time.Time) {
	t.DesiredStatus, t.StopCode, t.StopReason, t.StopAsked = "STOPPED", code, reason, now
}

// halt tells the agent to stop the containers.
func (t *Task) halt(tx *store.Tx) {
	t.Draining = false
	a, err := agent.Tasks.Get(tx, t.ARN)
	if err != nil || a.Stopped {
		return
	}
	a.Stopped, a.StopCode, a.StoppedReason = true, string(t.StopCode), t.StopReason
	agent.Tasks.Put(tx, a)
}

// DescribeTasks answers up to a hundred tasks.
func (s *Service) DescribeTasks(ctx context.Context, in *ecsapi.DescribeTasksInput) (*ecsapi.DescribeTasksOutput, error) {
	sc := awsapi.CallerOf(ctx).Scope
	snap := s.store.Snapshot()
	if len(in.Tasks) == 0 {
		return nil, errInvalid("Tasks cannot be empty.")
	}
	if len(in.Tasks) > 100 {
		return nil, errInvalid("Tasks cannot have more than 100 elements.")
	}
	c, err := cluster(snap, sc, in.Cluster)
	if err != nil {
		return nil, err
	}
	out := &ecsapi.DescribeTasksOutput{Tasks: []ecsapi.Task{}, Failures: []ecsapi.Failure{}}
	for _, ref := range in.Tasks {
		t, err := s.task(snap, sc, &c.Name, ref)
		if err != nil {
			out.Failures = append(out.Failures, missing(sc.ARN("ecs", "task/"+c.Name+"/"+ref[strings.LastIndexByte(ref, '/')+1:])))
			continue
		}
		out.Tasks = append(out.Tasks, describeTask(snap, t, slices.Contains(in.Include, "TAGS")))
	}
	return out, nil
}

// ListTasks lists task ARNs; unless asked for STOPPED, those that shall run.
func (s *Service) ListTasks(ctx context.Context, in *ecsapi.ListTasksInput) (*ecsapi.ListTasksOutput, error) {
	sc := awsapi.CallerOf(ctx).Scope
	snap := s.store.Snapshot()
	c, err := cluster(snap, sc, in.Cluster)
	if err != nil {
		return nil, err
	}
	if in.ServiceName != nil {
		if _, err := Services.Get(snap, sc.Key(c.Name, serviceName(*in.ServiceName))); err != nil {
			return nil, errServiceNotFound()
		}
	}
	desired := in.DesiredStatus
	if desired == "" {
		desired = "RUNNING"
	}
	arns := []string{}
	for t := range Tasks.By(snap, "cluster", c.Key(c.Name)) {
		switch {
		case t.desired() != string(desired),
			in.ServiceName != nil && t.ServiceName != serviceName(*in.ServiceName),
			in.Family != nil && !strings.Contains(t.Definition, "task-definition/"+*in.Family+":"),
			in.StartedBy != nil && t.StartedBy != *in.StartedBy,
			in.LaunchType != "" && t.LaunchType != in.LaunchType,
			in.ContainerInstance != nil:
			continue
		}
		arns = append(arns, t.ARN)
	}
	page, next, err := pageOf(arns, in.NextToken, in.MaxResults)
	return &ecsapi.ListTasksOutput{TaskArns: page, NextToken: next}, err
}

// ListContainerInstances is always empty: Fargate has none.
func (s *Service) ListContainerInstances(ctx context.Context, in *ecsapi.ListContainerInstancesInput) (*ecsapi.ListContainerInstancesOutput, error) {
	if _, err := cluster(s.store.Snapshot(), awsapi.CallerOf(ctx).Scope, in.Cluster); err != nil {
		return nil, err
	}
	return &ecsapi.ListContainerInstancesOutput{ContainerInstanceArns: []string{}}, nil
}

// ListAccountSettings answers the settings that hold here: all long forms.
func (s *Service) ListAccountSettings(ctx context.Context, in *ecsapi.ListAccountSettingsInput) (*ecsapi.ListAccountSettingsOutput, error) {
	out := &ecsapi.ListAccountSettingsOutput{Settings: []ecsapi.Setting{}}
	for _, name := range []ecsapi.SettingName{"awsvpcTrunking", "containerInsights", "containerInstanceLongArnFormat", "serviceLongArnFormat", "taskLongArnFormat", "tagResourceAuthorization"} {
		if in.Name != "" && in.Name != name {
			continue
		}
		v := "enabled"
		if name == "awsvpcTrunking" || name == "containerInsights" || name == "tagResourceAuthorization" {
			v = "disabled"
		}
		out.Settings = append(out.Settings, ecsapi.Setting{Name: name, Value: &v, PrincipalArn: new(awsapi.CallerOf(ctx).ARN)})
	}
	return out, nil
}
