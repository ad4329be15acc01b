package proxy

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"
)

// route is a compiled rule.
type route struct {
	rule  Rule
	conds []matcher
	fwd   []share
	total int // sum of weights
}

type share struct {
	group  *group
	weight int
}

// matcher is a compiled condition: it holds when any pattern does.
type matcher struct {
	field    Field
	name     string // lower case
	patterns []pattern
	regex    []*regexp.Regexp
	nets     []netip.Prefix
	query    []KeyValue
}

// pattern is a glob; the usual forms, a plain text and a text followed by
// one star, are compared without it.
type pattern struct {
	text   string
	prefix bool // text followed by *
	glob   bool
}

func compilePattern(s string) pattern {
	switch i := strings.IndexAny(s, "*?"); {
	case i < 0:
		return pattern{text: s}
	case i == len(s)-1 && s[i] == '*':
		return pattern{text: s[:i], prefix: true}
	}
	return pattern{text: s, glob: true}
}

func (p *pattern) match(b []byte, fold bool) bool {
	switch {
	case p.glob:
		return glob(p.text, b, fold)
	case len(b) < len(p.text) || !p.prefix && len(b) != len(p.text):
		return false
	case !fold:
		return string(b[:len(p.text)]) == p.text
	}
	for i := range len(p.text) {
		if lower(b[i]) != lower(p.text[i]) {
			return false
		}
	}
	return true
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

func compileCondition(c Condition) (matcher, error) {
	m := matcher{field: c.Field, name: strings.ToLower(c.Name), query: c.Query}
	for _, v := range c.Values {
		if c.Field == SourceIP {
			n, err := netip.ParsePrefix(v)
			if err != nil {
				return m, err
			}
			m.nets = append(m.nets, n.Masked())
			continue
		}
		m.patterns = append(m.patterns, compilePattern(v))
	}
	for _, v := range c.Regex {
		if c.Field != PathPattern { // all but paths are compared without case
			v = "(?i)" + v
		}
		re, err := regexp.Compile(v)
		if err != nil {
			return m, err
		}
		m.regex = append(m.regex, re)
	}
	return m, nil
}

func (rt *route) match(r *request) bool {
	for i := range rt.conds {
		if !rt.conds[i].match(r) {
			return false
		}
	}
	return true
}

func (m *matcher) match(r *request) bool {
	switch m.field {
	case PathPattern:
		return m.text(r.path, false)
	case HostHeader:
		return m.text(r.hostname(), true)
	case Method:
		for i := range m.patterns {
			if string(r.method) == m.patterns[i].text {
				return true
			}
		}
		return false
	case HTTPHeader:
		for i := range r.fields {
			if f := &r.fields[i]; equalFold(f.name, m.name) && m.text(f.value, true) {
				return true
			}
		}
		return false
	case QueryString:
		return m.queryString(r.query)
	case SourceIP:
		ip := r.client.Addr().Unmap()
		for _, n := range m.nets {
			if n.Contains(ip) {
				return true
			}
		}
		return false
	}
	return false
}

func (m *matcher) text(b []byte, fold bool) bool {
	for i := range m.patterns {
		if m.patterns[i].match(b, fold) {
			return true
		}
	}
	for _, re := range m.regex {
		if re.Match(b) {
			return true
		}
	}
	return false
}

func (m *matcher) queryString(q []byte) bool {
	for len(q) > 0 {
		var pair []byte
		pair, q = cutByte(q, '&')
		key, value, _ := bytes.Cut(pair, []byte("="))
		for _, kv := range m.query {
			if (kv.Key == "" || glob(kv.Key, key, true)) && glob(kv.Value, value, true) {
				return true
			}
		}
	}
	return false
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
