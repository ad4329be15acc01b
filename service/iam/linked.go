package iam

import (
	"context"
	"strings"

	api "github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// linkedRoles are the service-linked roles of the services here, by service
// name. Source: "AWS services that work with IAM".
var linkedRoles = map[string]string{
	"ecs.amazonaws.com":                              "AWSServiceRoleForECS",
	"ecs.application-autoscaling.amazonaws.com":      "AWSServiceRoleForApplicationAutoScaling_ECSService",
	"elasticloadbalancing.amazonaws.com":             "AWSServiceRoleForElasticLoadBalancing",
	"replication.ecr.amazonaws.com":                  "AWSServiceRoleForECRReplication",
	"appmesh.amazonaws.com":                          "AWSServiceRoleForAppMesh",
	"dynamodb.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable",
}

// CreateServiceLinkedRole makes the role that a service acts under.
func (s *Service) CreateServiceLinkedRole(ctx context.Context, in *api.CreateServiceLinkedRoleInput) (*api.CreateServiceLinkedRoleOutput, error) {
	service := *in.AWSServiceName
	name, ok := linkedRoles[service]
	if !ok {
		return nil, invalid("Service %s is not known to have a service-linked role", service)
	}
	if in.CustomSuffix != nil {
		return nil, invalid("Custom suffix is not allowed for %s", service)
	}
	p := Principal{
		Account: account(ctx), Kind: Role, Name: name, Path: "/aws-service-role/" + service + "/", ID: id(ctx, "AROA"),
		Created: now(), Description: text(in.Description), MaxSession: 3600,
		Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`,
	}
	err := s.store.Update(func(tx *store.Tx) error {
		if Principals.Create(tx, p) != nil {
			return invalid("Service role name %s has been taken in this account, please try a different suffix.", name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateServiceLinkedRoleOutput{Role: new(roleAnswer(p))}, nil
}

// DeleteServiceLinkedRole deletes the role at once; the task it answers with is
// done already.
func (s *Service) DeleteServiceLinkedRole(ctx context.Context, in *api.DeleteServiceLinkedRoleInput) (*api.DeleteServiceLinkedRoleOutput, error) {
	var path string
	err := s.remove(ctx, Role, *in.RoleName, func(_ *store.Tx, p Principal) error {
		if !strings.HasPrefix(p.Path, "/aws-service-role/") {
			return noSuch(Role, *in.RoleName)
		}
		path = p.Path
		return nil
	})
	task := "task" + path + *in.RoleName + "/" + awsapi.NewID(ctx, "", 32)
	return &api.DeleteServiceLinkedRoleOutput{DeletionTaskId: &task}, err
}

// GetServiceLinkedRoleDeletionStatus says that a deletion is done.
func (s *Service) GetServiceLinkedRoleDeletionStatus(_ context.Context, in *api.GetServiceLinkedRoleDeletionStatusInput) (*api.GetServiceLinkedRoleDeletionStatusOutput, error) {
	if !strings.HasPrefix(*in.DeletionTaskId, "task/aws-service-role/") {
		return nil, awsapi.Errorf("NoSuchEntity", 0, "The deletion task %s cannot be found.", *in.DeletionTaskId)
	}
	return &api.GetServiceLinkedRoleDeletionStatusOutput{Status: api.DeletionTaskStatusTypeSucceeded}, nil
}
