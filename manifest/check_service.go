package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// memory lists Fargate's memory range in MiB for each number of CPU units: lowest, highest, step. Source: "Task size" in the ECS
// developer guide, https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
var memory = map[int][3]int{
	256: {512, 2048, 1024}, 512: {1024, 4096, 1024}, 1024: {2048, 8192, 1024}, 2048: {4096, 16384, 1024},
	4096: {8192, 30720, 1024}, 8192: {16384, 61440, 4096}, 16384: {32768, 122880, 8192},
}

var pathPattern = regexp.MustCompile(`^[A-Za-z0-9_\-.$/~"'@:+&*?]{1,128}$`)

func (c checker) service(s *Service) {
	at := "services." + s.Name
	c.source(s, at)
	c.requests(s, at)
	c.size(&s.Settings, at)
	c.timing(&s.Settings, at)
	c.rollout(s, at)
	c.deploy(s, at)
	c.scaling(s, at)
	c.mesh(s, at)
	for i, name := range s.Calls {
		called, ok := c.m.Service(name)
		where := fmt.Sprintf("%s.calls[%d]", at, i)
		switch {
		case !ok:
			c.wrong(where, "there is no service %q%s; services: %s", name, suggest(name, c.names()), strings.Join(c.names(), ", "))
		case called.Port == 0:
			c.wrong(where, "%s has no port, so nothing can call it", name)
		}
	}
	c.distinct(at+".calls", s.Calls)
	for _, name := range []string{"SERVICE_NAME", "ENVIRONMENT", "PORT"} {
		if _, set := s.Env[name]; set {
			c.wrong(at+".env."+name, "is set by the platform")
		}
	}
}

// source checks that exactly one origin of the image is given.
func (c checker) source(s *Service, at string) {
	given := 0
	for _, origin := range []string{s.Build, s.Dockerfile, s.Image} {
		if origin != "" {
			given++
		}
	}
	switch {
	case given == 0:
		c.wrong(at, "where does its image come from? Give one of build (a Go package), dockerfile, image")
	case given > 1:
		c.wrong(at, "build, dockerfile and image are alternatives; give one of them")
	}
	if s.Base != "" && s.Build == "" {
		c.wrong(at+".base", "only goes with build")
	}
	for key, path := range map[string]string{"build": s.Build, "dockerfile": s.Dockerfile, "context": s.Context} {
		if !inside(path) {
			c.wrong(at+"."+key, "%q leaves the manifest's folder; give a path below it", path)
		}
	}
	if strings.ContainsAny(s.Image, " \t\n") {
		c.wrong(at+".image", "an image reference has no spaces")
	}
}

func (c checker) requests(s *Service, at string) {
	if s.Port == 0 && len(s.Paths) > 0 {
		c.wrong(at+".paths", "paths need a port")
	}
	if len(s.Paths) > 5 {
		c.wrong(at+".paths", "%d patterns; a load balancer's rule has at most 5", len(s.Paths))
	}
	for i, p := range s.Paths {
		if !strings.HasPrefix(p, "/") && !strings.HasPrefix(p, "*") || !pathPattern.MatchString(p) {
			c.wrong(fmt.Sprintf("%s.paths[%d]", at, i), "%q is no path pattern: it begins with /, and * and ? stand for any characters", p)
		}
	}
	c.distinct(at+".paths", s.Paths)
}

func (c checker) size(s *Settings, at string) {
	if r := memory[s.CPU]; s.Memory < r[0] || s.Memory > r[1] || s.Memory%r[2] != 0 && (s.CPU != 256 || s.Memory != 512) {
		c.wrong(at+".memory", "Fargate has no task with cpu %d and memory %d; allowed with that cpu: %s", s.CPU, s.Memory, ranges(s.CPU))
	}
	if s.Min > s.Max {
		c.wrong(at+".max", "max (%d) is below min (%d)", s.Max, s.Min)
	} else if s.Desired < s.Min || s.Desired > s.Max {
		c.wrong(at+".desired", "%d is not between min (%d) and max (%d)", s.Desired, s.Min, s.Max)
	}
}

func ranges(cpu int) string {
	r := memory[cpu]
	if cpu == 256 {
		return "512, 1024, 2048"
	}
	return fmt.Sprintf("%d to %d in steps of %d", r[0], r[1], r[2])
}

func (c checker) timing(s *Settings, at string) {
	if s.Health.Timeout >= s.Health.Interval {
		c.wrong(at+".health.timeout", "%s is not below the interval, %s", s.Health.Timeout, s.Health.Interval)
	}
	if len(s.Check.Command) > 0 && strings.HasPrefix(s.Check.Command[0], "CMD") {
		c.wrong(at+".check.command", "write the program itself; %s is added", s.Check.Command[0])
	}
}

// unique reports names, rules and ids that two services would share.
func (c checker) unique() {
	priority, dns, id, paths := map[int]string{}, map[string]string{}, map[string]string{}, map[string]string{}
	for i := range c.m.Services {
		s := &c.m.Services[i]
		at := "services." + s.Name
		if other, taken := priority[s.Priority]; taken && s.Public() {
			c.wrong(at+".priority", "%d is the priority of %s; give one of them another", s.Priority, other)
		} else if s.Public() {
			priority[s.Priority] = s.Name
		}
		for j, p := range s.Paths {
			if other, taken := paths[p]; taken && other != s.Name {
				c.wrong(fmt.Sprintf("%s.paths[%d]", at, j), "%s goes to %s already", p, other)
			}
			paths[p] = s.Name
		}
		if other, taken := dns[s.DNS]; taken {
			c.wrong(at+".dns", "%s is the private name of %s", s.DNS, other)
		}
		if other, taken := id[Camel(s.Name)]; taken {
			c.wrong(at, "cannot be told from %s once dashes are gone (both become %s)", other, Camel(s.Name))
		}
		dns[s.DNS], id[Camel(s.Name)] = s.Name, s.Name
	}
}

func (c checker) names() []string {
	out := make([]string, len(c.m.Services))
	for i, s := range c.m.Services {
		out[i] = s.Name
	}
	return slices.Clip(out)
}
