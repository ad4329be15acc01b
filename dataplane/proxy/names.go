package proxy

import (
	"cmp"
	"slices"
	"strings"
)

// names finds the listener of a chain that a host belongs to: by the whole
// name, then by the longest wildcard that ends or begins it, then by *.
// Letters of either case are the same.
type names struct {
	exact    map[string]*virtual
	suffixes []wildcard // "*.local", the longest first
	prefixes []wildcard // "payment.*"
	rest     *virtual
}

type wildcard struct {
	text string // without its star
	v    *virtual
}

// newNames indexes the names of a chain's listeners. A listener without names,
// and one that is alone at a socket nothing is redirected to, takes what is
// left; of listeners with one name the first has it.
func newNames(ch *chain) names {
	n := names{exact: map[string]*virtual{}}
	for _, v := range ch.all {
		for _, name := range v.cfg.Names {
			n.add(strings.ToLower(name), v)
		}
		if n.rest == nil && (len(v.cfg.Names) == 0 && ch.key.Redirected || len(ch.all) == 1 && !ch.key.Redirected) {
			n.rest = v
		}
	}
	longest := func(a, b wildcard) int { return cmp.Compare(len(b.text), len(a.text)) }
	slices.SortStableFunc(n.suffixes, longest)
	slices.SortStableFunc(n.prefixes, longest)
	return n
}

func (n *names) add(name string, v *virtual) {
	switch {
	case name == "*":
		if n.rest == nil {
			n.rest = v
		}
	case strings.HasPrefix(name, "*"):
		n.suffixes = append(n.suffixes, wildcard{name[1:], v})
	case strings.HasSuffix(name, "*"):
		n.prefixes = append(n.prefixes, wildcard{name[:len(name)-1], v})
	case n.exact[name] == nil:
		n.exact[name] = v
	}
}

// find takes a host with or without port; names may have one, too. Of each
// kind a name that fits the host with its port goes first.
func (n *names) find(host []byte) *virtual {
	if v := n.exact[string(host)]; v != nil {
		return v
	}
	bare := stripPort(host)
	if v := n.exact[string(bare)]; v != nil {
		return v
	}
	if hasUpper(host) {
		return n.find([]byte(strings.ToLower(string(host))))
	}
	// The star stands for at least one character.
	for _, w := range n.suffixes {
		if len(host) > len(w.text) && strings.HasSuffix(string(host), w.text) || len(bare) > len(w.text) && strings.HasSuffix(string(bare), w.text) {
			return w.v
		}
	}
	for _, w := range n.prefixes {
		if len(bare) > len(w.text) && strings.HasPrefix(string(bare), w.text) || len(host) > len(w.text) && strings.HasPrefix(string(host), w.text) {
			return w.v
		}
	}
	return n.rest
}

func hasUpper(b []byte) bool {
	for _, c := range b {
		if 'A' <= c && c <= 'Z' {
			return true
		}
	}
	return false
}
