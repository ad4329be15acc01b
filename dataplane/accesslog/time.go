package accesslog

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// defaultTime is how Envoy writes times.
const defaultTime = "2006-01-02T15:04:05.000Z"

// specifiers are those of strftime(3), as layouts of package time.
var specifiers = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'e': "_2", 'j': "002", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM",
	'z': "-0700", 'Z': "MST", 'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06", 'R': "15:04",
}

// startTime is the start in UTC, by strftime with Envoy's additions: %s for
// seconds of the epoch, %3f (1 to 9) for so many digits of the fraction.
func startTime(format string) operator {
	if format == "" {
		return func(e *Entry) (string, bool) { return e.Start.UTC().Format(defaultTime), false }
	}
	return func(e *Entry) (string, bool) { return strftime(format, e.Start.UTC()), false }
}

func strftime(format string, t time.Time) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		c := format[i]
		if c != '%' || i+1 == len(format) {
			b.WriteByte(c)
			continue
		}
		i++
		digits := 9
		if d := format[i]; '1' <= d && d <= '9' && i+1 < len(format) && format[i+1] == 'f' {
			digits = int(d - '0')
			i++
		}
		switch layout, ok := specifiers[format[i]]; {
		case ok:
			b.WriteString(t.Format(layout))
		case format[i] == 'f':
			b.WriteString(fmt.Sprintf("%09d", t.Nanosecond())[:digits])
		case format[i] == 's':
			b.WriteString(strconv.FormatInt(t.Unix(), 10))
		case format[i] == '%':
			b.WriteByte('%')
		default:
			b.WriteString(format[i-1 : i+1])
		}
	}
	return b.String()
}
