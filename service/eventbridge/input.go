package eventbridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	api "github.com/slipway-dev/slipway/api/eventsapi"
)

// input is what a target gets of an event: all of it, a constant, a part, or a
// template filled in.
// Source: Amazon EventBridge user guide, Amazon EventBridge input transformation.
func input(r Rule, t api.Target, event string, at time.Time) (string, error) {
	switch {
	case t.Input != nil:
		return *t.Input, nil
	case t.InputPath != nil:
		part, _, err := lookUp(event, *t.InputPath)
		return string(part), err
	case t.InputTransformer != nil:
		return transform(r, *t.InputTransformer, event, at)
	}
	return event, nil
}

// transform fills a template in. In a JSON string a placeholder becomes text,
// elsewhere a JSON value; one whose path is not in the event becomes nothing.
func transform(r Rule, t api.InputTransformer, event string, at time.Time) (string, error) {
	values := map[string][]byte{
		"aws.events.rule-arn": quote(r.ARN()), "aws.events.rule-name": quote(r.Name), "aws.events.event.ingestion-time": quote(stamp(at)),
		"aws.events.event.json": []byte(event), "aws.events.event": []byte(event),
	}
	for name, path := range t.InputPathsMap {
		v, ok, err := lookUp(event, path)
		if err != nil {
			return "", err
		}
		if ok {
			values[name] = v
		} else {
			values[name] = nil
		}
	}
	var out strings.Builder
	quoted := false
	text := *t.InputTemplate
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			out.WriteByte(c)
			i++
			out.WriteByte(text[i])
		case c == '"':
			quoted = !quoted
			out.WriteByte(c)
		case c == '<':
			end := strings.IndexByte(text[i:], '>')
			name := ""
			if end > 0 {
				name = text[i+1 : i+end]
			}
			v, known := values[name]
			if !known {
				out.WriteByte(c)
				continue
			}
			out.Write(placed(v, quoted))
			i += end
		default:
			out.WriteByte(c)
		}
	}
	if !json.Valid([]byte(out.String())) {
		return "", fmt.Errorf("the template of rule %s, filled in, is not valid JSON", r.Name)
	}
	return out.String(), nil
}

// placed is a JSON value as it stands in a template.
func placed(v []byte, quoted bool) []byte {
	var s string
	switch {
	case v == nil && !quoted:
		return []byte(`""`)
	case !quoted:
		return v
	case json.Unmarshal(v, &s) == nil:
		return v[1 : len(v)-1] // a string, without its quotes
	}
	escaped := quote(string(v))
	return escaped[1 : len(escaped)-1]
}

func quote(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always can be
	return bytes.TrimSpace(b.Bytes())
}

// parsePath reads the JSON paths that EventBridge takes: $.detail.containers[0].name
// and $['detail-type']. A step is the name of a field or a number.
func parsePath(path string) (steps []any, err error) {
	rest, ok := strings.CutPrefix(path, "$")
	if !ok {
		return nil, errors.New("a path begins with $")
	}
	for rest != "" {
		switch {
		case strings.HasPrefix(rest, "['"):
			name, after, ok := strings.Cut(rest[2:], "']")
			if !ok || name == "" {
				return nil, errors.New("a bracket is not closed")
			}
			steps, rest = append(steps, name), after
		case rest[0] == '[':
			digits, after, ok := strings.Cut(rest[1:], "]")
			n, err := strconv.Atoi(digits)
			if !ok || err != nil || n < 0 {
				return nil, errors.New("in brackets there is a number or a quoted name")
			}
			steps, rest = append(steps, n), after
		case rest[0] == '.':
			end := strings.IndexAny(rest[1:], ".[") + 1
			if end == 0 {
				end = len(rest)
			}
			if end == 1 {
				return nil, errors.New("a name is empty")
			}
			steps, rest = append(steps, rest[1:end]), rest[end:]
		default:
			return nil, errors.New("a step begins with . or [")
		}
	}
	return steps, nil
}

// lookUp finds the JSON value at a path; false where there is none.
func lookUp(event, path string) ([]byte, bool, error) {
	steps, err := parsePath(path)
	if err != nil {
		return nil, false, err
	}
	at := json.RawMessage(event)
	for _, step := range steps {
		var next json.RawMessage
		switch step := step.(type) {
		case string:
			var m map[string]json.RawMessage
			if json.Unmarshal(at, &m) == nil {
				next = m[step]
			}
		case int:
			var list []json.RawMessage
			if json.Unmarshal(at, &list) == nil && step < len(list) {
				next = list[step]
			}
		}
		if next == nil {
			return nil, false, nil
		}
		at = next
	}
	return at, true, nil
}
