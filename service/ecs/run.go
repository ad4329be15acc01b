package ecs

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// RunTask starts up to ten tasks that no service looks after.
func (s *Service) RunTask(ctx context.Context, in *ecsapi.RunTaskInput) (*ecsapi.RunTaskOutput, error) {
	count := int(*orDefault(in.Count, 1))
	switch {
	case count < 1 || count > 10:
		return nil, errInvalid("Count must be between 1 and 10.")
	case len(in.PlacementConstraints) > 0 || len(in.PlacementStrategy) > 0:
		return nil, errPlacement()
	case in.PropagateTags == "SERVICE":
		return nil, errInvalid("Invalid propagateTags value: SERVICE is for services only.")
	case len(in.VolumeConfigurations) > 0:
		return nil, errUnsupported(notYet("volumeConfigurations"))
	}
	out := &ecsapi.RunTaskOutput{}
	var tasks []Task
	err := s.store.Update(func(tx *store.Tx) error {
		tasks, out.Failures = nil, []ecsapi.Failure{}
		l, err := runLaunch(ctx, tx, in)
		if err != nil {
			return err
		}
		l.capacity = s.capacity
		if tasks, err = l.repeated(tx); err != nil || len(tasks) > 0 {
			return err
		}
		for range count {
			l.peers = tasks
			t, err := l.start(tx)
			if e, ok := errors.AsType[*errNoPlace](err); ok {
				out.Failures = append(out.Failures, ecsapi.Failure{Reason: &e.reason, Detail: optional(e.detail)})
				continue
			}
			if err != nil {
				return err
			}
			tasks = append(tasks, t)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	snap := s.store.Snapshot()
	out.Tasks = []ecsapi.Task{}
	for _, t := range tasks {
		out.Tasks = append(out.Tasks, describeTask(snap, t, true))
	}
	return out, nil
}

// runLaunch is what every task of the request has in common.
func runLaunch(ctx context.Context, tx *store.Tx, in *ecsapi.RunTaskInput) (l launch, err error) {
	sc := awsapi.CallerOf(ctx).Scope
	if l.cluster, err = cluster(tx, sc, in.Cluster); err != nil {
		return l, err
	}
	if l.definition, err = activeDefinition(tx, sc, value(in.TaskDefinition)); err != nil {
		return l, err
	}
	if l.launchType, l.strategy, err = capacity(l.cluster, in.LaunchType, in.CapacityProviderStrategy); err != nil {
		return l, err
	}
	if err := checkNetwork(tx, sc, in.NetworkConfiguration); err != nil {
		return l, err
	}
	if err := checkOverrides(l.definition, in.Overrides); err != nil {
		return l, err
	}
	l.network, l.overrides, l.now = in.NetworkConfiguration, in.Overrides, time.Now().UTC()
	l.tags = tagset.Of(in.Tags)
	if in.PropagateTags == "TASK_DEFINITION" {
		own := l.tags
		l.tags = tagset.Own(l.definition.Tags)
		maps.Copy(l.tags, own)
	}
	if value(in.EnableECSManagedTags) {
		l.tags["aws:ecs:clusterName"] = l.cluster.Name
	}
	l.task = Task{
		Group: *orString(in.Group, "family:"+l.definition.Family), StartedBy: value(in.StartedBy),
		ExecEnabled: value(in.EnableExecuteCommand), ClientToken: value(in.ClientToken),
	}
	return l, nil
}

// repeated finds the tasks that an earlier request with the same client token
// started. The token of another request is a conflict.
func (l launch) repeated(r store.Reader) ([]Task, error) {
	if l.task.ClientToken == "" {
		return nil, nil
	}
	earlier := slices.Collect(Tasks.By(r, "token", l.cluster.Key(l.cluster.Name, l.task.ClientToken)))
	for _, t := range earlier {
		if t.Definition != l.definition.ARN() || t.Group != l.task.Group || !reflect.DeepEqual(t.Overrides, l.overrides) {
			e := awsapi.Errorf("ConflictException", http.StatusBadRequest, "The provided clientToken is already in use with a different RunTask request.")
			e.Fields = map[string]any{"resourceIds": []string{t.ARN}}
			return nil, e
		}
	}
	return earlier, nil
}

// checkOverrides refuses what would be passed over, names that are nobody's
// and sizes that Fargate does not have.
func checkOverrides(d TaskDefinition, o *ecsapi.TaskOverride) error {
	if o == nil {
		return nil
	}
	if len(o.InferenceAcceleratorOverrides) > 0 {
		return errInvalid("Fargate does not support inferenceAcceleratorOverrides.")
	}
	for _, c := range o.ContainerOverrides {
		name := value(c.Name)
		if !slices.ContainsFunc(d.Spec.ContainerDefinitions, func(def ecsapi.ContainerDefinition) bool { return *def.Name == name }) {
			return errInvalid("Override for container named %s is not a container in the TaskDefinition.", name)
		}
		why := firstOf([]refusal{
			{len(c.ResourceRequirements) > 0, "Fargate does not support overrides of resourceRequirements."},
			{len(c.EnvironmentFiles) > 0, notYet("An override of environmentFiles")},
		})
		if err := errUnsupported(why); err != nil {
			return err
		}
	}
	if o.Cpu == nil && o.Memory == nil {
		return nil
	}
	cpu, memory := *orString(cpuUnits(o.Cpu), value(d.Spec.Cpu)), *orString(memoryMiB(o.Memory), value(d.Spec.Memory))
	c, err1 := strconv.Atoi(cpu)
	m, err2 := strconv.Atoi(memory)
	if err1 != nil || err2 != nil || !validSize(c, m) {
		return errClient("No Fargate configuration exists for given values: %s CPU, %s memory. See the Amazon ECS documentation for the valid values.", cpu, memory)
	}
	return nil
}
