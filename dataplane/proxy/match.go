package proxy

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// matcher is a compiled condition: it holds when any value of the request's
// matches in any way.
type matcher struct {
	field    Field
	name     string // lower case but for query parameters
	not      bool
	patterns []pattern
	nets     []netip.Prefix
	query    []KeyValue

	exact, prefix, suffix []string
	regex                 []*regexp.Regexp // of the whole value
	present               bool
	within                *Range
}

func compileCondition(c Condition) (matcher, error) {
	m := matcher{
		field: c.Field, name: strings.ToLower(c.Name), not: c.Not, query: c.Query,
		exact: c.Exact, prefix: c.Prefix, suffix: c.Suffix, present: c.Present, within: c.Range,
	}
	if c.Field == QueryParameter {
		m.name = c.Name
	}
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
		if _, err := regexp.Compile(v); err != nil { // by itself: anchors must not mend it
			return m, fmt.Errorf("condition %s: %w", c.Field, err)
		}
		re, err := regexp.Compile(`\A(?:` + v + `)\z`)
		if err != nil {
			return m, fmt.Errorf("condition %s: %w", c.Field, err)
		}
		m.regex = append(m.regex, re)
	}
	return m, nil
}

func (m *matcher) match(r *request) bool { return m.holds(r) != m.not }

func (m *matcher) holds(r *request) bool {
	switch m.field {
	case PathPattern:
		return m.value(r.path, false)
	case HostHeader:
		bare := r.hostname()
		return m.value(bare, true) || len(bare) != len(r.host) && m.meshed(r.host)
	case Method:
		for i := range m.patterns {
			if string(r.method) == m.patterns[i].text {
				return true
			}
		}
		return m.meshed(r.method)
	case HTTPHeader:
		for i := range r.fields {
			if f := &r.fields[i]; equalFold(f.name, m.name) && m.value(f.value, true) {
				return true
			}
		}
		return false
	case QueryString:
		return m.queryString(r.query)
	case QueryParameter:
		return m.parameter(r.query)
	case Scheme:
		return m.value([]byte(r.scheme), false)
	case Port:
		var text [5]byte
		return m.value(strconv.AppendUint(text[:0], uint64(r.port), 10), false)
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

// value reports whether one value matches in any way. fold is for the ways of
// load balancers.
func (m *matcher) value(b []byte, fold bool) bool {
	for i := range m.patterns {
		if m.patterns[i].match(b, fold) {
			return true
		}
	}
	return m.meshed(b)
}

// meshed is the ways that meshes match in.
func (m *matcher) meshed(b []byte) bool {
	if m.present {
		return true
	}
	for _, s := range m.exact {
		if string(b) == s {
			return true
		}
	}
	for _, s := range m.prefix {
		if len(b) >= len(s) && string(b[:len(s)]) == s {
			return true
		}
	}
	for _, s := range m.suffix {
		if len(b) >= len(s) && string(b[len(b)-len(s):]) == s {
			return true
		}
	}
	for _, re := range m.regex {
		if re.Match(b) {
			return true
		}
	}
	if m.within != nil && len(b) <= 20 {
		n, err := strconv.ParseInt(string(b), 10, 64)
		return err == nil && n >= m.within.From && n < m.within.To
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

// parameter looks at the values of one query parameter, percent-decoded.
func (m *matcher) parameter(q []byte) bool {
	for len(q) > 0 {
		var pair []byte
		pair, q = cutByte(q, '&')
		key, value, _ := bytes.Cut(pair, []byte("="))
		if string(decoded(key)) == m.name && m.value(decoded(value), false) {
			return true
		}
	}
	return false
}

// decoded replaces %XX; what is no such code stays.
func decoded(b []byte) []byte {
	i := bytes.IndexByte(b, '%')
	if i < 0 {
		return b
	}
	out := append(make([]byte, 0, len(b)), b[:i]...)
	for ; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) {
			if n, err := strconv.ParseUint(string(b[i+1:i+3]), 16, 8); err == nil {
				out = append(out, byte(n))
				i += 2
				continue
			}
		}
		out = append(out, b[i])
	}
	return out
}
