package eventbridge

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
)

// schedule says when a rule fires next after a moment; false: never again.
type schedule interface {
	next(after time.Time) (time.Time, bool)
}

var rateForm = regexp.MustCompile(`^rate\(([1-9][0-9]{0,8}) (minute|minutes|hour|hours|day|days)\)$`)

// parseSchedule reads rate(5 minutes) and cron(0 12 * * ? *).
// Source: EventBridge user guide, Schedule expressions for rules.
func parseSchedule(text string) (schedule, error) {
	if m := rateForm.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1]) // it is digits
		if (n == 1) != !strings.HasSuffix(m[2], "s") {
			return nil, errSchedule // "1 minute", "2 minutes"
		}
		unit := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[strings.TrimSuffix(m[2], "s")]
		return rate(time.Duration(n) * unit), nil
	}
	fields, begins := strings.CutPrefix(text, "cron(")
	fields, ends := strings.CutSuffix(fields, ")")
	if !begins || !ends {
		return nil, errSchedule
	}
	return parseCron(strings.Fields(fields))
}

type rate time.Duration

func (r rate) next(after time.Time) (time.Time, bool) { return after.Add(time.Duration(r)), true }

// cron has the values of each field, in UTC.
type cron struct{ minutes, hours, days, months, weekdays, years []int }

var (
	monthNames = []string{"", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	dayNames   = []string{"", "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

// parseCron reads minutes, hours, day of month, month, day of week, year. Of
// the days one must be "?". The days L, W and # are refused.
func parseCron(f []string) (c cron, err error) {
	if len(f) != 6 || (f[2] == "?") == (f[4] == "?") {
		return c, errSchedule
	}
	for _, one := range []struct {
		text      string
		low, high int
		names     []string
		into      *[]int
	}{
		{f[0], 0, 59, nil, &c.minutes},
		{f[1], 0, 23, nil, &c.hours},
		{f[2], 1, 31, nil, &c.days},
		{f[3], 1, 12, monthNames, &c.months},
		{f[4], 1, 7, dayNames, &c.weekdays},
		{f[5], 1970, 2199, nil, &c.years},
	} {
		if one.text == "?" && (one.into == &c.days || one.into == &c.weekdays) {
			continue
		}
		if *one.into, err = cronField(one.text, one.low, one.high, one.names); err != nil {
			return c, err
		}
	}
	return c, nil
}

// cronField reads a list of values, ranges and steps: 1,5-9,10/15.
func cronField(text string, low, high int, names []string) (all []int, err error) {
	for part := range strings.SplitSeq(text, ",") {
		if names != nil && strings.ContainsAny(part, "#") || names == nil && strings.ContainsAny(part, "LW") {
			return nil, invalid("Parameter ScheduleExpression is not valid: the days L, W and # are not supported by this engine yet.")
		}
		body, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
				return nil, errSchedule
			}
		}
		from, to := low, high
		if body != "*" {
			first, last, ranged := strings.Cut(body, "-")
			if from, err = cronValue(first, low, high, names); err != nil {
				return nil, err
			}
			switch {
			case ranged:
				if to, err = cronValue(last, low, high, names); err != nil {
					return nil, err
				}
			case !stepped:
				to = from
			}
		}
		if from > to {
			return nil, errSchedule
		}
		for v := from; v <= to; v += step {
			all = append(all, v)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func cronValue(text string, low, high int, names []string) (int, error) {
	if n := slices.Index(names, strings.ToUpper(text)); n > 0 {
		return n, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, errSchedule
	}
	return n, nil
}

func (c cron) next(after time.Time) (time.Time, bool) {
	day := after.UTC().Truncate(24 * time.Hour)
	for end := day.AddDate(30, 0, 0); day.Before(end); day = day.AddDate(0, 0, 1) {
		if !c.on(day) {
			continue
		}
		for _, h := range c.hours {
			for _, m := range c.minutes {
				if at := day.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute); at.After(after) {
					return at, true
				}
			}
		}
	}
	return time.Time{}, false
}

func (c cron) on(day time.Time) bool {
	in := slices.Contains[[]int]
	return in(c.years, day.Year()) && in(c.months, int(day.Month())) &&
		(c.days == nil || in(c.days, day.Day())) && (c.weekdays == nil || in(c.weekdays, int(day.Weekday())+1))
}

func (s *Service) schedules() loop.Loop {
	return loop.Loop{Name: "eventbridge-schedule", Reconcile: s.fire, List: Rules.Keys, Keys: loop.Changed(Rules)}
}

// fire lets a rule fire when it is due. What was due while no engine ran is
// made up for once.
func (s *Service) fire(_ context.Context, key string) (time.Duration, error) {
	r, err := Rules.Get(s.Store.Snapshot(), key)
	if err != nil || r.Schedule == "" || r.Disabled {
		return 0, nil
	}
	when, err := parseSchedule(r.Schedule)
	if err != nil {
		return 0, fmt.Errorf("schedule of rule %s: %w", r.Name, err)
	}
	due, ok := when.next(r.Since)
	if !ok {
		return 0, nil
	}
	if wait := time.Until(due); wait > 0 {
		return wait, nil
	}
	return 0, s.Store.Update(func(tx *store.Tx) error {
		r, err := Rules.Get(tx, key)
		if err != nil || r.Disabled {
			return nil
		}
		at := now()
		e := newEvent(r.Scope, "aws.events", "Scheduled Event", at, map[string]any{}, r.ARN())
		text, err := encode(e)
		if err != nil {
			return err
		}
		r.Since = at
		Rules.Put(tx, r)
		send(tx, r, e.ID, text)
		return nil
	})
}
