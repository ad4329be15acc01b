package ecs

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// cpuUnits takes "512", "0.5 vCPU" or ".5 vcpu" and answers CPU units.
func cpuUnits(in *string) *string {
	if in == nil {
		return nil
	}
	s := strings.ToLower(strings.TrimSpace(*in))
	if n, ok := strings.CutSuffix(s, "vcpu"); ok {
		if f, err := strconv.ParseFloat(strings.TrimSpace(n), 64); err == nil {
			return new(strconv.Itoa(int(f * 1024)))
		}
	}
	return &s
}

// memoryMiB takes "1024" or "1 GB" and answers MiB.
func memoryMiB(in *string) *string {
	if in == nil {
		return nil
	}
	s := strings.ToLower(strings.TrimSpace(*in))
	if n, ok := strings.CutSuffix(s, "gb"); ok {
		if f, err := strconv.ParseFloat(strings.TrimSpace(n), 64); err == nil {
			return new(strconv.Itoa(int(f * 1024)))
		}
	}
	return &s
}

// fargateSize is the range of memory that Fargate allows for CPU units
// (Amazon ECS developer guide, "Task CPU and memory"), in MiB.
type fargateSize struct{ cpu, lowest, highest, step int }

var fargateSizes = []fargateSize{
	{256, 512, 2048, 512}, // 512, 1024, 2048: see validSize
	{512, 1024, 4096, 1024},
	{1024, 2048, 8192, 1024},
	{2048, 4096, 16384, 1024},
	{4096, 8192, 30720, 1024},
	{8192, 16384, 61440, 4096},
	{16384, 32768, 122880, 8192},
}

func validSize(cpu, memory int) bool {
	for _, z := range fargateSizes {
		if z.cpu == cpu {
			return memory >= z.lowest && memory <= z.highest && (memory-z.lowest)%z.step == 0 && !(cpu == 256 && memory == 1536)
		}
	}
	return false
}

// checkDefinition refuses what ECS refuses.
func checkDefinition(d *ecsapi.TaskDefinition) error {
	if !validName(value(d.Family)) {
		return errClient("Family contains invalid characters.")
	}
	if len(d.ContainerDefinitions) == 0 {
		return errClient("Container list cannot be empty.")
	}
	if slices.Contains(d.RequiresCompatibilities, "FARGATE") {
		if err := checkFargate(d); err != nil {
			return err
		}
	}
	names := map[string]bool{}
	essential := false
	for _, c := range d.ContainerDefinitions {
		if err := checkContainer(d, c); err != nil {
			return err
		}
		if names[*c.Name] {
			return errClient("Container.name contains duplicate values.")
		}
		names[*c.Name] = true
		essential = essential || *c.Essential
	}
	if !essential {
		return errClient("A task definition must have at least one essential container.")
	}
	if err := checkSupported(d); err != nil {
		return err
	}
	if _, err := proxyOf(d); err != nil {
		return err
	}
	return checkDependencies(d.ContainerDefinitions)
}

func checkFargate(d *ecsapi.TaskDefinition) error {
	if d.NetworkMode != "awsvpc" {
		return errClient("Fargate only supports network mode ‘awsvpc’.")
	}
	if d.Cpu == nil || d.Memory == nil {
		return errClient("Fargate requires that 'cpu' and 'memory' be defined at the task level.")
	}
	cpu, err1 := strconv.Atoi(*d.Cpu)
	memory, err2 := strconv.Atoi(*d.Memory)
	if err1 != nil || err2 != nil || !validSize(cpu, memory) {
		return errClient("No Fargate configuration exists for given values: %s CPU, %s memory. See the Amazon ECS documentation for the valid values.", *d.Cpu, *d.Memory)
	}
	if d.ExecutionRoleArn == nil && slices.ContainsFunc(d.ContainerDefinitions, func(c ecsapi.ContainerDefinition) bool {
		return value(c.LogConfiguration).LogDriver == "awslogs"
	}) {
		return errClient("Fargate requires task definition to have execution role ARN to support log driver awslogs.")
	}
	if e := d.EphemeralStorage; e != nil && (value(e.SizeInGiB) < 21 || value(e.SizeInGiB) > 200) {
		return errClient("Ephemeral storage must be between 21 and 200 GiB.")
	}
	return nil
}

func checkContainer(d *ecsapi.TaskDefinition, c ecsapi.ContainerDefinition) error {
	name := value(c.Name)
	switch {
	case !validName(name):
		return errClient("Container.name contains invalid characters.")
	case strings.TrimSpace(value(c.Image)) == "":
		return errClient("Container.image should not be null or empty.")
	case value(c.Privileged):
		return errClient("Fargate does not support privileged containers: %s.", name)
	case c.Memory == nil && c.MemoryReservation == nil && d.Memory == nil:
		return errClient("Invalid setting for container '%s'. At least one of 'memory' or 'memoryReservation' must be specified.", name)
	case c.Memory != nil && c.MemoryReservation != nil && *c.Memory < *c.MemoryReservation:
		return errClient("Invalid setting for container '%s'. 'memory' must be greater than or equal to 'memoryReservation'.", name)
	}
	if t := c.StopTimeout; t != nil && (*t < 2 || *t > 120) {
		return errClient("Invalid setting for container '%s'. StopTimeout must be between 2 and 120 seconds on Fargate.", name)
	}
	if log := c.LogConfiguration; log != nil && log.LogDriver == "awslogs" && log.Options["awslogs-group"] == "" {
		return errClient("Log driver awslogs requires options: awslogs-group of container '%s'.", name)
	}
	for _, p := range c.PortMappings {
		if port := value(p.ContainerPort); port < 1 || port > 65535 {
			return errClient("Invalid 'containerPort' setting for container '%s'.", name)
		}
		if d.NetworkMode == "awsvpc" && value(p.HostPort) != value(p.ContainerPort) {
			return errClient("When networkMode=awsvpc, the host ports and container ports in port mappings must match.")
		}
	}
	for _, m := range c.MountPoints {
		if !slices.ContainsFunc(d.Volumes, func(v ecsapi.Volume) bool { return value(v.Name) == value(m.SourceVolume) }) {
			return errClient("Unknown volume '%s'.", value(m.SourceVolume))
		}
	}
	if err := checkSecrets(d, c); err != nil {
		return err
	}
	return checkHealth(name, c.HealthCheck)
}

func checkHealth(name string, h *ecsapi.HealthCheck) error {
	if h == nil {
		return nil
	}
	within := func(p *int32, low, high int32) bool { return p == nil || *p >= low && *p <= high }
	switch {
	case len(h.Command) == 0:
		return errClient("Health check command for container '%s' cannot be empty.", name)
	case !within(h.Interval, 5, 300):
		return errClient("Health check interval for container '%s' must be between 5 and 300 seconds.", name)
	case !within(h.Timeout, 2, 60):
		return errClient("Health check timeout for container '%s' must be between 2 and 60 seconds.", name)
	case !within(h.Retries, 1, 10):
		return errClient("Health check retries for container '%s' must be between 1 and 10.", name)
	case !within(h.StartPeriod, 0, 300):
		return errClient("Health check startPeriod for container '%s' must be between 0 and 300 seconds.", name)
	}
	return nil
}

// checkDependencies refuses unknown names, conditions that cannot come true
// and cycles.
func checkDependencies(containers []ecsapi.ContainerDefinition) error {
	byName := map[string]ecsapi.ContainerDefinition{}
	for _, c := range containers {
		byName[*c.Name] = c
	}
	for _, c := range containers {
		for _, dep := range c.DependsOn {
			on, ok := byName[value(dep.ContainerName)]
			switch {
			case !ok:
				return errClient("Invalid 'dependsOn' setting for container: '%s' - dependency on unknown container '%s'.", *c.Name, value(dep.ContainerName))
			case dep.Condition == "HEALTHY" && on.HealthCheck == nil:
				return errClient("Invalid 'dependsOn' setting for container: '%s' - container '%s' has no health check.", *c.Name, *on.Name)
			case (dep.Condition == "COMPLETE" || dep.Condition == "SUCCESS") && *on.Essential:
				return errClient("Invalid 'dependsOn' setting for container: '%s' - container '%s' is essential and cannot be waited for with condition %s.", *c.Name, *on.Name, dep.Condition)
			}
		}
	}
	state := map[string]int{} // 1 on the path, 2 done
	var visit func(string) bool
	visit = func(name string) bool {
		if state[name] != 0 {
			return state[name] == 2
		}
		state[name] = 1
		for _, dep := range byName[name].DependsOn {
			if !visit(*dep.ContainerName) {
				return false
			}
		}
		state[name] = 2
		return true
	}
	for name := range byName {
		if !visit(name) {
			return errClient("Container definitions contain a cycle in 'dependsOn'.")
		}
	}
	return nil
}

// messageOf is what a client would read of an error.
func messageOf(err error) string {
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		return e.Message
	}
	return err.Error()
}
