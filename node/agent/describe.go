package agent

import (
	"maps"
	"net/netip"
	"strconv"
	"time"
)

// The answers of the task metadata endpoint on Fargate; names and units are
// those of "Task metadata v4 JSON response for tasks on Fargate" in the ECS
// developer guide.

type taskReply struct {
	Cluster          string
	TaskARN          string
	Family           string
	Revision         string
	DesiredStatus    string
	KnownStatus      string
	Limits           *taskLimits       `json:",omitempty"`
	PullStartedAt    *time.Time        `json:",omitempty"`
	PullStoppedAt    *time.Time        `json:",omitempty"`
	ExecutionStopped *time.Time        `json:"ExecutionStoppedAt,omitempty"`
	AvailabilityZone string            `json:",omitempty"`
	LaunchType       string            `json:",omitempty"`
	TaskTags         map[string]string `json:",omitempty"`
	Containers       []containerReply
	VPCID            string `json:",omitempty"`
	ServiceName      string `json:",omitempty"`
	FaultInjection   bool   `json:"FaultInjectionEnabled"`
}

type taskLimits struct {
	CPU    float64 `json:",omitempty"` // virtual processors
	Memory int     `json:",omitempty"` // MiB
}

type containerReply struct {
	DockerID      string `json:"DockerId"`
	Name          string
	DockerName    string
	Image         string
	ImageID       string
	Ports         []portReply `json:",omitempty"`
	Labels        map[string]string
	DesiredStatus string
	KnownStatus   string
	ExitCode      *int `json:",omitempty"`
	Limits        containerLimits
	CreatedAt     *time.Time `json:",omitempty"`
	StartedAt     *time.Time `json:",omitempty"`
	FinishedAt    *time.Time `json:",omitempty"`
	Type          string
	Health        *healthReply      `json:",omitempty"`
	Volumes       []volumeReply     `json:",omitempty"`
	LogDriver     string            `json:",omitempty"`
	LogOptions    map[string]string `json:",omitempty"`
	ContainerARN  string
	Networks      []networkReply
	Snapshotter   string `json:",omitempty"`
}

type portReply struct {
	ContainerPort int
	Protocol      string
	HostPort      int
}

type containerLimits struct {
	CPU    int // CPU units
	Memory int `json:",omitempty"` // MiB
}

type healthReply struct {
	Status string `json:"status"`
	Output string `json:"output,omitempty"`
}

type volumeReply struct {
	Source      string `json:",omitempty"`
	Destination string
}

type networkReply struct {
	NetworkMode              string
	IPv4Addresses            []string
	AttachmentIndex          int
	MACAddress               string
	IPv4SubnetCIDRBlock      string
	DomainNameServers        []string
	DomainNameSearchList     []string
	PrivateDNSName           string
	SubnetGatewayIpv4Address string
}

func describeTask(w asker, tags bool) taskReply {
	t, st := w.task, w.status
	r := taskReply{
		Cluster: t.ClusterARN, TaskARN: t.ARN, Family: t.Family, Revision: strconv.Itoa(t.Revision),
		DesiredStatus: desired(t, st), KnownStatus: st.LastStatus,
		PullStartedAt: instant(st.PullStartedAt), PullStoppedAt: instant(st.PullStoppedAt), ExecutionStopped: instant(st.ExecutionStoppedAt),
		AvailabilityZone: t.AvailabilityZone, LaunchType: "FARGATE", ServiceName: t.ServiceName, VPCID: t.VPC,
	}
	if t.CPU > 0 || t.MemoryMiB > 0 {
		r.Limits = &taskLimits{float64(t.CPU) / 1024, t.MemoryMiB}
	}
	if tags {
		r.TaskTags = t.Tags
	}
	for i := range t.Containers {
		r.Containers = append(r.Containers, describeContainer(w, i))
	}
	return r
}

func describeContainer(w asker, i int) containerReply {
	t, c := w.task, w.task.Containers[i]
	id := containerID(t, i)
	var st ContainerStatus
	if i < len(w.status.Containers) {
		st = w.status.Containers[i]
	}
	r := containerReply{
		DockerID: id, Name: c.Name, DockerName: c.Name, Image: c.Image, ImageID: st.ImageDigest,
		Labels: labels(t, c), DesiredStatus: desired(t, w.status), KnownStatus: st.LastStatus, ExitCode: st.ExitCode,
		Limits: containerLimits{c.CPU, c.MemoryMiB}, CreatedAt: instant(st.StartedAt), StartedAt: instant(st.StartedAt), FinishedAt: instant(st.FinishedAt),
		Type: "NORMAL", Networks: []networkReply{describeNetwork(t)}, Snapshotter: "overlayfs",
		ContainerARN: t.Scope.ARN("ecs", "container/"+t.ClusterName+"/"+t.ID+"/"+id),
	}
	if c.Health != nil {
		r.Health = &healthReply{st.Health, st.HealthOut}
	}
	for _, m := range c.Mounts {
		r.Volumes = append(r.Volumes, volumeReply{Destination: m.Path})
	}
	if c.Log != nil && c.Log.Group != "" {
		r.LogDriver = "awslogs"
		r.LogOptions = map[string]string{"awslogs-group": c.Log.Group, "awslogs-region": c.Log.Region, "awslogs-stream": stream(t, c).Stream}
	}
	return r
}

func describeNetwork(t Task) networkReply {
	r := networkReply{
		NetworkMode: "awsvpc", IPv4Addresses: []string{t.IP}, MACAddress: t.MAC, IPv4SubnetCIDRBlock: t.SubnetCIDR,
		DomainNameServers: []string{resolver(t)}, DomainNameSearchList: []string{domain(t.Scope.Region)}, PrivateDNSName: hostname(t),
	}
	if p, err := netip.ParsePrefix(t.SubnetCIDR); err == nil {
		r.SubnetGatewayIpv4Address = netip.PrefixFrom(p.Masked().Addr().Next(), p.Bits()).String()
	}
	return r
}

func labels(t Task, c Container) map[string]string {
	out := map[string]string{
		"com.amazonaws.ecs.cluster":                 t.ClusterARN,
		"com.amazonaws.ecs.container-name":          c.Name,
		"com.amazonaws.ecs.task-arn":                t.ARN,
		"com.amazonaws.ecs.task-definition-family":  t.Family,
		"com.amazonaws.ecs.task-definition-version": strconv.Itoa(t.Revision),
	}
	maps.Copy(out, c.DockerLabels)
	return out
}

func desired(t Task, st Status) string {
	if t.Stopped || !st.StoppingAt.IsZero() {
		return Stopped
	}
	return Running
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}
