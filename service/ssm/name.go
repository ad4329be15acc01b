package ssm

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/kernel/arn"
)

// Limits of names.
// Source: Systems Manager user guide, Requirements and constraints for parameter names.
const (
	maxName   = 1011
	maxLevels = 15
)

var nameForm = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)

// checkName says whether a new parameter may have a name.
func checkName(name string) error {
	lower := strings.ToLower(name)
	path := strings.Count(name, "/") > 1
	bare := strings.TrimPrefix(lower, "/")
	switch {
	case name == "" || len(name) > maxName:
		return invalid("Parameter name must be between 1 and %d characters long.", maxName)
	case strings.HasPrefix(lower, "/aws/") && path:
		return fault("AccessDeniedException", "No access to reserved parameter name: %s.", name)
	case strings.Contains(name[1:], "/") && name[0] != '/':
		return invalid("Parameter name must be a fully qualified name.")
	case !path && (strings.HasPrefix(bare, "aws") || strings.HasPrefix(bare, "ssm")):
		return invalid("Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).")
	case strings.HasPrefix(bare, "aws"), strings.HasPrefix(bare, "ssm"), !nameForm.MatchString(name),
		strings.Contains(name, "//"), strings.HasSuffix(name, "/"):
		return invalid("Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_")
	case strings.Count(strings.TrimPrefix(name, "/"), "/") >= maxLevels:
		return errLevels
	}
	return nil
}

// selector is a parameter as requests name it: a name or an ARN, and after a
// colon perhaps a version or a label.
type selector struct {
	asked string // as it was asked for
	name  string
	rest  string // with the colon
}

// parseName reads a name of a request. An ARN of another account or region is
// the name of nothing.
func parseName(s arn.Scope, asked string) selector {
	out := selector{asked: asked}
	name := asked
	if strings.HasPrefix(asked, "arn:") {
		a, err := arn.Parse(asked)
		resource, ok := strings.CutPrefix(a.Resource, "parameter/")
		if err != nil || !ok || a.Service != "ssm" || a.Region != s.Region || a.Account != "" && a.Account != s.Account {
			return out
		}
		name = "/" + resource
	}
	if at := strings.IndexByte(name, ':'); at >= 0 {
		name, out.rest = name[:at], name[at:]
	}
	out.name = name
	return out
}

// number is the version that a selector names; 0 is a label, or none.
func (s selector) number() int64 {
	if s.rest == "" {
		return 0
	}
	n, err := strconv.ParseInt(s.rest[1:], 10, 64)
	if err != nil || n < 1 {
		return 0
	}
	return n
}

// spellings are the names of parameters that a name of a request may mean: an
// ARN does not say whether the name begins with a slash.
func (s selector) spellings() []string {
	if bare := strings.TrimPrefix(s.name, "/"); s.asked != "" && strings.HasPrefix(s.asked, "arn:") && !strings.Contains(bare, "/") {
		return []string{s.name, bare}
	}
	return []string{s.name}
}
