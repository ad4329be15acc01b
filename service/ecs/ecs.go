// Package ecs is Amazon ECS on Fargate: clusters, task definitions, services
// and tasks.
//
// Operations write rows. The service loop (loop_service.go) keeps the desired
// count of every service true by the plans of control/rollout; the task loop
// (loop_task.go) takes each task through registration, draining and removal;
// the definition loop removes deleted revisions.
// What runs a task is node/agent: this package writes agent.Tasks and reads
// agent.Statuses.
package ecs

import (
	"log/slog"
	"time"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Config of the service.
type Config struct {
	Store *store.Store
	Log   *slog.Logger
	// Speed divides the waiting times that ECS prescribes; 0 means 1.
	Speed float64
	// Capacity limits what tasks may reserve together; the zero value does not.
	Capacity Capacity
	// Sessions opens sessions of ECS Exec; nil refuses ExecuteCommand.
	Sessions Sessions
}

// Sessions opens an interactive session in a container and returns where the
// client finds it.
type Sessions interface {
	Open(task, container, command string) (id, url, token string, err error)
}

// Service is Amazon ECS.
type Service struct {
	store    *store.Store
	log      *slog.Logger
	speed    float64
	capacity Capacity
	sessions Sessions
	api      *awsapi.Service
}

// New makes the service; nothing runs until its loops do.
func New(cfg Config) *Service {
	s := &Service{store: cfg.Store, log: cfg.Log, speed: cfg.Speed, capacity: cfg.Capacity, sessions: cfg.Sessions}
	if s.speed == 0 {
		s.speed = 1
	}
	s.api = s.operations()
	return s
}

// API is the service's operations.
func (s *Service) API() *awsapi.Service { return s.api }

// Loops keep services, tasks and deleted definitions true.
func (s *Service) Loops() []loop.Loop {
	return []loop.Loop{s.serviceLoop(), s.taskLoop(), s.definitionLoop()}
}

// Resources are the CloudFormation types.
func (s *Service) Resources() []cfn.Type {
	return []cfn.Type{
		cfn.Of("AWS::ECS::Cluster", clusterResource{s}),
		cfn.Of("AWS::ECS::ClusterCapacityProviderAssociations", associationsResource{s}),
		cfn.Of("AWS::ECS::TaskDefinition", taskDefinitionResource{s}),
		cfn.Of("AWS::ECS::Service", serviceResource{s}),
	}
}

// scaled is a prescribed waiting time at the clock speed of the engine.
func (s *Service) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.speed)
}

func (s *Service) operations() *awsapi.Service {
	a := awsapi.NewService("ecs")
	awsapi.Handle(a, "CreateCluster", s.CreateCluster)
	awsapi.Handle(a, "DeleteCluster", s.DeleteCluster)
	awsapi.Handle(a, "DescribeClusters", s.DescribeClusters)
	awsapi.Handle(a, "ListClusters", s.ListClusters)
	awsapi.Handle(a, "UpdateCluster", s.UpdateCluster)
	awsapi.Handle(a, "UpdateClusterSettings", s.UpdateClusterSettings)
	awsapi.Handle(a, "PutClusterCapacityProviders", s.PutClusterCapacityProviders)
	awsapi.Handle(a, "DescribeCapacityProviders", s.DescribeCapacityProviders)

	awsapi.Handle(a, "RegisterTaskDefinition", s.RegisterTaskDefinition)
	awsapi.Handle(a, "DeregisterTaskDefinition", s.DeregisterTaskDefinition)
	awsapi.Handle(a, "DeleteTaskDefinitions", s.DeleteTaskDefinitions)
	awsapi.Handle(a, "DescribeTaskDefinition", s.DescribeTaskDefinition)
	awsapi.Handle(a, "ListTaskDefinitions", s.ListTaskDefinitions)
	awsapi.Handle(a, "ListTaskDefinitionFamilies", s.ListTaskDefinitionFamilies)

	awsapi.Handle(a, "CreateService", s.CreateService)
	awsapi.Handle(a, "UpdateService", s.UpdateService)
	awsapi.Handle(a, "DeleteService", s.DeleteService)
	awsapi.Handle(a, "DescribeServices", s.DescribeServices)
	awsapi.Handle(a, "ListServices", s.ListServices)

	awsapi.Handle(a, "ListServiceDeployments", s.ListServiceDeployments)
	awsapi.Handle(a, "DescribeServiceDeployments", s.DescribeServiceDeployments)
	awsapi.Handle(a, "DescribeServiceRevisions", s.DescribeServiceRevisions)
	awsapi.Handle(a, "StopServiceDeployment", s.StopServiceDeployment)
	awsapi.Handle(a, "ContinueServiceDeployment", s.ContinueServiceDeployment)

	awsapi.Handle(a, "RunTask", s.RunTask)
	awsapi.Handle(a, "StopTask", s.StopTask)
	awsapi.Handle(a, "DescribeTasks", s.DescribeTasks)
	awsapi.Handle(a, "ListTasks", s.ListTasks)
	awsapi.Handle(a, "ExecuteCommand", s.ExecuteCommand)

	awsapi.Handle(a, "TagResource", s.TagResource)
	awsapi.Handle(a, "UntagResource", s.UntagResource)
	awsapi.Handle(a, "ListTagsForResource", s.ListTagsForResource)
	awsapi.Handle(a, "ListAccountSettings", s.ListAccountSettings)
	awsapi.Handle(a, "ListContainerInstances", s.ListContainerInstances)
	return a
}
