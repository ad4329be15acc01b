package logs

import (
	"fmt"
	"math"
	"strconv"
)

// Event is one line of a log.
type Event struct {
	Timestamp int64  // of the event, milliseconds since 1970
	Ingestion int64  // when Append took it, milliseconds since 1970
	Stream    string // filled in by Scan
	Message   string
	// Seq orders the events of a group as they came in. It grows, with gaps,
	// also over restarts.
	Seq uint64
}

// Pos is the event's place in the order of its group.
func (e Event) Pos() Pos { return Pos{e.Timestamp, e.Seq} }

// ID names the event within its group: 56 decimal digits that sort as the
// events do, as CloudWatch Logs' event ids.
func (e Event) ID() string { return e.Pos().String() }

// Pos is a place in the order of a group: by timestamp, then by arrival.
type Pos struct {
	Timestamp int64
	Seq       uint64
}

// First and Last lie before and behind every event.
var (
	First = Pos{math.MinInt64, 0}
	Last  = Pos{math.MaxInt64, math.MaxUint64}
)

// Less reports whether p comes before o.
func (p Pos) Less(o Pos) bool {
	return p.Timestamp < o.Timestamp || p.Timestamp == o.Timestamp && p.Seq < o.Seq
}

// posDigits is the length of a Pos in decimal: 36 for the time, 20 for the sequence.
const posDigits = 56

// String is the place as 56 decimal digits. Times before 1970 do not occur
// in events and are written as 0.
func (p Pos) String() string {
	return fmt.Sprintf("%036d%020d", max(p.Timestamp, 0), p.Seq)
}

// ParsePos reads what String wrote.
func ParsePos(s string) (Pos, error) {
	if len(s) != posDigits {
		return Pos{}, fmt.Errorf("%q is not a place in a log", s)
	}
	t, err := strconv.ParseInt(s[:36], 10, 64)
	if err != nil || s[0] == '+' || s[0] == '-' {
		return Pos{}, fmt.Errorf("%q is not a place in a log", s)
	}
	seq, err := strconv.ParseUint(s[36:], 10, 64)
	if err != nil {
		return Pos{}, fmt.Errorf("%q is not a place in a log", s)
	}
	return Pos{t, seq}, nil
}
