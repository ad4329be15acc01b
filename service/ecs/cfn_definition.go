package ecs

import (
	"context"
	"maps"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// definitionProperties are those of AWS::ECS::TaskDefinition. Every change
// but one of the tags registers a new revision, which replaces the resource.
type definitionProperties struct {
	Family                  string                                     `cfn:"createOnly"`
	ContainerDefinitions    []ecsapi.ContainerDefinition               `cfn:"createOnly"`
	Cpu                     *string                                    `cfn:"createOnly"`
	Memory                  *string                                    `cfn:"createOnly"`
	NetworkMode             ecsapi.NetworkMode                         `cfn:"createOnly"`
	ExecutionRoleArn        *string                                    `cfn:"createOnly"`
	TaskRoleArn             *string                                    `cfn:"createOnly"`
	RequiresCompatibilities []ecsapi.Compatibility                     `cfn:"createOnly"`
	Volumes                 []ecsapi.Volume                            `cfn:"createOnly"`
	PidMode                 ecsapi.PidMode                             `cfn:"createOnly"`
	IpcMode                 ecsapi.IpcMode                             `cfn:"createOnly"`
	PlacementConstraints    []ecsapi.TaskDefinitionPlacementConstraint `cfn:"createOnly"`
	ProxyConfiguration      *proxyProperties                           `cfn:"createOnly"`
	EphemeralStorage        *ecsapi.EphemeralStorage                   `cfn:"createOnly"`
	RuntimePlatform         *ecsapi.RuntimePlatform                    `cfn:"createOnly"`
	EnableFaultInjection    *bool                                      `cfn:"createOnly"`
	InferenceAccelerators   []ecsapi.InferenceAccelerator              `cfn:"createOnly"`
	Tags                    []cfn.Tag
	TaskDefinitionArn       string `cfn:"id,readOnly"`
}

// proxyProperties differ from the API's in one name.
type proxyProperties struct {
	Type                         ecsapi.ProxyConfigurationType
	ContainerName                string `cfn:"required"`
	ProxyConfigurationProperties []ecsapi.KeyValuePair
}

type taskDefinitionResource struct{ *Service }

func (r taskDefinitionResource) Create(ctx context.Context, p *definitionProperties) error {
	req, _ := cfn.From(ctx)
	if p.Family == "" {
		p.Family = req.Name(255)
	}
	in := &ecsapi.RegisterTaskDefinitionInput{
		Family: &p.Family, ContainerDefinitions: p.ContainerDefinitions, Cpu: p.Cpu, Memory: p.Memory, NetworkMode: p.NetworkMode,
		ExecutionRoleArn: p.ExecutionRoleArn, TaskRoleArn: p.TaskRoleArn, RequiresCompatibilities: p.RequiresCompatibilities,
		Volumes: p.Volumes, PidMode: p.PidMode, IpcMode: p.IpcMode, PlacementConstraints: p.PlacementConstraints,
		EphemeralStorage: p.EphemeralStorage, RuntimePlatform: p.RuntimePlatform, EnableFaultInjection: p.EnableFaultInjection,
		InferenceAccelerators: p.InferenceAccelerators, Tags: tagset.List[ecsapi.Tag](req.AllTags(p.Tags)),
	}
	if c := p.ProxyConfiguration; c != nil {
		in.ProxyConfiguration = &ecsapi.ProxyConfiguration{Type: c.Type, ContainerName: &c.ContainerName, Properties: c.ProxyConfigurationProperties}
	}
	out, err := r.RegisterTaskDefinition(ctx, in)
	if err != nil {
		return err
	}
	p.TaskDefinitionArn = *out.TaskDefinition.TaskDefinitionArn
	return nil
}

func (r taskDefinitionResource) Read(ctx context.Context, p *definitionProperties) error {
	d, err := findDefinition(r.store.Snapshot(), awsapi.CallerOf(ctx).Scope, p.TaskDefinitionArn)
	if err != nil || d.Spec.Status != active {
		return store.ErrNotFound
	}
	p.Family, p.ContainerDefinitions, p.Cpu, p.Memory = d.Family, d.Spec.ContainerDefinitions, d.Spec.Cpu, d.Spec.Memory
	p.NetworkMode, p.ExecutionRoleArn, p.TaskRoleArn = d.Spec.NetworkMode, d.Spec.ExecutionRoleArn, d.Spec.TaskRoleArn
	p.RequiresCompatibilities = d.Spec.RequiresCompatibilities
	return nil
}

// Update sets the tags.
func (r taskDefinitionResource) Update(ctx context.Context, _, after *definitionProperties) error {
	req, _ := cfn.From(ctx)
	return r.retag(after.TaskDefinitionArn, func(tags map[string]string) {
		clear(tags)
		maps.Copy(tags, req.AllTags(after.Tags))
	})
}

func (r taskDefinitionResource) Delete(ctx context.Context, p *definitionProperties) error {
	_, err := r.DeregisterTaskDefinition(ctx, &ecsapi.DeregisterTaskDefinitionInput{TaskDefinition: &p.TaskDefinitionArn})
	if code(err) == "ClientException" {
		return nil // there is none
	}
	return err
}
