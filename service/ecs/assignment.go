package ecs

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/ec2"
)

// assignment is the task as the agent gets it: the definition with the
// overrides applied.
func assignment(t Task, d TaskDefinition, subnet ec2.Subnet, c Cluster) agent.Task {
	a := agent.Task{
		ARN: t.ARN, Scope: t.Scope, ID: t.ID, ClusterARN: c.ARN(), ClusterName: c.Name,
		Family: d.Family, Revision: d.Revision, ServiceName: t.ServiceName,
		LaunchType: string(t.LaunchType), CapacityProvider: t.Provider, AvailabilityZone: t.Zone, Tags: t.Tags,
		VPC: subnet.VPC, Interface: t.Interface, SubnetID: t.SubnetID, SubnetCIDR: subnet.CIDR, IP: t.IP, MAC: t.MAC, PrivateDNS: t.PrivateDNS,
		TaskRoleARN: value(d.Spec.TaskRoleArn), ExecutionRole: value(d.Spec.ExecutionRoleArn),
		CPU: atoi(t.CPU), MemoryMiB: atoi(t.Memory), ExecEnabled: t.ExecEnabled,
	}
	if o := t.Overrides; o != nil {
		a.TaskRoleARN = *orString(o.TaskRoleArn, a.TaskRoleARN)
		a.ExecutionRole = *orString(o.ExecutionRoleArn, a.ExecutionRole)
	}
	a.Proxy, _ = proxyOf(&d.Spec) // checked when the definition was registered
	for _, v := range d.Spec.Volumes {
		a.Volumes = append(a.Volumes, agent.Volume{Name: value(v.Name)})
	}
	for _, def := range d.Spec.ContainerDefinitions {
		a.Containers = append(a.Containers, container(t, overridden(def, t.Overrides)))
	}
	return a
}

// overridden applies the overrides that name the container.
func overridden(def ecsapi.ContainerDefinition, o *ecsapi.TaskOverride) ecsapi.ContainerDefinition {
	if o == nil {
		return def
	}
	for _, c := range o.ContainerOverrides {
		if value(c.Name) != *def.Name {
			continue
		}
		if c.Command != nil {
			def.Command = c.Command
		}
		if c.Cpu != nil {
			def.Cpu = c.Cpu
		}
		if c.Memory != nil {
			def.Memory = c.Memory
		}
		if c.MemoryReservation != nil {
			def.MemoryReservation = c.MemoryReservation
		}
		def.Environment = slices.Concat(def.Environment, c.Environment) // later ones win
	}
	return def
}

// startTimeout is Fargate's when a container has none (ContainerDefinition in
// the ECS API reference): those that depend on it give up then.
const startTimeout = 3 * time.Minute

func container(t Task, d ecsapi.ContainerDefinition) agent.Container {
	c := agent.Container{
		Name: *d.Name, Image: *d.Image, Essential: value(d.Essential), EntryPoint: d.EntryPoint, Command: d.Command,
		Environment: map[string]string{}, Secrets: map[string]string{}, User: value(d.User), WorkingDirectory: value(d.WorkingDirectory), Hostname: value(d.Hostname),
		ReadOnlyRoot: value(d.ReadonlyRootFilesystem), Interactive: value(d.Interactive), PseudoTerminal: value(d.PseudoTerminal),
		CPU: int(value(d.Cpu)), MemoryMiB: int(value(d.Memory)), ReservationMiB: int(value(d.MemoryReservation)),
		DockerLabels: maps.Clone(d.DockerLabels), StartTimeout: cmp.Or(seconds(d.StartTimeout), startTimeout), StopTimeout: seconds(d.StopTimeout),
		SystemControls: map[string]string{}, ExtraHosts: map[string]string{}, Log: logTarget(t, d),
	}
	for _, kv := range d.Environment {
		c.Environment[value(kv.Name)] = value(kv.Value)
	}
	for _, secret := range d.Secrets {
		c.Secrets[value(secret.Name)] = value(secret.ValueFrom)
	}
	for _, p := range d.PortMappings {
		c.Ports = append(c.Ports, agent.Port{Container: int(value(p.ContainerPort)), Protocol: string(p.Protocol), Name: value(p.Name)})
	}
	for _, u := range d.Ulimits {
		c.Ulimits = append(c.Ulimits, agent.Ulimit{Name: string(u.Name), Soft: int64(value(u.SoftLimit)), Hard: int64(value(u.HardLimit))})
	}
	for _, m := range d.MountPoints {
		c.Mounts = append(c.Mounts, agent.Mount{Volume: value(m.SourceVolume), Path: value(m.ContainerPath), ReadOnly: value(m.ReadOnly)})
	}
	for _, dep := range d.DependsOn {
		c.DependsOn = append(c.DependsOn, agent.Dependency{Container: value(dep.ContainerName), Condition: string(dep.Condition)})
	}
	for _, sc := range d.SystemControls {
		c.SystemControls[value(sc.Namespace)] = value(sc.Value)
	}
	for _, h := range d.ExtraHosts {
		c.ExtraHosts[value(h.Hostname)] = value(h.IpAddress)
	}
	if l := d.LinuxParameters; l != nil {
		c.InitProcess = value(l.InitProcessEnabled)
		if l.Capabilities != nil {
			c.CapAdd, c.CapDrop = l.Capabilities.Add, l.Capabilities.Drop
		}
		for _, t := range l.Tmpfs {
			c.Tmpfs = append(c.Tmpfs, agent.Tmpfs{Path: value(t.ContainerPath), SizeMiB: int(value(t.Size)), Options: t.MountOptions})
		}
	}
	if h := d.HealthCheck; h != nil {
		c.Health = &agent.HealthCheck{
			Command: h.Command, Interval: seconds(h.Interval), Timeout: seconds(h.Timeout),
			Retries: int(value(h.Retries)), StartPeriod: seconds(h.StartPeriod),
		}
	}
	return c
}

// logTarget follows the options of awslogs, which is the only driver.
func logTarget(t Task, d ecsapi.ContainerDefinition) *agent.Log {
	lc := d.LogConfiguration
	if lc == nil {
		return nil
	}
	o := lc.Options
	region := o["awslogs-region"]
	if region == "" {
		region = t.Region
	}
	stream := t.ID
	if p := o["awslogs-stream-prefix"]; p != "" {
		stream = p + "/" + *d.Name + "/" + t.ID
	}
	return &agent.Log{
		Group: o["awslogs-group"], Stream: stream, Region: region, CreateGroup: o["awslogs-create-group"] == "true",
		DatetimeFormat: o["awslogs-datetime-format"], MultilineStart: o["awslogs-multiline-pattern"],
	}
}

func seconds(n *int32) time.Duration { return time.Duration(value(n)) * time.Second }
