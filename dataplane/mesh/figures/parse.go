package figures

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// sample is one line of the Prometheus text format.
type sample struct {
	name   string
	labels map[string]string
	value  float64
}

// Bounds on what is read of a proxy: it runs beside somebody else's program.
const (
	maxText    = 4 << 20
	maxSamples = 100_000
)

// parse reads Prometheus's text exposition format, version 0.0.4. Comments
// and timestamps are passed over; a line that is none of the format is an
// error.
func parse(r io.Reader, each func(sample)) error {
	lines := bufio.NewScanner(io.LimitReader(r, maxText))
	lines.Buffer(nil, 64<<10)
	n := 0
	for lines.Scan() {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		if n++; n > maxSamples {
			return fmt.Errorf("more than %d figures", maxSamples)
		}
		s, err := parseLine(text)
		if err != nil {
			return fmt.Errorf("figure %d: %w", n, err)
		}
		each(s)
	}
	return lines.Err()
}

func parseLine(text string) (s sample, err error) {
	at := strings.IndexAny(text, "{ \t")
	if at <= 0 {
		return s, fmt.Errorf("%.40q has no value", text)
	}
	s.name = text[:at]
	rest := text[at:]
	if rest[0] == '{' {
		if s.labels, rest, err = parseLabels(rest[1:]); err != nil {
			return s, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	fields := strings.Fields(rest)
	if len(fields) == 0 || len(fields) > 2 {
		return s, fmt.Errorf("%s: want a value and perhaps a time, got %.40q", s.name, rest)
	}
	s.value, err = strconv.ParseFloat(fields[0], 64)
	return s, err
}

// parseLabels reads name="value",... up to the closing brace.
func parseLabels(text string) (labels map[string]string, rest string, err error) {
	labels = map[string]string{}
	for {
		text = strings.TrimLeft(text, ", ")
		if strings.HasPrefix(text, "}") {
			return labels, text[1:], nil
		}
		name, after, ok := strings.Cut(text, "=\"")
		if !ok {
			return nil, "", fmt.Errorf("label without value in %.40q", text)
		}
		value, end, ok := unquote(after)
		if !ok {
			return nil, "", fmt.Errorf("label %s does not end", name)
		}
		labels[strings.TrimSpace(name)] = value
		text = after[end:]
	}
}

// unquote reads a label's value, with its escapes, and where it ends.
func unquote(text string) (value string, end int, ok bool) {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			return out.String(), i + 1, true
		case '\\':
			if i++; i == len(text) {
				return "", 0, false
			}
			if text[i] == 'n' {
				out.WriteByte('\n')
			} else {
				out.WriteByte(text[i])
			}
		default:
			out.WriteByte(c)
		}
	}
	return "", 0, false
}
