// Package agent runs tasks: for each Task row it attaches the network,
// pulls the images, starts the containers in the order of their
// dependencies, watches their health and stops them, and writes what it saw
// into the Status row.
//
// Task rows are written by the scheduler (service/ecs) alone, Status rows by
// the agent alone; the two meet only in the store. A restart of the engine
// finds the containers still running and adopts them.
package agent

import (
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/vpc"
)

// Tasks holds what shall run, keyed by task ARN; "address" lists those with a
// VPC and an IP address: one that runs, and others that had it before.
var Tasks = store.NewTable("agent/task", func(t Task) string { return t.ARN },
	store.Index("address", func(t Task) []string { return []string{address(t.VPC, t.IP)} }))

// Statuses holds what does run, keyed by task ARN.
var Statuses = store.NewTable("agent/status", func(s Status) string { return s.ARN })

// Tables are the agent's tables.
func Tables() []store.Schema { return []store.Schema{Tasks, Statuses, wakes} }

// Task is one task to be run: everything the agent needs, resolved, so that
// it never looks a task definition up.
type Task struct {
	ARN   string
	Scope arn.Scope
	ID    string // the last part of the ARN, 32 hex digits

	ClusterARN       string
	ClusterName      string
	Family           string
	Revision         int
	ServiceName      string // empty for a task without a service
	LaunchType       string // FARGATE, or empty when a capacity provider placed it
	CapacityProvider string
	AvailabilityZone string
	Tags             map[string]string

	VPC           string // VPC id
	Interface     string // elastic network interface id
	SubnetID      string
	SubnetCIDR    string
	IP            string
	MAC           string
	PrivateDNS    string
	DNS           string // address of the resolver, VPC+2; empty: 169.254.169.253
	TaskRoleARN   string
	ExecutionRole string
	CPU           int  // CPU units of the task, 1024 = one vCPU; 0 = no limit
	MemoryMiB     int  // of the task; 0 = no limit
	ExecEnabled   bool // ECS Exec

	Containers []Container
	Volumes    []Volume
	Proxy      *Proxy // nil: the traffic goes as it comes

	// Stopped asks for the end of the task. It only ever turns true.
	Stopped       bool
	StopCode      string // UserInitiated, ServiceSchedulerInitiated, SpotInterruption
	StoppedReason string
	// Killed asks for the end without a signal to stop and without waiting, as
	// when the power fails.
	Killed bool
	// Remove asks the agent to delete its Status row and every trace of the task.
	Remove bool
}

// Container is a container definition, resolved.
type Container struct {
	Name             string
	Image            string // as written in the task definition
	Essential        bool
	EntryPoint       []string // nil: the image's
	Command          []string // nil: the image's
	Environment      map[string]string
	Secrets          map[string]string // name of a variable -> name or ARN of what it gets
	User             string
	WorkingDirectory string
	Hostname         string
	ReadOnlyRoot     bool
	Interactive      bool
	PseudoTerminal   bool
	InitProcess      bool // linuxParameters.initProcessEnabled
	CPU              int  // CPU units
	MemoryMiB        int  // hard limit, 0 = the task's
	ReservationMiB   int
	Ports            []Port
	Ulimits          []Ulimit
	Tmpfs            []Tmpfs
	Mounts           []Mount
	CapAdd, CapDrop  []string
	SystemControls   map[string]string
	ExtraHosts       map[string]string // host name -> address
	DockerLabels     map[string]string
	DependsOn        []Dependency
	StartTimeout     time.Duration // 0 = none
	StopTimeout      time.Duration // 0 = 30 s
	Health           *HealthCheck
	Log              *Log
}

// Port is a container port; awsvpc maps it to itself.
type Port struct {
	Container int
	Protocol  string // tcp, udp
	Name      string
}

// Ulimit is a POSIX resource limit: nofile, nproc, ...
type Ulimit struct {
	Name       string
	Soft, Hard int64
}

// Tmpfs is a memory file system inside the container.
type Tmpfs struct {
	Path    string
	SizeMiB int
	Options []string
}

// Mount puts a volume of the task at a path.
type Mount struct {
	Volume   string
	Path     string
	ReadOnly bool
}

// Proxy says that a container of the task gets the task's traffic: which it
// is, and what it gets (proxyConfiguration of type APPMESH).
type Proxy struct {
	Container string
	vpc.Interception
}

// Volume is storage that the containers of one task share; it ends with the task.
type Volume struct{ Name string }

// Dependency holds a container back until another one has come so far.
type Dependency struct {
	Container string
	Condition string // START, COMPLETE, SUCCESS, HEALTHY
}

// HealthCheck is ECS's container health check.
type HealthCheck struct {
	Command     []string      // CMD or CMD-SHELL first
	Interval    time.Duration // 5-300 s, default 30 s
	Timeout     time.Duration // 2-60 s, default 5 s
	Retries     int           // 1-10, default 3
	StartPeriod time.Duration // 0-300 s, default 0
}

// Log sends the container's output to a log group (the awslogs driver).
type Log struct {
	Group          string
	Stream         string // <prefix>/<container>/<task id>
	Region         string
	CreateGroup    bool
	DatetimeFormat string
	MultilineStart string // awslogs-multiline-pattern
}

// Last statuses of tasks and containers, in the order they are passed
// through (ECS's task life cycle).
const (
	Provisioning   = "PROVISIONING"
	Pending        = "PENDING"
	Activating     = "ACTIVATING"
	Running        = "RUNNING"
	Deactivating   = "DEACTIVATING"
	Stopping       = "STOPPING"
	Deprovisioning = "DEPROVISIONING"
	Stopped        = "STOPPED"
)

// Health of a container or a task.
const (
	Healthy       = "HEALTHY"
	Unhealthy     = "UNHEALTHY"
	HealthUnknown = "UNKNOWN"
)

// Status is what the agent knows of a task. Times are zero until they happen.
type Status struct {
	ARN           string
	LastStatus    string
	Health        string // HEALTHY when all essential containers with a check are; UNKNOWN when none has one
	StopCode      string // TaskFailedToStart, EssentialContainerExited, or the Task row's
	StoppedReason string
	Containers    []ContainerStatus

	PullStartedAt      time.Time
	PullStoppedAt      time.Time
	StartedAt          time.Time // RUNNING
	StoppingAt         time.Time
	ExecutionStoppedAt time.Time // last container ended
	StoppedAt          time.Time
}

// ContainerStatus is what the agent knows of one container.
type ContainerStatus struct {
	Name        string
	RuntimeID   string // <task id>-<number>, as on Fargate
	ImageDigest string
	LastStatus  string // PENDING, RUNNING, STOPPED
	Health      string
	HealthOut   string // last output of the health check, at most 4 KiB
	ExitCode    *int
	Reason      string // OutOfMemoryError: ..., CannotPullContainerError: ..., CannotStartContainerError: ...
	Pid         int
	StartedAt   time.Time
	FinishedAt  time.Time
}
