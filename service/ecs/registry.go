package ecs

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/servicediscovery"
)

// registryLag is how long a task still serves once Cloud Map no longer has it:
// the meshes and clients that follow Cloud Map have to hear of it.
const registryLag = time.Second

// enlist registers a running task with its Cloud Map services, by the attributes
// that ECS gives ("Service discovery" in the ECS developer guide). App Mesh selects
// by them.
func (t *Task) enlist(tx *store.Tx, health string, now time.Time) {
	t.Reported = health
	for _, r := range t.Registries {
		attrs := map[string]string{
			servicediscovery.AttributeIPv4: t.IP, servicediscovery.AttributeZone: t.Zone, "REGION": t.Region,
			"ECS_SERVICE_NAME": t.ServiceName, "ECS_CLUSTER_NAME": t.Cluster, "ECS_TASK_DEFINITION_FAMILY": family0(t.Definition),
		}
		if p := registryPort(r); p > 0 {
			attrs[servicediscovery.AttributePort] = strconv.Itoa(p)
		}
		if servicediscovery.HasCustomHealth(tx, value(r.RegistryArn)) {
			attrs[servicediscovery.AttributeHealth] = health
		}
		maps.DeleteFunc(attrs, func(_, v string) bool { return v == "" })
		if err := servicediscovery.RegisterInstance(tx, value(r.RegistryArn), t.ID, attrs); err != nil {
			t.complain(tx, now, "was unable to register an instance in "+value(r.RegistryArn)+": "+err.Error())
		}
	}
}

// report tells Cloud Map the health of a task when it has changed.
func (t *Task) report(tx *store.Tx, health string) {
	if t.Reported == health {
		return
	}
	t.Reported = health
	for _, r := range t.Registries {
		if servicediscovery.HasCustomHealth(tx, value(r.RegistryArn)) {
			_ = servicediscovery.SetHealth(tx, value(r.RegistryArn), t.ID, health == agent.Healthy) // gone is fine
		}
	}
}

// delist takes the task out of Cloud Map.
func (t *Task) delist(tx *store.Tx, now time.Time) {
	if len(t.Registries) == 0 {
		return
	}
	t.Delisted = now
	for _, r := range t.Registries {
		_ = servicediscovery.DeregisterInstance(tx, value(r.RegistryArn), t.ID) // gone is fine
	}
}

// unheard is how long it takes until all have heard that a task is delisted.
func (s *Service) unheard(t Task, now time.Time) time.Duration {
	if t.Delisted.IsZero() {
		return 0
	}
	return t.Delisted.Add(s.scaled(registryLag)).Sub(now)
}

// health is what Cloud Map is told: that of the container health checks, as far
// as essential containers have any, and unhealthy until they have passed.
func (t Task) health(r store.Reader, st agent.Status) string {
	a, err := agent.Tasks.Get(r, t.ARN)
	checked := err == nil && slices.ContainsFunc(a.Containers, func(c agent.Container) bool { return c.Essential && c.Health != nil })
	if checked && st.Health != agent.Healthy {
		return agent.Unhealthy
	}
	return agent.Healthy
}

func registryPort(r ecsapi.ServiceRegistry) int {
	if r.Port != nil {
		return int(*r.Port)
	}
	return int(value(r.ContainerPort))
}

// family0 is the family in a task definition's ARN.
func family0(definition string) string {
	name, _, _ := strings.Cut(serviceName(definition), ":")
	return name
}
