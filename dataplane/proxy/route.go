package proxy

import (
	"crypto/tls"
	"fmt"
	"strings"
	"time"
)

// route is a compiled rule.
type route struct {
	rule  Rule
	conds []matcher
	fwd   []share
	total int // sum of weights
	to    *rewriter
}

type share struct {
	group  *group
	weight int
}

func compileRule(r Rule, groups map[string]*group) (*route, error) {
	rt := &route{rule: r}
	for _, c := range r.Conditions {
		m, err := compileCondition(c)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", r.ID, err)
		}
		rt.conds = append(rt.conds, m)
	}
	if f := r.Action.Forward; f != nil {
		if err := rt.shares(f, groups); err != nil {
			return nil, fmt.Errorf("rule %s: %w", r.ID, err)
		}
		if f.Rewrite != nil {
			to, err := newRewriter(*f.Rewrite)
			if err != nil {
				return nil, fmt.Errorf("rule %s: %w", r.ID, err)
			}
			rt.to = to
		}
	}
	return rt, nil
}

func (rt *route) shares(f *Forward, groups map[string]*group) error {
	for _, w := range f.Groups {
		g := groups[w.Group]
		if g == nil {
			return fmt.Errorf("no group %q", w.Group)
		}
		rt.fwd = append(rt.fwd, share{g, w.Weight})
		rt.total += w.Weight
	}
	return nil
}

func (rt *route) match(r *request) bool {
	for i := range rt.conds {
		if !rt.conds[i].match(r) {
			return false
		}
	}
	return true
}

// choose draws a group by weight, nil when no group has any.
func (rt *route) choose(rnd *random) *group {
	if len(rt.fwd) == 1 && rt.total > 0 {
		return rt.fwd[0].group
	}
	if rt.total == 0 {
		return nil
	}
	n := int(rnd.next() % uint32(rt.total))
	for _, s := range rt.fwd {
		if n -= s.weight; n < 0 {
			return s.group
		}
	}
	return nil
}

// named is the group a group-stickiness cookie names, if it is still one of
// the rule's and gets a share.
func (rt *route) named(id []byte) *group {
	for _, s := range rt.fwd {
		if s.group.id == string(id) && s.weight > 0 {
			return s.group
		}
	}
	return nil
}

// virtual is a compiled listener.
type virtual struct {
	cfg    Listener
	owner  *owner
	meter  *listenerMeter
	routes []*route
	tcp    *route // of Listener.TCP
	set    []byte // Settings.ResponseFields, as header lines
	port   []byte
	idle   time.Duration
	age    int64
	tls    *tls.Config
	certs  []*tls.Certificate
}

func (v *virtual) route(r *request) *route {
	for _, rt := range v.routes {
		if rt.match(r) {
			return rt
		}
	}
	return nil
}

// replaces reports whether a field of a response is set by the listener.
func (v *virtual) replaces(name []byte) bool {
	for _, f := range v.cfg.Settings.ResponseFields {
		if len(f[0]) == len(name) && strings.EqualFold(f[0], string(name)) {
			return true
		}
	}
	return false
}
