package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/service/iam"
	"github.com/slipway-dev/slipway/service/ssm"
)

// automations are the operations that documents of Systems Manager may call,
// with the permissions of their role.
func (e *Engine) automations() map[string]ssm.Action {
	return map[string]ssm.Action{
		"ecs:UpdateService": func(ctx context.Context, inputs map[string]any) error {
			text, err := json.Marshal(inputs)
			if err != nil {
				return err
			}
			in := &ecsapi.UpdateServiceInput{}
			dec := json.NewDecoder(bytes.NewReader(text))
			dec.DisallowUnknownFields()
			if err := dec.Decode(in); err != nil {
				return fmt.Errorf("inputs of UpdateService: %w", err)
			}
			if in.Service == nil {
				return fmt.Errorf("inputs of UpdateService: there is no service")
			}
			if !e.set.AnyAuth {
				if err := iam.Admit(ctx, e.store.Snapshot(), "ecs:UpdateService", serviceARN(awsapi.CallerOf(ctx).Scope, in)); err != nil {
					return err
				}
			}
			_, err = e.ecs.UpdateService(ctx, in)
			return err
		},
	}
}

// serviceARN is the ARN of the service that a request names by its name or ARN.
func serviceARN(sc arn.Scope, in *ecsapi.UpdateServiceInput) string {
	last := func(name *string, otherwise string) string {
		if name == nil {
			return otherwise
		}
		return arn.ARN{Resource: *name}.Name()
	}
	return sc.ARN("ecs", "service/"+last(in.Cluster, "default")+"/"+last(in.Service, ""))
}
