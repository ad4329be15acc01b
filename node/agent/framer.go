package agent

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxEvent is how long an event may be: CloudWatch Logs takes 256 KiB, of
// which each event costs 26 bytes (PutLogEvents in its API reference).
const maxEvent = 256<<10 - 26

// framer cuts a container's output into events: lines, or with a start
// pattern the lines from one that matches to the next. What is too long
// becomes several events.
type framer struct {
	start *regexp.Regexp // nil: every line is an event

	line      []byte // of which the end has not been read
	continued bool   // line is the rest of a longer one
	event     []byte // of which the next line may be a part; only with start
}

// pending is how many bytes were pushed that are in no event yet.
func (f *framer) pending() int64 { return int64(len(f.line) + len(f.event)) }

// push takes output in and returns the events that are complete with it.
func (f *framer) push(b []byte) []string {
	var out []string
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			f.line = append(f.line, b...)
			return f.shorten(out)
		}
		f.line = append(f.line, b[:end]...)
		b = b[end+1:]
		out = f.shorten(out)
		out = f.take(out, f.line, true)
		f.line, f.continued = f.line[:0], false
	}
	return out
}

// shorten takes the beginning off a line that is too long, no character broken.
func (f *framer) shorten(out []string) []string {
	for len(f.line) > maxEvent {
		n := maxEvent
		for n > maxEvent-utf8.UTFMax && !utf8.RuneStart(f.line[n]) {
			n--
		}
		out = f.take(out, f.line[:n], false)
		f.line, f.continued = bytes.Clone(f.line[n:]), true
	}
	return out
}

// take makes a line, or a part of one, an event or a part of one.
func (f *framer) take(out []string, line []byte, newline bool) []string {
	if f.start == nil {
		return append(out, text(line))
	}
	if !f.continued && f.start.Match(line) || len(f.event)+len(line) > maxEvent {
		out = f.endEvent(out)
	}
	f.event = append(f.event, line...)
	if newline {
		f.event = append(f.event, '\n')
	}
	return out
}

func (f *framer) endEvent(out []string) []string {
	if len(f.event) > 0 {
		out = append(out, text(bytes.TrimSuffix(f.event, []byte("\n"))))
	}
	f.event = f.event[:0]
	return out
}

// flush returns what is left: at the end, or when no more has come for long.
// An unfinished line is only cut off at the end.
func (f *framer) flush(end bool) []string {
	var out []string
	if end && len(f.line) > 0 {
		out = f.take(out, f.line, false)
		f.line, f.continued = nil, false
	}
	return f.endEvent(out)
}

func text(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

// strftime are the directives of awslogs-datetime-format as regular
// expressions (the awslogs driver's page in Docker's manual).
var strftime = map[byte]string{
	'a': `(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)`, 'A': `(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)`,
	'b': `(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)`,
	'B': `(?:January|February|March|April|May|June|July|August|September|October|November|December)`,
	'Y': `\d{4}`, 'd': `\d{2}`, 'm': `\d{2}`, 'y': `\d{2}`, 'H': `\d{2}`, 'I': `\d{2}`, 'M': `\d{2}`, 'S': `\d{2}`, 'w': `[0-6]`,
	'p': `[AP]M`, 'f': `\d{6}`, 'L': `\d{3}`, 'j': `\d{3}`, 'z': `[+-]\d{4}`, 'Z': `[A-Z]{1,4}T`, '%': `%`,
}

// multilineStart is the pattern that begins an event, or nil. A pattern that
// does not compile begins none; ECS refuses it at registration.
func multilineStart(log Log) *regexp.Regexp {
	pattern := log.MultilineStart
	if log.DatetimeFormat != "" { // it wins over the pattern
		var b strings.Builder
		format := log.DatetimeFormat
		for i := 0; i < len(format); i++ {
			if format[i] == '%' && i+1 < len(format) && strftime[format[i+1]] != "" {
				i++
				b.WriteString(strftime[format[i]])
				continue
			}
			b.WriteString(regexp.QuoteMeta(format[i : i+1]))
		}
		pattern = b.String()
	}
	if pattern == "" {
		return nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil
	}
	return re
}
