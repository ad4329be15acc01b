package placement

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"strings"
)

// Node is a place that runs tasks: its zone, and what it can hold.
type Node struct {
	Name, Zone string
	CPU        int // units, 1024 are a vCPU; 0 is without limit
	Memory     int // MiB; 0 is without limit
	Lost       bool
}

// Demand is what a task reserves.
type Demand struct{ CPU, Memory int }

// Scheduler places tasks on nodes: in the zone with the fewest tasks of the
// service first, there on the node that is emptiest. What tasks reserve is
// accounted; nothing is ever over-committed. It is not safe for concurrent use.
//
// The nodes of a zone are a heap by what is used of them, so that a placement
// costs the logarithm of their number; only when the emptiest one is too small
// for the task, the others are looked at too.
type Scheduler struct {
	zones []*zone // by name
}

type zone struct {
	name  string
	nodes nodes
}

// used is a node with what its tasks reserve.
type used struct {
	Node
	cpu, memory int
	at          int // in the heap
}

// NewScheduler makes a scheduler of empty nodes.
func NewScheduler(all []Node) *Scheduler {
	s := &Scheduler{}
	byName := map[string]*zone{}
	for _, n := range all {
		z := byName[n.Zone]
		if z == nil {
			z = &zone{name: n.Zone}
			byName[n.Zone] = z
			s.zones = append(s.zones, z)
		}
		z.nodes = append(z.nodes, &used{Node: n, at: len(z.nodes)})
	}
	slices.SortFunc(s.zones, func(a, b *zone) int { return cmp.Compare(a.name, b.name) })
	for _, z := range s.zones {
		heap.Init(&z.nodes)
	}
	return s
}

// Reserve accounts for a task that runs already; unknown nodes are passed over.
func (s *Scheduler) Reserve(node string, d Demand) {
	for _, z := range s.zones {
		for _, n := range z.nodes {
			if n.Name == node {
				z.take(n, d)
				return
			}
		}
	}
}

// Spread says how many tasks of a service, and how many free addresses, a
// zone has. Zones without an entry are not asked for.
type Spread map[string]Zone

// Place finds a node for a task and reserves what it demands. With a spread
// only its zones are considered, the one with the fewest tasks first; without,
// the zone whose emptiest node is the emptiest of all.
//
// A refusal is an *Unplaceable that counts why each node was passed over.
func (s *Scheduler) Place(d Demand, spread Spread) (Node, error) {
	zones := make([]*zone, 0, len(s.zones))
	why := &Unplaceable{Demand: d}
	for _, z := range s.zones {
		load, asked := spread[z.name]
		switch {
		case spread != nil && !asked:
			continue
		case spread != nil && load.Free <= 0:
			why.NoAddress += len(z.nodes)
			continue
		}
		zones = append(zones, z)
	}
	slices.SortStableFunc(zones, func(a, b *zone) int {
		if spread == nil {
			return cmp.Compare(a.nodes[0].share(), b.nodes[0].share())
		}
		x, y := spread[a.name], spread[b.name]
		return cmp.Or(cmp.Compare(x.Tasks, y.Tasks), cmp.Compare(y.Free, x.Free))
	})
	for _, z := range zones {
		if n := z.find(d, why); n != nil {
			z.take(n, d)
			return n.Node, nil
		}
	}
	return Node{}, why
}

// find is the emptiest node of the zone that a task fits on.
func (z *zone) find(d Demand, why *Unplaceable) *used {
	if top := z.nodes[0]; top.fits(d) {
		return top
	}
	var best *used
	for _, n := range z.nodes {
		switch {
		case n.Lost:
			why.Lost++
		case n.CPU > 0 && n.cpu+d.CPU > n.CPU:
			why.NoCPU++
		case n.Memory > 0 && n.memory+d.Memory > n.Memory:
			why.NoMemory++
		case best == nil || n.share() < best.share():
			best = n
		}
	}
	return best
}

func (n *used) fits(d Demand) bool {
	return !n.Lost && (n.CPU == 0 || n.cpu+d.CPU <= n.CPU) && (n.Memory == 0 || n.memory+d.Memory <= n.Memory)
}

// share is how full a node is: of what is scarcer, CPU or memory.
func (n *used) share() float64 {
	if n.Lost {
		return 2 // fuller than full
	}
	share := 0.0
	if n.CPU > 0 {
		share = float64(n.cpu) / float64(n.CPU)
	}
	if n.Memory > 0 {
		share = max(share, float64(n.memory)/float64(n.Memory))
	}
	return share
}

func (z *zone) take(n *used, d Demand) {
	n.cpu += d.CPU
	n.memory += d.Memory
	heap.Fix(&z.nodes, n.at)
}

// Unplaceable says why no node takes a task: how many nodes each filter kept
// out.
type Unplaceable struct {
	Demand                           Demand
	Lost, NoCPU, NoMemory, NoAddress int
}

func (u *Unplaceable) Error() string {
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(u.Lost, "lost")
	add(u.NoCPU, fmt.Sprintf("without %d CPU units left", u.Demand.CPU))
	add(u.NoMemory, fmt.Sprintf("without %d MiB of memory left", u.Demand.Memory))
	add(u.NoAddress, "without a free address in the subnets")
	if len(parts) == 0 {
		return "no zone is asked for"
	}
	return "of the places to run it: " + strings.Join(parts, ", ")
}

// nodes is a heap, the emptiest node first.
type nodes []*used

func (h nodes) Len() int           { return len(h) }
func (h nodes) Less(i, j int) bool { return h[i].share() < h[j].share() }
func (h nodes) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push and Pop complete heap.Interface; nodes neither come nor go.
func (h *nodes) Push(any) {}

// Pop completes heap.Interface.
func (h *nodes) Pop() any { return nil }
