package ecs

import (
	"errors"
	"strconv"

	"github.com/slipway-dev/slipway/control/placement"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Capacity is what the tasks of all accounts and zones together may reserve.
// Zero is without limit.
type Capacity struct {
	CPU    int // units, 1024 are a vCPU
	Memory int // MiB
}

// sizeKey is a task's entry in the index "size".
func sizeKey(cpu, memory string) string { return cpu + "/" + memory }

// reserved is what the tasks that have not ended reserve. There are some
// seventy sizes of Fargate tasks, and the store counts the tasks of each.
func reserved(r store.Reader) (sum placement.Demand) {
	for _, z := range fargateSizes {
		for memory := z.lowest; memory <= z.highest; memory += z.step {
			n := Tasks.Count(r, "size", sizeKey(strconv.Itoa(z.cpu), strconv.Itoa(memory)))
			sum.CPU += n * z.cpu
			sum.Memory += n * memory
		}
	}
	return sum
}

// nodes are the zones as the scheduler knows them: each may use all that is
// left of the machine.
func (c Capacity) nodes(r store.Reader, zones []string) (nodes []placement.Node) {
	left := placement.Node{}
	if c.CPU > 0 || c.Memory > 0 {
		used := reserved(r)
		left.CPU, left.Memory = remains(c.CPU, used.CPU), remains(c.Memory, used.Memory)
	}
	for _, z := range zones {
		left.Name, left.Zone, left.Lost = z, z, ZoneLost(r, z)
		nodes = append(nodes, left)
	}
	return nodes
}

// remains is what is left of a limit, at least one: none at all means no limit.
func remains(limit, used int) int {
	if limit == 0 {
		return 0
	}
	return max(limit-used, 1)
}

// unavailable is the reason that ECS gives when a task cannot be placed, with
// ours behind it.
const unavailable = "Capacity is unavailable at this time. Please try again later or in a different availability zone"

// noPlace words why the scheduler has refused a task.
func noPlace(err error, c Capacity) *errNoPlace {
	why, ok := errors.AsType[*placement.Unplaceable](err)
	switch {
	case !ok:
		return &errNoPlace{reason: err.Error()}
	case why.NoCPU+why.NoMemory+why.Lost == 0:
		return &errNoPlace{reason: "RESOURCE:ENI", detail: "The subnets have no free address: use larger ones."}
	case why.NoCPU+why.NoMemory == 0:
		return &errNoPlace{reason: unavailable, detail: "The availability zones of its subnets are lost: slipway chaos zone --restore brings them back."}
	}
	return &errNoPlace{
		reason: unavailable,
		detail: "Of the machine, " + strconv.Itoa(c.CPU) + " CPU units and " + strconv.Itoa(c.Memory) +
			" MiB may be reserved, and this task does not fit any more: start the engine with larger --cpus and --memory, or run fewer tasks.",
	}
}
