package cloudwatch

import (
	"strings"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/arn"
)

// rule is a composite alarm's rule, parsed.
type rule func(state func(alarm string) cloudwatchapi.StateValue) bool

// ruleParser reads rules: ALARM("a") AND (NOT OK(b) OR INSUFFICIENT_DATA(c)),
// TRUE, FALSE; alarms by name or ARN. AND binds closer than OR.
type ruleParser struct {
	rest   string
	alarms []string // named, in order
	bad    bool
	depth  int
}

// parseRule reads a rule and the names of the alarms in it.
func parseRule(s string) (r rule, alarms []string, ok bool) {
	p := &ruleParser{rest: s}
	r = p.or()
	p.space()
	return r, p.alarms, !p.bad && p.rest == ""
}

func (p *ruleParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// word takes a word off, if it is next.
func (p *ruleParser) word(w string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.rest, w)
	if !ok || rest != "" && isLetter(w[0]) && isLetter(rest[0]) {
		return false
	}
	p.rest = rest
	return true
}

func isLetter(b byte) bool { return b == '_' || b|0x20 >= 'a' && b|0x20 <= 'z' }

func (p *ruleParser) or() rule {
	left := p.and()
	for !p.bad && p.word("OR") {
		a, b := left, p.and()
		left = func(s func(string) cloudwatchapi.StateValue) bool { return a(s) || b(s) }
	}
	return left
}

func (p *ruleParser) and() rule {
	left := p.not()
	for !p.bad && p.word("AND") {
		a, b := left, p.not()
		left = func(s func(string) cloudwatchapi.StateValue) bool { return a(s) && b(s) }
	}
	return left
}

func (p *ruleParser) not() rule {
	if p.depth++; p.depth > 200 {
		p.bad = true
	}
	defer func() { p.depth-- }()
	switch {
	case p.bad:
	case p.word("NOT"):
		a := p.not()
		return func(s func(string) cloudwatchapi.StateValue) bool { return !a(s) }
	case p.word("("):
		r := p.or()
		p.bad = p.bad || !p.word(")")
		return r
	case p.word("TRUE"):
		return func(func(string) cloudwatchapi.StateValue) bool { return true }
	case p.word("FALSE"):
		return func(func(string) cloudwatchapi.StateValue) bool { return false }
	case p.word("ALARM"):
		return p.state(cloudwatchapi.StateValueAlarm)
	case p.word("OK"):
		return p.state(cloudwatchapi.StateValueOk)
	case p.word("INSUFFICIENT_DATA"):
		return p.state(cloudwatchapi.StateValueInsufficientData)
	default:
		p.bad = true
	}
	return func(func(string) cloudwatchapi.StateValue) bool { return false }
}

// state reads an alarm in parentheses.
func (p *ruleParser) state(want cloudwatchapi.StateValue) rule {
	p.bad = p.bad || !p.word("(")
	p.space()
	var name string
	var found bool
	if quoted, ok := strings.CutPrefix(p.rest, `"`); ok {
		name, p.rest, found = strings.Cut(quoted, `"`)
		found = found && p.word(")")
	} else {
		name, p.rest, found = strings.Cut(p.rest, ")")
		name = strings.TrimSpace(name)
	}
	if a, err := arn.Parse(name); err == nil {
		name = strings.TrimPrefix(a.Resource, "alarm:")
	}
	p.bad = p.bad || !found || name == ""
	p.alarms = append(p.alarms, name)
	return func(s func(string) cloudwatchapi.StateValue) bool { return s(name) == want }
}

// children are the alarms that a composite alarm depends on.
func children(a Alarm) []string {
	if !a.Composite() {
		return nil
	}
	_, names, _ := parseRule(a.Rule)
	return names
}
