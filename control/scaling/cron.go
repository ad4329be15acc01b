package scaling

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// cron is a cron expression of six fields (user guide, "Schedule recurring
// scaling actions using cron expressions"). Each set is one of bits, the year's
// is a list of ranges.
type cron struct {
	zone                              *time.Location
	minutes, hours, days, months, dow uint64
	anyDay, anyDow                    bool // ? or *
	lastDay                           bool // L in day of month
	weekdayNear                       int  // 15W
	lastDow                           int  // 6L: 1 to 7, Sunday first
	nth                               [2]int
	years                             []span
}

// span is lowest, highest and step.
type span struct{ from, to, step int }

func (s span) holds(n int) bool { return n >= s.from && n <= s.to && (n-s.from)%s.step == 0 }

var (
	monthNames = strings.Fields("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")
	dayNames   = strings.Fields("SUN MON TUE WED THU FRI SAT")
)

const firstYear, lastYear = 1970, 2199

func parseCron(text string, zone *time.Location) (*cron, error) {
	f := strings.Fields(text)
	if len(f) != 6 {
		return nil, fmt.Errorf("cron(%s) has %d fields instead of six: minutes hours day-of-month month day-of-week year", text, len(f))
	}
	c := &cron{zone: zone}
	dom, dow := c.special(strings.ToUpper(f[2]), strings.ToUpper(f[4]))
	var err error
	read := func(field, what string, from, to int, names []string) (set uint64) {
		spans, e := parseField(field, from, to, names)
		if e != nil && err == nil {
			err = fmt.Errorf("%s of cron(%s): %w", what, text, e)
		}
		for _, s := range spans {
			for n := s.from; n <= s.to; n += s.step {
				set |= 1 << n
			}
		}
		return set
	}
	c.minutes = read(f[0], "minutes", 0, 59, nil)
	c.hours = read(f[1], "hours", 0, 23, nil)
	c.days = read(dom, "day of month", 1, 31, nil)
	c.months = read(f[3], "month", 1, 12, monthNames)
	c.dow = read(dow, "day of week", 1, 7, dayNames)
	if err != nil {
		return nil, err
	}
	if c.years, err = parseField(f[5], firstYear, lastYear, nil); err != nil {
		return nil, fmt.Errorf("year of cron(%s): %w", text, err)
	}
	if (f[2] == "?") == (f[4] == "?") {
		return nil, fmt.Errorf("cron(%s): exactly one of day-of-month and day-of-week must be ?", text)
	}
	return c, nil
}

// special takes L, W and # out of the two day fields; what is left of them is
// read as sets.
func (c *cron) special(dom, dow string) (string, string) {
	day := func(s string) int {
		spans, err := parseField(s, 1, 7, dayNames)
		if err != nil || len(spans) != 1 || spans[0].from != spans[0].to {
			return 0
		}
		return spans[0].from
	}
	if dom == "L" {
		c.lastDay, dom = true, "?"
	} else if n, ok := strings.CutSuffix(dom, "W"); ok {
		if at, err := strconv.Atoi(n); err == nil && at >= 1 && at <= 31 {
			c.weekdayNear, dom = at, "?"
		}
	}
	if n, ok := strings.CutSuffix(dow, "L"); ok {
		switch at := day(n); {
		case n == "": // L alone is Saturday
			dow = "7"
		case at > 0:
			c.lastDow, dow = at, "?"
		}
	} else if which, n, ok := strings.Cut(dow, "#"); ok {
		if at, count := day(which), len(n) == 1 && n >= "1" && n <= "5"; at > 0 && count {
			c.nth, dow = [2]int{at, int(n[0] - '0')}, "?"
		}
	}
	c.anyDay, c.anyDow = dom == "?" || dom == "*", dow == "?" || dow == "*"
	return dom, dow
}

// parseField reads a list of *, ?, n, n-m, each with /step.
func parseField(text string, from, to int, names []string) (out []span, err error) {
	number := func(s string) (int, bool) {
		for i, name := range names {
			if strings.EqualFold(s, name) {
				return i + 1, true
			}
		}
		n, err := strconv.Atoi(s)
		return n, err == nil && n >= from && n <= to
	}
	for part := range strings.SplitSeq(text, ",") {
		bounds, every, stepped := strings.Cut(part, "/")
		s := span{from, to, 1}
		if low, high, ranged := strings.Cut(bounds, "-"); bounds != "*" && bounds != "?" {
			var ok bool
			if s.from, ok = number(low); !ok {
				return nil, fmt.Errorf("%q is not between %d and %d", low, from, to)
			}
			switch {
			case ranged:
				if s.to, ok = number(high); !ok || s.to < s.from {
					return nil, fmt.Errorf("%q is not a range between %d and %d", bounds, from, to)
				}
			case !stepped:
				s.to = s.from
			}
		}
		if stepped {
			if s.step, err = strconv.Atoi(every); err != nil || s.step < 1 || s.step > to {
				return nil, fmt.Errorf("%q is not a step", every)
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// next is the first minute after a time that the expression holds for, in its
// zone. A time that a change of the clocks skips comes an hour later; one that
// it repeats comes once.
func (c *cron) next(after time.Time) time.Time {
	t := after.In(c.zone)
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, c.zone)
	for ; day.Year() <= lastYear; day = day.AddDate(0, 0, 1) {
		if !c.year(day.Year()) {
			if day = c.nextYear(day); day.IsZero() {
				return day
			}
		}
		if c.months>>int(day.Month())&1 == 0 {
			day = time.Date(day.Year(), day.Month()+1, 0, 0, 0, 0, 0, c.zone) // its last day: the next one comes
			continue
		}
		if !c.day(day) {
			continue
		}
		for h := range 24 {
			if c.hours>>h&1 == 0 {
				continue
			}
			for m := range 60 {
				if c.minutes>>m&1 == 0 {
					continue
				}
				at := time.Date(day.Year(), day.Month(), day.Day(), h, m, 0, 0, c.zone)
				if at.Hour() < h { // skipped
					at = at.Add(time.Hour)
				}
				if at.After(after) {
					return at
				}
			}
		}
	}
	return time.Time{}
}

func (c *cron) year(n int) bool {
	for _, s := range c.years {
		if s.holds(n) {
			return true
		}
	}
	return false
}

// nextYear is the begin of the next year that holds.
func (c *cron) nextYear(day time.Time) time.Time {
	for y := day.Year(); y <= lastYear; y++ {
		if c.year(y) {
			return time.Date(y, 1, 1, 0, 0, 0, 0, c.zone)
		}
	}
	return time.Time{}
}

func (c *cron) day(t time.Time) bool {
	last := time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, c.zone).Day()
	weekday := int(t.Weekday()) + 1
	switch {
	case c.lastDay:
		return t.Day() == last
	case c.weekdayNear > 0:
		return t.Day() == nearestWeekday(t, min(c.weekdayNear, last), last)
	case c.lastDow > 0:
		return weekday == c.lastDow && t.Day()+7 > last
	case c.nth[0] > 0:
		return weekday == c.nth[0] && (t.Day()-1)/7+1 == c.nth[1]
	}
	return (c.anyDay || c.days>>t.Day()&1 == 1) && (c.anyDow || c.dow>>weekday&1 == 1)
}

// nearestWeekday is the day of the month from Monday to Friday nearest to one,
// in the same month.
func nearestWeekday(t time.Time, day, last int) int {
	switch time.Date(t.Year(), t.Month(), day, 0, 0, 0, 0, t.Location()).Weekday() {
	case time.Saturday:
		if day == 1 {
			return 3
		}
		return day - 1
	case time.Sunday:
		if day == last {
			return day - 2
		}
		return day + 1
	}
	return day
}
