package scaling

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Schedule tells when a scheduled action is due (API reference,
// PutScheduledAction).
//
// The forms are at(yyyy-mm-ddThh:mm:ss), rate(value unit) and cron(minutes
// hours day-of-month month day-of-week year), at and cron in a time zone.
type Schedule struct {
	once  time.Time
	every time.Duration
	cron  *cron
}

// units of rate.
var units = map[string]time.Duration{
	"minute": time.Minute, "minutes": time.Minute, "hour": time.Hour, "hours": time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
}

// maxRate bounds rate: ten years, in which nobody waits for an action.
const maxRate = 10 * 365 * 24 * time.Hour

// ParseSchedule reads a schedule expression.
func ParseSchedule(text string, zone *time.Location) (Schedule, error) {
	kind, rest, ok := strings.Cut(text, "(")
	body, tail, closed := strings.Cut(rest, ")")
	if !ok || !closed || tail != "" {
		return Schedule{}, fmt.Errorf("%q is none of at(...), rate(...) and cron(...)", text)
	}
	switch kind {
	case "at":
		t, err := time.ParseInLocation("2006-01-02T15:04:05", body, zone)
		if err != nil || t.Year() < 1970 {
			return Schedule{}, fmt.Errorf("%q is not a time of the form at(yyyy-mm-ddThh:mm:ss)", text)
		}
		return Schedule{once: t}, nil
	case "rate":
		value, unit, _ := strings.Cut(body, " ")
		n, err := strconv.Atoi(value)
		each := units[unit]
		if err != nil || n <= 0 || each == 0 || time.Duration(n) > maxRate/each {
			return Schedule{}, fmt.Errorf("%q is not a rate such as rate(5 minutes)", text)
		}
		return Schedule{every: time.Duration(n) * each}, nil
	case "cron":
		c, err := parseCron(body, zone)
		return Schedule{cron: c}, err
	}
	return Schedule{}, fmt.Errorf("%q is none of at(...), rate(...) and cron(...)", text)
}

// Next is the first time after a given one at which the schedule is due; zero
// when there is none any more. A rate counts from anchor.
func (s Schedule) Next(anchor, after time.Time) time.Time {
	switch {
	case s.cron != nil:
		return s.cron.next(after)
	case s.every > 0:
		if after.Before(anchor) {
			return anchor
		}
		return anchor.Add(s.every * (after.Sub(anchor)/s.every + 1))
	case s.once.After(after):
		return s.once
	}
	return time.Time{}
}
