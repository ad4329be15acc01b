package manifest

import "time"

// Service is one service: where its image comes from, how it is reached, and its settings.
type Service struct {
	Name string `yaml:"-" key:"true"`

	Build      string `yaml:"build" example:"./cmd/api" doc:"Go package (a folder relative to the manifest) that is built into an image without Docker."`
	Base       string `yaml:"base" example:"gcr.io/distroless/static" doc:"Base image of build. Default: none, the image holds the program only, at /app."`
	Dockerfile string `yaml:"dockerfile" example:"api/Dockerfile" doc:"Dockerfile to build with docker, podman or buildah."`
	Context    string `yaml:"context" default:"." doc:"Build context of the dockerfile, relative to the manifest."`
	Image      string `yaml:"image" example:"public.ecr.aws/nginx/nginx:1.29" doc:"A finished image, pulled by the tasks as it is."`

	Port     int      `yaml:"port" min:"1" max:"65535" doc:"Port the container listens on. Without one the service takes no requests."`
	Paths    []string `yaml:"paths" example:"/api/*" doc:"Path patterns the load balancer sends here, unchanged. Default: /<service> and /<service>/*. An empty list keeps the service private."`
	Priority int      `yaml:"priority" min:"1" max:"50000" doc:"Priority of the load balancer's rule. Default: 10 for the first service, 11 for the second."`
	DNS      string   `yaml:"dns" pattern:"[a-z]([a-z0-9-]{0,61}[a-z0-9])?" say:"up to 63 small letters, digits and dashes, a letter first, no dash last" doc:"Private name, followed by .<environment>.local. Default: the service's name."`
	Calls    []string `yaml:"calls" doc:"Services this one calls: it gets their addresses in variables such as PAYMENT_URL. Its own name, in a mesh: its tasks call each other."`

	Settings `yaml:",inline"`
}

// Settings are what services usually share; the manifest's defaults hold them too.
type Settings struct {
	CPU     int `yaml:"cpu" default:"512" enum:"256|512|1024|2048|4096|8192|16384" doc:"CPU units of a task; 1024 are one processor."`
	Memory  int `yaml:"memory" min:"512" max:"122880" doc:"Memory of a task in MiB; Fargate has a range for each cpu. Default: twice the cpu."`
	Desired int `yaml:"desired" default:"2" min:"0" max:"5000" doc:"Tasks that run at first; between min and max."`
	Min     int `yaml:"min" default:"2" min:"0" max:"5000" doc:"Fewest tasks; less by default when desired is less."`
	Max     int `yaml:"max" default:"10" min:"1" max:"5000" doc:"Most tasks; more by default when desired is more."`

	EntryPoint []string          `yaml:"entryPoint" doc:"Replaces the image's entry point."`
	Command    []string          `yaml:"command" doc:"Replaces the image's command."`
	Env        map[string]string `yaml:"env" envnames:"true" doc:"Environment variables. SERVICE_NAME, ENVIRONMENT, PORT and the addresses of called services are set as well."`
	User       string            `yaml:"user" number:"true" example:"65532" doc:"User the container runs as. Default: the image's."`

	Health Health `yaml:"health" doc:"Health check of the load balancer."`
	Check  Check  `yaml:"check" doc:"Health check inside the container."`

	Grace        Duration `yaml:"grace" default:"60s" range:"0s..24h" doc:"Time after a task's start in which failing health checks are ignored."`
	StopTimeout  Duration `yaml:"stopTimeout" default:"30s" range:"2s..2m" doc:"Time between SIGTERM and SIGKILL."`
	Drain        Duration `yaml:"drain" default:"30s" range:"0s..1h" doc:"Longest time a leaving task keeps the requests it has (deregistration delay)."`
	ReadOnlyRoot bool     `yaml:"readOnlyRoot" default:"true" doc:"Mount the container's root file system read-only."`
	Exec         bool     `yaml:"exec" default:"true" doc:"Allow commands in running containers (ECS Exec)."`
	LogRetention int      `yaml:"logRetention" default:"7" enum:"1|3|5|7|14|30|60|90|120|150|180|365|400|545|731|1096|1827|2192|2557|2922|3288|3653" doc:"Days the log is kept."`

	Protocol string   `yaml:"protocol" default:"http" enum:"http|http2|grpc|tcp" doc:"What the port speaks."`
	Timeout  Duration `yaml:"timeout" default:"15s" range:"0s..1h" fine:"true" doc:"Time a call by another service may take, tries included; with tcp the time a connection may be idle. 0: any. The mesh keeps it."`
	Retries  Retries  `yaml:"retries" doc:"How a call by another service is tried again. The mesh does it."`
	Outlier  Outlier  `yaml:"outlier" doc:"When callers leave a task out that fails. The mesh does it."`
	Pool     Pool     `yaml:"pool" doc:"What a task takes from callers at once. The mesh keeps it."`

	Scaling Scaling `yaml:"scaling" doc:"What auto scaling between min and max goes by."`
	Rollout Rollout `yaml:"rollout" doc:"How a new version replaces the old one."`
	Deploy  Deploy  `yaml:"deploy" doc:"What makes a new deployment besides a change of the manifest."`
}

// Health is the target group's health check.
type Health struct {
	Path      string   `yaml:"path" default:"/health" pattern:"/[^\\s#]{0,999}" say:"a path that begins with /" doc:"Path that answers when the task can serve."`
	Codes     string   `yaml:"codes" number:"true" default:"200" pattern:"[2-4][0-9]{2}([,-][2-4][0-9]{2})*" say:"status codes between 200 and 499, such as 200, 200-299 or 200,204" doc:"Status codes of a healthy answer, such as 200-299 or 200,204."`
	Interval  Duration `yaml:"interval" default:"10s" range:"5s..5m" doc:"Time between checks."`
	Timeout   Duration `yaml:"timeout" default:"5s" range:"2s..2m" doc:"Time one check may take; less than the interval."`
	Healthy   int      `yaml:"healthy" default:"2" min:"2" max:"10" doc:"Successes in a row that make an unhealthy task healthy."`
	Unhealthy int      `yaml:"unhealthy" default:"3" min:"2" max:"10" doc:"Failures in a row that make a task unhealthy."`
}

// Check is the container's own health check; without a command there is none.
type Check struct {
	Command  []string `yaml:"command" example:"/app" doc:"Program and arguments, run without a shell; success is exit code 0."`
	Interval Duration `yaml:"interval" default:"30s" range:"5s..5m" doc:"Time between checks."`
	Timeout  Duration `yaml:"timeout" default:"5s" range:"2s..1m" doc:"Time one check may take."`
	Retries  int      `yaml:"retries" default:"3" min:"1" max:"10" doc:"Failures in a row that make the container unhealthy."`
	Start    Duration `yaml:"start" default:"10s" range:"0s..5m" doc:"Time after the start in which failures do not count."`
}

// Public tells whether the load balancer sends requests to the service.
func (s *Service) Public() bool { return s.Port != 0 && len(s.Paths) > 0 }

// Built tells whether the image is built here and pushed to the service's own repository.
func (s *Service) Built() bool { return s.Image == "" }

func (s *Service) fill(index int) {
	if s.Paths == nil && s.Port != 0 {
		s.Paths = []string{"/" + s.Name, "/" + s.Name + "/*"}
	}
	if s.Priority == 0 {
		s.Priority = 10 + index
	}
	if s.DNS == "" {
		s.DNS = s.Name
	}
}

// scale fits numbers nobody wrote to those somebody did: desired: 1 alone means at least one task too, cpu: 1024 alone is twice that
// memory, the least Fargate has, and no try may take longer than the call.
func (s *Service) scale(written func(key string) bool) {
	if !written("memory") {
		s.Memory = 2 * s.CPU
	}
	if s.Protocol == TCP && !written("timeout") {
		s.Timeout = Duration(time.Hour) // connections that rest are usual
	}
	if !written("retries.perTryTimeout") && s.Timeout > 0 {
		s.Retries.PerTryTimeout = min(s.Retries.PerTryTimeout, s.Timeout)
	}
	if !written("desired") {
		if written("max") {
			s.Desired = min(s.Desired, s.Max)
		}
		if written("min") {
			s.Desired = max(s.Desired, s.Min)
		}
	}
	if !written("min") {
		s.Min = min(s.Min, s.Desired)
	}
	if !written("max") {
		s.Max = max(s.Max, s.Desired)
	}
}
