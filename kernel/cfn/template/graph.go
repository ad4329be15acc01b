package template

import (
	"maps"
	"slices"
)

// cyclic lists, sorted, the nodes that lie on a circle of the graph (node -> what it needs). Nodes that only lead to a circle are not listed.
func cyclic(graph map[string][]string) []string {
	c := components{graph: graph, index: map[string]int{}, low: map[string]int{}, onStack: map[string]bool{}}
	for _, id := range slices.Sorted(maps.Keys(graph)) {
		if _, seen := c.index[id]; !seen {
			c.visit(id)
		}
	}
	slices.Sort(c.circular)
	return c.circular
}

// components finds strongly connected components (Tarjan).
type components struct {
	graph      map[string][]string
	index, low map[string]int
	stack      []string
	onStack    map[string]bool
	circular   []string
}

func (c *components) visit(id string) {
	c.index[id], c.low[id] = len(c.index), len(c.index)
	c.stack, c.onStack[id] = append(c.stack, id), true
	self := false
	for _, next := range c.graph[id] {
		self = self || next == id
		if _, seen := c.index[next]; !seen {
			c.visit(next)
			c.low[id] = min(c.low[id], c.low[next])
		} else if c.onStack[next] {
			c.low[id] = min(c.low[id], c.index[next])
		}
	}
	if c.low[id] != c.index[id] {
		return
	}
	at := slices.Index(c.stack, id)
	members := c.stack[at:]
	if len(members) > 1 || self {
		c.circular = append(c.circular, members...)
	}
	for _, m := range members {
		c.onStack[m] = false
	}
	c.stack = c.stack[:at]
}

// inOrder sorts resources behind what they need; the graph has no circle.
func inOrder(active []*Resource, needs map[string][]string) []*Resource {
	byID := make(map[string]*Resource, len(active))
	for _, r := range active {
		byID[r.LogicalID] = r
	}
	out := make([]*Resource, 0, len(active))
	done := make(map[string]bool, len(active))
	var visit func(id string)
	visit = func(id string) {
		if done[id] {
			return
		}
		done[id] = true
		for _, need := range needs[id] {
			visit(need)
		}
		out = append(out, byID[id])
	}
	for _, r := range active {
		visit(r.LogicalID)
	}
	return out
}
