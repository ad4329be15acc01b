package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
)

// maxDepth bounds nesting, so that no source can exhaust the stack.
const maxDepth = 100

// jsonReader builds nodes from JSON tokens, with their places.
type jsonReader struct {
	src   []byte
	dec   *json.Decoder
	lines []int // offsets where lines begin
}

func readJSON(src []byte) (*Node, error) {
	r := &jsonReader{src: src, dec: json.NewDecoder(bytes.NewReader(src)), lines: []int{0}}
	r.dec.UseNumber()
	for i, c := range src {
		if c == '\n' {
			r.lines = append(r.lines, i+1)
		}
	}
	n, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, r.malformed()
	}
	return n, nil
}

func (r *jsonReader) place(offset int64) (line, column int) {
	i := sort.SearchInts(r.lines, int(offset)+1)
	return i, int(offset) - r.lines[i-1] + 1
}

func (r *jsonReader) malformed() error {
	line, column := r.place(min(r.dec.InputOffset(), int64(len(r.src))))
	return &Error{Message: fmt.Sprintf("Template format error: JSON not well-formed. (line %d, column %d)", line, column), Line: line, Column: column}
}

// start is the place of the token that comes next.
func (r *jsonReader) start() (line, column int) {
	at := r.dec.InputOffset()
	for at < int64(len(r.src)) && bytes.IndexByte([]byte(" \t\r\n,:"), r.src[at]) >= 0 {
		at++
	}
	return r.place(at)
}

func (r *jsonReader) value(depth int) (*Node, error) {
	line, column := r.start()
	tok, err := r.dec.Token()
	if err != nil || depth > maxDepth {
		return nil, r.malformed()
	}
	n := &Node{Line: line, Column: column}
	switch x := tok.(type) {
	case nil:
	case bool:
		n.Kind, n.Text = Bool, fmt.Sprint(x)
	case json.Number:
		n.Kind, n.Text = Number, x.String()
	case string:
		n.Kind, n.Text = String, x
	case json.Delim:
		if x == '[' {
			n.Kind = List
			return n, r.list(n, depth)
		}
		n.Kind = Map
		return n, r.object(n, depth)
	}
	return n, nil
}

func (r *jsonReader) list(n *Node, depth int) error {
	for r.dec.More() {
		item, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		n.Items = append(n.Items, item)
	}
	return r.end()
}

func (r *jsonReader) object(n *Node, depth int) error {
	seen := make(map[string]bool)
	for r.dec.More() {
		tok, err := r.dec.Token()
		key, ok := tok.(string)
		if err != nil || !ok {
			return r.malformed()
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		if seen[key] {
			return duplicate(v, key)
		}
		seen[key] = true
		n.Entries = append(n.Entries, Entry{key, v})
	}
	return r.end()
}

func (r *jsonReader) end() error {
	if _, err := r.dec.Token(); err != nil {
		return r.malformed()
	}
	return nil
}

func duplicate(n *Node, key string) error {
	return fail(n, "Template format error: Duplicate key %q (line %d, column %d)", key, n.Line, n.Column)
}
