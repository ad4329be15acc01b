package ecs

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// RegisterTaskDefinition adds a revision to a family.
func (s *Service) RegisterTaskDefinition(ctx context.Context, in *ecsapi.RegisterTaskDefinitionInput) (*ecsapi.RegisterTaskDefinitionOutput, error) {
	caller := awsapi.CallerOf(ctx)
	spec := definitionOf(in)
	spec.RegisteredBy, spec.RegisteredAt = new(caller.ARN), new(time.Now().UTC())
	if err := checkDefinition(&spec); err != nil {
		return nil, err
	}
	tags := tagset.Of(in.Tags)
	request, _ := cfn.From(ctx)
	var out TaskDefinition
	err := s.store.Update(func(tx *store.Tx) error {
		name := value(in.Family)
		if request.Token != "" {
			// A repeated creation after a crash finds the revision it made.
			for d := range TaskDefinitions.List(tx, caller.Key(name, "")) {
				if d.Token == request.Token {
					out = d
					return nil
				}
			}
		}
		f, err := families.Get(tx, caller.Key(name))
		if err != nil {
			f = family{Scope: caller.Scope, Name: name}
		}
		f.Last++
		families.Put(tx, f)
		out = TaskDefinition{Scope: caller.Scope, Family: name, Revision: f.Last, Spec: spec, Tags: tags, Token: request.Token}
		out.Spec.Revision = new(int32(f.Last))
		out.Spec.TaskDefinitionArn = new(out.ARN())
		TaskDefinitions.Put(tx, out)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecsapi.RegisterTaskDefinitionOutput{TaskDefinition: &out.Spec, Tags: tagset.List[ecsapi.Tag](out.Tags)}, nil
}

// definitionOf fills in the defaults that ECS shows.
func definitionOf(in *ecsapi.RegisterTaskDefinitionInput) ecsapi.TaskDefinition {
	d := ecsapi.TaskDefinition{
		Family: in.Family, TaskRoleArn: in.TaskRoleArn, ExecutionRoleArn: in.ExecutionRoleArn, NetworkMode: in.NetworkMode,
		ContainerDefinitions: slices.Clone(in.ContainerDefinitions), Volumes: orEmpty(in.Volumes),
		PlacementConstraints: orEmpty(in.PlacementConstraints), RequiresCompatibilities: in.RequiresCompatibilities,
		Cpu: cpuUnits(in.Cpu), Memory: memoryMiB(in.Memory), PidMode: in.PidMode, IpcMode: in.IpcMode, ProxyConfiguration: in.ProxyConfiguration,
		EphemeralStorage: in.EphemeralStorage, RuntimePlatform: in.RuntimePlatform, InferenceAccelerators: in.InferenceAccelerators, EnableFaultInjection: in.EnableFaultInjection,
		Status: active, Compatibilities: []ecsapi.Compatibility{"EC2", "FARGATE"}, RequiresAttributes: []ecsapi.Attribute{},
	}
	if d.NetworkMode == "" {
		d.NetworkMode = "awsvpc" // all that Fargate knows
	}
	if p := d.ProxyConfiguration; p != nil && p.Type == "" {
		d.ProxyConfiguration = &ecsapi.ProxyConfiguration{Type: "APPMESH", ContainerName: p.ContainerName, Properties: p.Properties}
	}
	for i := range d.ContainerDefinitions {
		c := &d.ContainerDefinitions[i]
		if c.Cpu == nil {
			c.Cpu = new(int32(0))
		}
		if c.Essential == nil {
			c.Essential = new(true)
		}
		c.PortMappings = slices.Clone(orEmpty(c.PortMappings))
		for j := range c.PortMappings {
			p := &c.PortMappings[j]
			if p.Protocol == "" {
				p.Protocol = "tcp"
			}
			if p.HostPort == nil || *p.HostPort == 0 {
				p.HostPort = p.ContainerPort
			}
		}
		c.Environment, c.MountPoints = orEmpty(c.Environment), orEmpty(c.MountPoints)
		c.VolumesFrom, c.SystemControls = orEmpty(c.VolumesFrom), orEmpty(c.SystemControls)
		if h := c.HealthCheck; h != nil {
			c.HealthCheck = &ecsapi.HealthCheck{
				Command: h.Command, StartPeriod: h.StartPeriod,
				Interval: orDefault(h.Interval, 30), Timeout: orDefault(h.Timeout, 5), Retries: orDefault(h.Retries, 3),
			}
		}
	}
	return d
}

func orDefault(p *int32, def int32) *int32 {
	if p == nil {
		return &def
	}
	return p
}

// findDefinition takes "family", "family:revision" or an ARN. Without a
// revision it is the newest active one.
func findDefinition(r store.Reader, sc arn.Scope, ref string) (TaskDefinition, error) {
	name := ref
	if a, err := arn.Parse(ref); err == nil {
		sc, name = a.Scope(), strings.TrimPrefix(a.Resource, "task-definition/")
	}
	family, revision, pinned := strings.Cut(name, ":")
	if pinned {
		n, err := strconv.Atoi(revision)
		if err != nil || n < 1 {
			return TaskDefinition{}, errClient("Invalid revision number. Number: %s", revision)
		}
		d, err := TaskDefinitions.Get(r, definitionKey(sc, family, n))
		if err != nil {
			return TaskDefinition{}, errClient("Unable to describe task definition.")
		}
		return d, nil
	}
	var newest TaskDefinition
	for d := range TaskDefinitions.List(r, sc.Key(family, "")) {
		if d.Spec.Status == active {
			newest = d
		}
	}
	if newest.Revision == 0 {
		return newest, errClient("Unable to describe task definition.")
	}
	return newest, nil
}

// activeDefinition finds a revision that tasks may be started from.
func activeDefinition(r store.Reader, sc arn.Scope, ref string) (TaskDefinition, error) {
	d, err := findDefinition(r, sc, ref)
	if err != nil {
		return d, errClient("TaskDefinition not found.")
	}
	if d.Spec.Status != active {
		return d, errClient("TaskDefinition is inactive")
	}
	return d, nil
}

// DescribeTaskDefinition answers one revision.
func (s *Service) DescribeTaskDefinition(ctx context.Context, in *ecsapi.DescribeTaskDefinitionInput) (*ecsapi.DescribeTaskDefinitionOutput, error) {
	d, err := findDefinition(s.store.Snapshot(), awsapi.CallerOf(ctx).Scope, value(in.TaskDefinition))
	if err != nil {
		return nil, err
	}
	out := &ecsapi.DescribeTaskDefinitionOutput{TaskDefinition: &d.Spec}
	if slices.Contains(in.Include, "TAGS") {
		out.Tags = tagset.List[ecsapi.Tag](d.Tags)
	}
	return out, nil
}

// DeregisterTaskDefinition makes a revision inactive: services that use it
// keep it, new ones cannot name it.
func (s *Service) DeregisterTaskDefinition(ctx context.Context, in *ecsapi.DeregisterTaskDefinitionInput) (*ecsapi.DeregisterTaskDefinitionOutput, error) {
	if !strings.Contains(value(in.TaskDefinition), ":") {
		return nil, errClient("Task definition revision is required.")
	}
	d, err := s.changeDefinition(ctx, value(in.TaskDefinition), func(d *TaskDefinition) error {
		d.Spec.Status, d.Spec.DeregisteredAt = inactive, new(time.Now().UTC())
		return nil
	})
	return &ecsapi.DeregisterTaskDefinitionOutput{TaskDefinition: &d.Spec}, err
}

// DeleteTaskDefinitions removes inactive revisions.
func (s *Service) DeleteTaskDefinitions(ctx context.Context, in *ecsapi.DeleteTaskDefinitionsInput) (*ecsapi.DeleteTaskDefinitionsOutput, error) {
	out := &ecsapi.DeleteTaskDefinitionsOutput{TaskDefinitions: []ecsapi.TaskDefinition{}, Failures: []ecsapi.Failure{}}
	for _, ref := range in.TaskDefinitions {
		d, err := s.changeDefinition(ctx, ref, func(d *TaskDefinition) error {
			if d.Spec.Status == active {
				return errClient("The specified task definition is still in ACTIVE status. Please deregister the target and try again.")
			}
			d.Spec.Status, d.Spec.DeleteRequestedAt = deleting, new(time.Now().UTC())
			return nil
		})
		if err != nil {
			out.Failures = append(out.Failures, ecsapi.Failure{Arn: &ref, Reason: new("TASK_DEFINITION_NOT_INACTIVE"), Detail: new(messageOf(err))})
			continue
		}
		out.TaskDefinitions = append(out.TaskDefinitions, d.Spec)
	}
	return out, nil
}

func (s *Service) changeDefinition(ctx context.Context, ref string, change func(*TaskDefinition) error) (out TaskDefinition, err error) {
	err = s.store.Update(func(tx *store.Tx) error {
		d, err := findDefinition(tx, awsapi.CallerOf(ctx).Scope, ref)
		if err != nil {
			return err
		}
		if err := change(&d); err != nil {
			return err
		}
		out = d
		TaskDefinitions.Put(tx, d)
		return nil
	})
	return out, err
}

// ListTaskDefinitions lists revisions by family and status, oldest first.
func (s *Service) ListTaskDefinitions(ctx context.Context, in *ecsapi.ListTaskDefinitionsInput) (*ecsapi.ListTaskDefinitionsOutput, error) {
	status := in.Status
	if status == "" {
		status = active
	}
	prefix := ""
	if in.FamilyPrefix != nil {
		prefix = *in.FamilyPrefix + "/" // ECS takes whole family names here
	}
	arns := []string{}
	for d := range TaskDefinitions.List(s.store.Snapshot(), awsapi.CallerOf(ctx).Key(prefix)) {
		if d.Spec.Status == status {
			arns = append(arns, d.ARN())
		}
	}
	if in.Sort == "DESC" {
		slices.Reverse(arns)
	}
	page, next, err := pageOf(arns, in.NextToken, in.MaxResults)
	return &ecsapi.ListTaskDefinitionsOutput{TaskDefinitionArns: page, NextToken: next}, err
}

// ListTaskDefinitionFamilies lists family names by prefix.
func (s *Service) ListTaskDefinitionFamilies(ctx context.Context, in *ecsapi.ListTaskDefinitionFamiliesInput) (*ecsapi.ListTaskDefinitionFamiliesOutput, error) {
	names := []string{}
	isActive := map[string]bool{}
	for d := range TaskDefinitions.List(s.store.Snapshot(), awsapi.CallerOf(ctx).Key(value(in.FamilyPrefix))) {
		if d.Spec.Status == deleting {
			continue
		}
		if !slices.Contains(names, d.Family) {
			names = append(names, d.Family)
		}
		isActive[d.Family] = isActive[d.Family] || d.Spec.Status == active
	}
	if in.Status == "ACTIVE" || in.Status == "INACTIVE" {
		names = slices.DeleteFunc(names, func(n string) bool { return isActive[n] != (in.Status == "ACTIVE") })
	}
	page, next, err := pageOf(names, in.NextToken, in.MaxResults)
	return &ecsapi.ListTaskDefinitionFamiliesOutput{Families: page, NextToken: next}, err
}
