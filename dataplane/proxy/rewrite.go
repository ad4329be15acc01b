package proxy

import (
	"fmt"
	"regexp"
	"strings"
)

// rewriter is a compiled Rewrite.
type rewriter struct {
	cfg      Rewrite
	regex    *regexp.Regexp
	template []byte // Substitute, in the form Go's regexp takes
}

func newRewriter(r Rewrite) (*rewriter, error) {
	for what, s := range map[string]string{"path": r.Path, "prefix": r.Prefix, "substitute": r.Substitute} {
		if !all([]byte(s), isTarget) || strings.ContainsAny(s, "?#") {
			return nil, fmt.Errorf("rewrite: the %s %q cannot be a part of a path", what, s)
		}
	}
	if !validHost([]byte(r.Host)) {
		return nil, fmt.Errorf("rewrite: %q is no host", r.Host)
	}
	rw := &rewriter{cfg: r}
	if r.Regex == "" {
		return rw, nil
	}
	re, err := regexp.Compile(r.Regex)
	if err != nil {
		return nil, fmt.Errorf("rewrite: %w", err)
	}
	rw.regex = re
	rw.template, err = template(r.Substitute, re.NumSubexp())
	return rw, err
}

// template turns RE2's \1 into Go's ${1}; \\ is a backslash.
func template(s string, groups int) ([]byte, error) {
	var out []byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '$':
			out = append(out, "$$"...)
		case c != '\\':
			out = append(out, c)
		case i+1 < len(s) && s[i+1] == '\\':
			out = append(out, '\\')
			i++
		case i+1 < len(s) && digit(s[i+1]) && int(s[i+1]-'0') <= groups:
			out = append(out, '$', '{', s[i+1], '}')
			i++
		default:
			return nil, fmt.Errorf("rewrite: substitute %q: a backslash goes before another one or the number of a group, of which there are %d", s, groups)
		}
	}
	return out, nil
}

// appendPath writes what becomes of a path, which always begins with a slash.
func (rw *rewriter) appendPath(out, path []byte) []byte {
	from := len(out)
	switch c := &rw.cfg; {
	case c.Path != "":
		out = append(out, c.Path...)
	case rw.regex != nil:
		out = append(out, rw.regex.ReplaceAll(path, rw.template)...)
	case c.Prefix != "" && len(path) >= len(c.Match) && string(path[:len(c.Match)]) == c.Match:
		out = append(append(out, c.Prefix...), path[len(c.Match):]...)
	default:
		return append(out, path...)
	}
	if len(out) == from || out[from] != '/' {
		out = append(out, 0)
		copy(out[from+1:], out[from:])
		out[from] = '/'
	}
	return out
}

// appendTarget writes the request target as the target of the group is asked
// for it.
func (rt *route) appendTarget(out []byte, r *request) []byte {
	if rt.to == nil || len(r.path) == 0 || r.path[0] != '/' { // or "*"
		return append(out, r.target...)
	}
	out = rt.to.appendPath(out, r.path)
	if len(r.path) < len(r.target) {
		out = append(out, r.target[len(r.path):]...) // the question mark, and what follows
	}
	return out
}

// host is the Host that the target of the group is told.
func (rt *route) host(r *request) []byte {
	if rt.to != nil && rt.to.cfg.Host != "" {
		return []byte(rt.to.cfg.Host)
	}
	return r.host
}
