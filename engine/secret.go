package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/ec2"
)

// secretReader reads the secrets of tasks as Fargate's agent does: as a
// session of the execution role, from the task's subnet.
type secretReader struct{ e *Engine }

var _ agent.SecretReader = secretReader{}

// Secrets words errors as stopped tasks at AWS tell them (ECS developer guide,
// Stopped tasks error messages).
func (r secretReader) Secrets(ctx context.Context, task agent.Task, from []string) (map[string]string, error) {
	snap := r.e.store.Snapshot()
	eni, err := ec2.Interfaces.Get(snap, task.Scope.Key(task.Interface))
	if err != nil {
		return nil, fmt.Errorf("network interface %s of the task: %w", task.Interface, err)
	}
	if ok, why := eni.Reaches(snap, "ssm"); !ok {
		return nil, fmt.Errorf("unable to pull secrets or registry auth: The task cannot pull secrets from AWS Systems Manager Parameter Store: "+
			"There is a connection issue between the task and AWS Systems Manager Parameter Store. Check your task network configuration: %s", why)
	}
	values, err := r.e.ssm.Reveal(ctx, executor(task), from)
	if err == nil {
		return values, nil
	}
	why := err.Error()
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		why = e.Error() + " status code: 400"
		if e.Code == "ParameterNotFound" {
			why = "invalid ssm parameters: " + e.Message
		}
	}
	return nil, fmt.Errorf("unable to pull secrets or registry auth: execution resource retrieval failed: "+
		"unable to retrieve secrets from ssm: service call has been retried 1 time(s): %s", why)
}

// executor is a task's execution role as it calls AWS for the task.
func executor(task agent.Task) awsapi.Caller {
	c := awsapi.Caller{Scope: task.Scope}
	if role, err := arn.Parse(task.ExecutionRole); err == nil {
		c.Account = role.Account
		c.ARN = arn.Scope{Account: role.Account}.GlobalARN("sts", "assumed-role/"+role.Name()+"/"+task.ID)
	}
	return c
}
