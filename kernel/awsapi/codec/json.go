package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// ParseJSON makes a tree of a JSON body: map[string]any, []any, string,
// json.Number, bool and nil. An empty body is an empty object.
func ParseJSON(body []byte) (any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return map[string]any{}, nil
	}
	if tooDeep(body) {
		return nil, &DecodeError{Message: "the request body is nested too deeply"}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, &DecodeError{Message: "could not parse request body: " + err.Error()}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, &DecodeError{Message: "could not parse request body: data follows the JSON value"}
	}
	return tree, nil
}

// tooDeep counts brackets outside strings.
func tooDeep(body []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}', c == ']':
			depth--
		}
	}
	return false
}
