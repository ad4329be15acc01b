package ecs

import (
	"runtime"
	"strconv"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
	"github.com/slipway-dev/slipway/node/agent"
)

// architecture is the machine's, in ECS's words.
func architecture() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH
}

// lastStatus is where a task is in its life cycle.
func lastStatus(r store.Reader, t Task) string {
	st, err := agent.Statuses.Get(r, t.ARN)
	if err != nil {
		return agent.Provisioning
	}
	if t.DesiredStatus == "STOPPED" && st.LastStatus == agent.Running {
		return agent.Deactivating // it is being deregistered
	}
	return st.LastStatus
}

// describeTask is the API's view of a task.
func describeTask(r store.Reader, t Task, tags bool) ecsapi.Task {
	st, err := agent.Statuses.Get(r, t.ARN)
	if err != nil {
		st = agent.Status{LastStatus: agent.Provisioning, Health: agent.HealthUnknown}
	}
	a, _ := agent.Tasks.Get(r, t.ARN)
	out := ecsapi.Task{
		TaskArn: &t.ARN, ClusterArn: new(t.Scope.ARN("ecs", "cluster/"+t.Cluster)), TaskDefinitionArn: &t.Definition,
		AvailabilityZone: &t.Zone, CreatedAt: &t.CreatedAt, DesiredStatus: new(t.desired()), LastStatus: new(lastStatus(r, t)),
		HealthStatus: ecsapi.HealthStatus(st.Health), LaunchType: t.LaunchType, Group: &t.Group,
		Cpu: &t.CPU, Memory: &t.Memory, EnableExecuteCommand: &t.ExecEnabled, PlatformVersion: &t.Platform, PlatformFamily: new("Linux"),
		Connectivity: "CONNECTED", ConnectivityAt: &t.CreatedAt, Version: new(int64(version(st))),
		PullStartedAt: stamp(st.PullStartedAt), PullStoppedAt: stamp(st.PullStoppedAt), StartedAt: stamp(st.StartedAt),
		StoppingAt: stamp(st.StoppingAt), StoppedAt: stamp(st.StoppedAt), ExecutionStoppedAt: stamp(st.ExecutionStoppedAt),
		Overrides: t.Overrides, Attributes: []ecsapi.Attribute{{Name: new("ecs.cpu-architecture"), Value: new(architecture())}},
		EphemeralStorage: &ecsapi.EphemeralStorage{SizeInGiB: &t.EphemeralGiB}, Tags: []ecsapi.Tag{},
		Attachments: []ecsapi.Attachment{attachment(t, st)}, Containers: []ecsapi.Container{}, InferenceAccelerators: []ecsapi.InferenceAccelerator{},
	}
	if t.StartedBy != "" {
		out.StartedBy = &t.StartedBy
	}
	if t.Provider != "" {
		out.CapacityProviderName = &t.Provider
	}
	if out.Overrides == nil {
		out.Overrides = &ecsapi.TaskOverride{ContainerOverrides: []ecsapi.ContainerOverride{}, InferenceAcceleratorOverrides: []ecsapi.InferenceAcceleratorOverride{}}
	}
	if st.StopCode != "" || t.StopCode != "" {
		out.StopCode, out.StoppedReason = ecsapi.TaskStopCode(st.StopCode), &st.StoppedReason
		if st.StopCode == "" {
			out.StopCode, out.StoppedReason = t.StopCode, &t.StopReason
		}
	}
	if tags {
		out.Tags = tagset.List[ecsapi.Tag](t.Tags)
	}
	for _, c := range a.Containers {
		out.Containers = append(out.Containers, describeContainer(t, c, st))
	}
	return out
}

// version grows with the number of steps that the task has taken.
func version(st agent.Status) int {
	n := 1
	for _, at := range []time.Time{st.PullStartedAt, st.PullStoppedAt, st.StartedAt, st.StoppingAt, st.ExecutionStoppedAt, st.StoppedAt} {
		if !at.IsZero() {
			n++
		}
	}
	return n
}

func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func describeContainer(t Task, c agent.Container, st agent.Status) ecsapi.Container {
	out := ecsapi.Container{
		ContainerArn: new(t.Scope.ARN("ecs", "container/"+t.Cluster+"/"+t.ID+"/"+c.Name)), TaskArn: &t.ARN, Name: &c.Name, Image: &c.Image,
		LastStatus: new("PENDING"), HealthStatus: "UNKNOWN", NetworkBindings: []ecsapi.NetworkBinding{},
		NetworkInterfaces: []ecsapi.NetworkInterface{{AttachmentId: new(attachmentID(t.ID)), PrivateIpv4Address: &t.IP}},
		Cpu:               new(strconv.Itoa(c.CPU)),
	}
	if c.MemoryMiB > 0 {
		out.Memory = new(strconv.Itoa(c.MemoryMiB))
	}
	if c.ReservationMiB > 0 {
		out.MemoryReservation = new(strconv.Itoa(c.ReservationMiB))
	}
	for _, cs := range st.Containers {
		if cs.Name != c.Name {
			continue
		}
		out.LastStatus, out.HealthStatus = new(cs.LastStatus), ecsapi.HealthStatus(cs.Health)
		out.RuntimeId = &cs.RuntimeID
		if cs.ImageDigest != "" {
			out.ImageDigest = &cs.ImageDigest
		}
		if cs.ExitCode != nil {
			out.ExitCode = new(int32(*cs.ExitCode))
		}
		if cs.Reason != "" {
			out.Reason = &cs.Reason
		}
	}
	if t.ExecEnabled {
		status := "PENDING"
		if *out.LastStatus == "RUNNING" || *out.LastStatus == "STOPPED" {
			status = *out.LastStatus
		}
		out.ManagedAgents = []ecsapi.ManagedAgent{{Name: "ExecuteCommandAgent", LastStatus: &status}}
	}
	return out
}

func attachment(t Task, st agent.Status) ecsapi.Attachment {
	status := "ATTACHED"
	switch st.LastStatus {
	case agent.Provisioning:
		status = "PRECREATED"
	case agent.Stopped:
		status = "DELETED"
	}
	detail := func(name, v string) ecsapi.KeyValuePair { return ecsapi.KeyValuePair{Name: &name, Value: &v} }
	return ecsapi.Attachment{
		Id: new(attachmentID(t.ID)), Type: new("ElasticNetworkInterface"), Status: &status,
		Details: []ecsapi.KeyValuePair{
			detail("subnetId", t.SubnetID), detail("networkInterfaceId", t.Interface), detail("macAddress", t.MAC),
			detail("privateDnsName", t.PrivateDNS), detail("privateIPv4Address", t.IP),
		},
	}
}
