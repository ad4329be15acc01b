package manifest

import (
	"fmt"
	"strings"
	"time"
)

// Duration is a time span written as 500ms, 10s, 2m or 1h30m.
type Duration time.Duration

// String renders it as the file would: 10s, 2m, 1h30m.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Seconds is the span in whole seconds, which is how AWS counts.
func (d Duration) Seconds() int { return int(time.Duration(d) / time.Second) }

// whole says what is wrong with a span that AWS cannot express: most are whole seconds, some (fine) whole milliseconds.
func whole(d Duration, text string, fine bool) error {
	unit, name := time.Second, "seconds"
	if fine {
		unit, name = time.Millisecond, "milliseconds"
	}
	if time.Duration(d)%unit != 0 {
		return fmt.Errorf("%q is not a whole number of %s, which is what AWS counts in", text, name)
	}
	return nil
}

func parseDuration(s string) (Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is no time span; write it with its unit, as in 500ms, 10s, 2m or 1h30m", s)
	}
	return Duration(d), nil
}

// Camel turns a name such as user-api into UserApi, the form that CloudFormation's logical ids need.
func Camel(name string) string {
	var b strings.Builder
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '-' || r == '.' || r == '_' }) {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}
