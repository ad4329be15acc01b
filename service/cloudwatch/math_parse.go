package cloudwatch

import (
	"math"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// formula computes a value of metric math in an environment.
type formula func(*mathEnv) (mathValue, error)

func errMath(format string, args ...any) *awsapi.Error {
	e := errValue(format, args...)
	return awsapi.Errorf("ValidationError", 400, "Error in expression: %s", e.Message)
}

// mathParser reads expressions (CloudWatch user guide, "Using math
// expressions"). Operators by binding, loosest first: || && comparisons + - * / ^.
type mathParser struct {
	rest  string
	ids   []string // named
	calls []string // functions called
	depth int
}

const maxDepth = 100

// parseMath reads an expression.
func parseMath(s string) (f formula, p *mathParser, err error) {
	p = &mathParser{rest: s}
	f, err = p.binary(0)
	p.space()
	if err == nil && p.rest != "" {
		err = errMath("unexpected %q", p.rest)
	}
	return f, p, err
}

func (p *mathParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *mathParser) take(token string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

type operator struct {
	token string
	f     func(x, y float64) float64
}

var operators = [][]operator{
	{{"||", func(x, y float64) float64 { return truth(x != 0 || y != 0) }}, {"OR ", func(x, y float64) float64 { return truth(x != 0 || y != 0) }}},
	{{"&&", func(x, y float64) float64 { return truth(x != 0 && y != 0) }}, {"AND ", func(x, y float64) float64 { return truth(x != 0 && y != 0) }}},
	{
		{"==", func(x, y float64) float64 { return truth(x == y) }},
		{"!=", func(x, y float64) float64 { return truth(x != y) }},
		{"<=", func(x, y float64) float64 { return truth(x <= y) }},
		{">=", func(x, y float64) float64 { return truth(x >= y) }},
		{"<", func(x, y float64) float64 { return truth(x < y) }},
		{">", func(x, y float64) float64 { return truth(x > y) }},
	},
	{{"+", func(x, y float64) float64 { return x + y }}, {"-", func(x, y float64) float64 { return x - y }}},
	{{"*", func(x, y float64) float64 { return x * y }}, {"/", func(x, y float64) float64 { return x / y }}},
	{{"^", math.Pow}},
}

func (p *mathParser) binary(level int) (formula, error) {
	if level == len(operators) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	for err == nil {
		at := -1
		for i, o := range operators[level] {
			if p.take(o.token) {
				at = i
				break
			}
		}
		if at < 0 {
			return left, nil
		}
		var right formula
		if right, err = p.binary(level + 1); err != nil {
			return nil, err
		}
		a, f := left, operators[level][at].f
		left = func(e *mathEnv) (mathValue, error) {
			x, err := a(e)
			if err != nil {
				return x, err
			}
			y, err := right(e)
			if err != nil {
				return y, err
			}
			return binary(x, y, f)
		}
	}
	return nil, err
}

func (p *mathParser) unary() (formula, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errMath("too deep")
	}
	defer func() { p.depth-- }()
	if p.take("-") {
		f, err := p.unary()
		return func(e *mathEnv) (mathValue, error) {
			v, err := f(e)
			if err != nil {
				return v, err
			}
			return binary(number(-1), v, func(x, y float64) float64 { return x * y })
		}, err
	}
	if p.take("(") {
		f, err := p.binary(0)
		if err == nil && !p.take(")") {
			err = errMath("missing )")
		}
		return f, err
	}
	if p.take("[") {
		list, err := p.list("]")
		return func(e *mathEnv) (mathValue, error) { return joined(e, list) }, err
	}
	return p.primary()
}

// list reads expressions, separated by commas, up to the closing token.
func (p *mathParser) list(closing string) (list []formula, err error) {
	if p.take(closing) {
		return nil, nil
	}
	for {
		f, err := p.binary(0)
		if err != nil {
			return nil, err
		}
		list = append(list, f)
		if p.take(closing) {
			return list, nil
		}
		if !p.take(",") {
			return nil, errMath("missing %s", closing)
		}
	}
}

// joined makes one array of values.
func joined(e *mathEnv, list []formula) (mathValue, error) {
	out := mathValue{kind: many}
	for _, f := range list {
		v, err := f(e)
		if err != nil {
			return v, err
		}
		if v.kind == scalar {
			v.list = []*series{{constant: new(v.num)}}
		}
		out.list = append(out.list, v.list...)
	}
	return out, nil
}

func (p *mathParser) primary() (formula, error) {
	p.space()
	n := 0
	for n < len(p.rest) && (isLetter(p.rest[n]) || n > 0 && p.rest[n] >= '0' && p.rest[n] <= '9') {
		n++
	}
	if n == 0 {
		return p.number()
	}
	name := p.rest[:n]
	p.rest = p.rest[n:]
	if !p.take("(") {
		if name == "REPEAT" || name == "LINEAR" {
			return func(*mathEnv) (mathValue, error) { return number(0), errMath("%s is only valid in FILL", name) }, nil
		}
		p.ids = append(p.ids, name)
		return func(e *mathEnv) (mathValue, error) { return e.value(name) }, nil
	}
	p.calls = append(p.calls, name)
	switch name {
	case "METRICS", "SEARCH":
		return p.words(name)
	case "FILL":
		return p.fill()
	}
	args, err := p.list(")")
	if err != nil {
		return nil, err
	}
	return call(name, args)
}

// words reads the strings and numbers that METRICS and SEARCH take.
func (p *mathParser) words(name string) (formula, error) {
	var args []string
	for !p.take(")") {
		if len(args) > 0 && !p.take(",") {
			return nil, errMath("missing )")
		}
		p.space()
		if p.rest != "" && (p.rest[0] == '\'' || p.rest[0] == '"') {
			word, rest, ok := strings.Cut(p.rest[1:], p.rest[:1])
			if !ok {
				return nil, errMath("missing %s", p.rest[:1])
			}
			args, p.rest = append(args, word), rest
			continue
		}
		n := strings.IndexAny(p.rest, ",) ")
		if n <= 0 {
			return nil, errMath("missing )")
		}
		args, p.rest = append(args, p.rest[:n]), p.rest[n:]
	}
	if name == "METRICS" {
		part := strings.Join(args, "")
		return func(e *mathEnv) (mathValue, error) { return e.metrics(part) }, nil
	}
	return parseSearch(args)
}

// fill reads FILL's arguments, of which the second may be a word.
func (p *mathParser) fill() (formula, error) {
	f, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	if !p.take(",") {
		return nil, errMath("FILL takes two arguments")
	}
	var with formula
	mode := ""
	for _, m := range []string{"REPEAT", "LINEAR"} {
		if p.take(m) {
			mode = m
		}
	}
	if mode == "" {
		if with, err = p.binary(0); err != nil {
			return nil, err
		}
	}
	if !p.take(")") {
		return nil, errMath("missing )")
	}
	return fill(f, with, mode), nil
}

func (p *mathParser) number() (formula, error) {
	n := 0
	for n < len(p.rest) && strings.IndexByte("0123456789.", p.rest[n]) >= 0 {
		n++
	}
	if n > 0 && n < len(p.rest)-1 && (p.rest[n] == 'e' || p.rest[n] == 'E') {
		m := n + 1
		if p.rest[m] == '-' || p.rest[m] == '+' {
			m++
		}
		for m < len(p.rest) && p.rest[m] >= '0' && p.rest[m] <= '9' {
			m, n = m+1, m+1
		}
	}
	v, err := strconv.ParseFloat(p.rest[:n], 64)
	if err != nil {
		return nil, errMath("unexpected %q", p.rest)
	}
	p.rest = p.rest[n:]
	return func(*mathEnv) (mathValue, error) { return number(v), nil }, nil
}
