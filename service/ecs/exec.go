package ecs

import (
	"context"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/node/agent"
)

// ExecuteCommand opens a session of ECS Exec in a running container.
func (s *Service) ExecuteCommand(ctx context.Context, in *ecsapi.ExecuteCommandInput) (*ecsapi.ExecuteCommandOutput, error) {
	snap := s.store.Snapshot()
	t, err := s.task(snap, awsapi.CallerOf(ctx).Scope, in.Cluster, value(in.Task))
	if err != nil {
		return nil, err
	}
	st, err := agent.Statuses.Get(snap, t.ARN)
	if err != nil || st.LastStatus != agent.Running {
		return nil, errInvalid("The execute command failed because the task is not in the RUNNING state. Wait for the task to run and try again.")
	}
	if !t.ExecEnabled {
		return nil, errInvalid("The execute command failed because execute command was not enabled when the task was run or the execute command agent isn’t running. " +
			"Wait and try again or run a new task with execute command enabled and try again.")
	}
	name := value(in.Container)
	if name == "" {
		if len(st.Containers) > 1 {
			return nil, errInvalid("Container name is required for tasks with more than one container.")
		}
		name = st.Containers[0].Name
	}
	found := false
	for _, c := range st.Containers {
		if c.Name == name {
			found = true
			if c.LastStatus != agent.Running {
				return nil, errInvalid("The container %s is not running.", name)
			}
		}
	}
	if !found {
		return nil, errInvalid("The container %s does not exist in the task.", name)
	}
	if s.sessions == nil {
		return nil, awsapi.Errorf("ServerException", 500, "This engine opens no sessions.")
	}
	id, url, token, err := s.sessions.Open(t.ARN, name, value(in.Command))
	if err != nil {
		return nil, err
	}
	return &ecsapi.ExecuteCommandOutput{
		ClusterArn: new(t.Scope.ARN("ecs", "cluster/"+t.Cluster)), TaskArn: &t.ARN, ContainerName: &name,
		ContainerArn: new(t.Scope.ARN("ecs", "container/"+t.Cluster+"/"+t.ID+"/"+name)), Interactive: in.Interactive,
		Session: &ecsapi.Session{SessionId: &id, StreamUrl: &url, TokenValue: &token},
	}, nil
}
