// Package accesslog writes lines of access logs as Envoy does: formats are text
// or JSON with command operators, %REQ(:METHOD)% for instance. (Source: Envoy,
// "Access logging", whose operators App Mesh's logging formats have.)
package accesslog

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// defaultText is Envoy's format for those who give none.
const defaultText = `[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" ` +
	`%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% ` +
	`%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ` +
	`"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"` + "\n"

// Format is a compiled format.
type Format struct {
	// Request and Response are the header fields, in lower case, whose values
	// entries have in the same order. Pseudo-headers begin with a colon.
	Request, Response []string

	fields []field
	json   bool
}

// field is a line, or of JSON one of its members.
type field struct {
	key   string
	parts []part
}

// part is a piece of text, or an operator.
type part struct {
	text  string
	value operator // nil: text
	limit int      // bytes of the value; 0: all
}

// Default is Envoy's own format.
func Default() *Format {
	f, err := Text(defaultText)
	if err != nil {
		panic(err)
	}
	return f
}

// Text compiles a format of text, which ends its lines itself.
func Text(text string) (*Format, error) {
	f := &Format{}
	parts, err := f.compile(text)
	f.fields = []field{{parts: parts}}
	return f, err
}

// JSON compiles a format of an object a line. The members are in the order of
// their keys; one that is a single operator has the operator's type.
func JSON(members map[string]string) (*Format, error) {
	f := &Format{json: true}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		parts, err := f.compile(members[key])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		f.fields = append(f.fields, field{key, parts})
	}
	return f, nil
}

// compile takes a text apart.
func (f *Format) compile(text string) (parts []part, err error) {
	for text != "" {
		at := strings.IndexByte(text, '%')
		if at < 0 {
			return append(parts, part{text: text}), nil
		}
		if at > 0 {
			parts = append(parts, part{text: text[:at]})
		}
		text = text[at+1:]
		if strings.HasPrefix(text, "%") {
			parts, text = append(parts, part{text: "%"}), text[1:]
			continue
		}
		var p part
		if p, text, err = f.command(text); err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// command takes NAME, NAME(argument) or either with :length, and the % that
// ends it.
func (f *Format) command(text string) (p part, rest string, err error) {
	end := strings.IndexAny(text, "%(:")
	if end < 0 {
		return p, "", fmt.Errorf("%%%s has no %% at its end", text)
	}
	name, argument, given := text[:end], "", false
	if rest = text[end:]; rest[0] == '(' {
		stop := strings.IndexByte(rest, ')')
		if stop < 0 {
			return p, "", fmt.Errorf("%%%s has no ) at its end", text)
		}
		argument, given, rest = rest[1:stop], true, rest[stop+1:]
	}
	if length, ok := strings.CutPrefix(rest, ":"); ok {
		stop := strings.IndexByte(length, '%')
		if stop < 0 {
			return p, "", fmt.Errorf("%%%s has no %% at its end", text)
		}
		if p.limit, err = strconv.Atoi(length[:stop]); err != nil || p.limit < 1 {
			return p, "", fmt.Errorf("%%%s: %q is not a length", name, length[:stop])
		}
		rest = length[stop:]
	}
	if !strings.HasPrefix(rest, "%") {
		return p, "", fmt.Errorf("%%%s has no %% at its end", name)
	}
	p.value, err = f.operator(name, argument, given)
	return p, rest[1:], err
}

// Append adds the line of an entry to b.
func (f *Format) Append(b []byte, e *Entry) []byte {
	if !f.json {
		return f.fields[0].text(b, e)
	}
	b = append(b, '{')
	for i, m := range f.fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, quoted(m.key)...), ':')
		b = m.member(b, e)
	}
	return append(b, "}\n"...)
}

// text is what there is, and - for what is not.
func (m field) text(b []byte, e *Entry) []byte {
	for _, p := range m.parts {
		if p.value == nil {
			b = append(b, p.text...)
			continue
		}
		v, _ := p.get(e)
		if v == "" {
			v = "-"
		}
		b = append(b, v...)
	}
	return b
}

// member is a number, a string, or null for what is not there.
func (m field) member(b []byte, e *Entry) []byte {
	if len(m.parts) == 1 && m.parts[0].value != nil {
		switch v, number := m.parts[0].get(e); {
		case v == "":
			return append(b, "null"...)
		case number:
			return append(b, v...)
		default:
			return append(b, quoted(v)...)
		}
	}
	return append(b, quoted(string(m.text(nil, e)))...)
}

func (p part) get(e *Entry) (value string, number bool) {
	value, number = p.value(e)
	if p.limit > 0 && len(value) > p.limit {
		value = value[:p.limit]
	}
	return value, number
}

func quoted(s string) []byte {
	b, _ := json.Marshal(s) // of a string: never fails
	return b
}
