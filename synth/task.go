package synth

import (
	"fmt"
	"maps"
	"slices"

	"github.com/slipway-dev/slipway/manifest"
)

// task renders a service's log group and task definition.
func (r *renderer) task(s *manifest.Service) {
	id := manifest.Camel(s.Name)
	r.add(id+"LogGroup", "AWS::Logs::LogGroup", Object{
		{"LogGroupName", r.names.LogGroup(s.Name)}, {"RetentionInDays", s.LogRetention},
	})
	r.roles(s)
	containers := []Object{r.container(s)}
	if r.meshed() {
		containers = append(containers, r.sidecar(s))
	}
	var platform any // Linux on X86_64
	if r.m.Architecture == "arm64" {
		platform = Object{{"CpuArchitecture", "ARM64"}, {"OperatingSystemFamily", "LINUX"}}
	}
	r.add(id+"TaskDefinition", "AWS::ECS::TaskDefinition", Object{
		{"Family", r.names.Service(s.Name)},
		{"RequiresCompatibilities", []string{"FARGATE"}},
		{"NetworkMode", "awsvpc"},
		{"RuntimePlatform", platform},
		{"Cpu", fmt.Sprint(s.CPU)},
		{"Memory", fmt.Sprint(s.Memory)},
		{"ExecutionRoleArn", attribute(id+"ExecutionRole", "Arn")},
		{"TaskRoleArn", attribute(id+"TaskRole", "Arn")},
		{"ContainerDefinitions", containers},
		{"ProxyConfiguration", r.interception(s)},
	})
}

// container is the application's container.
func (r *renderer) container(s *manifest.Service) Object {
	out := Object{
		{"Name", r.names.Container(s.Name)},
		{"Image", r.image(s)},
		{"EntryPoint", listOrNil(s.EntryPoint)},
		{"Command", listOrNil(s.Command)},
		{"User", orNil(s.User)},
	}
	if s.Port != 0 {
		out = append(out, Field{"PortMappings", []Object{{{"ContainerPort", s.Port}}}})
	}
	out = append(out, Field{"Environment", r.environment(s)})
	if len(s.Check.Command) > 0 {
		out = append(out, Field{"HealthCheck", Object{
			{"Command", append([]string{"CMD"}, s.Check.Command...)},
			{"Interval", unless(s.Check.Interval.Seconds(), 30)},
			{"Timeout", unless(s.Check.Timeout.Seconds(), 5)},
			{"Retries", unless(s.Check.Retries, 3)},
			{"StartPeriod", s.Check.Start.Seconds()},
		}})
	}
	if r.meshed() { // without the sidecar nothing it sends arrives
		out = append(out, Field{"DependsOn", []Object{{{"ContainerName", sidecarName}, {"Condition", "HEALTHY"}}}})
	}
	return append(
		out,
		logging(s),
		Field{"ReadonlyRootFilesystem", s.ReadOnlyRoot},
		Field{"LinuxParameters", Object{{"InitProcessEnabled", true}}}, // reaps what ECS Exec starts
		Field{"StopTimeout", s.StopTimeout.Seconds()},
	)
}

// logging sends what a container of a service prints to the service's log group.
func logging(s *manifest.Service) Field {
	return Field{"LogConfiguration", Object{{"LogDriver", "awslogs"}, {"Options", Object{
		{"awslogs-group", ref(manifest.Camel(s.Name) + "LogGroup")}, {"awslogs-region", ref("AWS::Region")}, {"awslogs-stream-prefix", s.Name},
	}}}}
}

// environment is what every service knows of itself, where the services are that it calls, and its own variables, which win.
func (r *renderer) environment(s *manifest.Service) []Object {
	vars := map[string]string{"SERVICE_NAME": s.Name, "ENVIRONMENT": r.m.Environment}
	if s.Port != 0 {
		vars["PORT"] = fmt.Sprint(s.Port)
	}
	for _, name := range s.Calls {
		if called, ok := r.m.Service(name); ok && (name != s.Name || r.meshed()) {
			vars[addressVariable(name)] = fmt.Sprintf("%s://%s:%d", scheme(called), r.names.Host(called), called.Port)
		}
	}
	maps.Copy(vars, s.Env)
	var out []Object
	for _, key := range slices.Sorted(maps.Keys(vars)) {
		out = append(out, Object{{"Name", key}, {"Value", vars[key]}})
	}
	return out
}

func scheme(s *manifest.Service) string {
	if s.Protocol == manifest.TCP {
		return "tcp"
	}
	return "http"
}
