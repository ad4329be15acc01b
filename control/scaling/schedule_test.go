package scaling_test

import (
	"testing"
	"time"
	_ "time/tzdata" // the same on every machine

	"github.com/slipway-dev/slipway/control/scaling"
)

const clock = "2006-01-02T15:04"

func zone(t testing.TB, name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestSchedulesAreDue(t *testing.T) {
	for _, tc := range []struct {
		schedule, zone, after string
		want                  []string
	}{
		{"at(2026-03-01T10:00:00)", "UTC", "2026-02-01T00:00", []string{"2026-03-01T10:00", ""}},
		{"at(2026-03-01T10:00:00)", "Europe/Berlin", "2026-02-01T00:00", []string{"2026-03-01T10:00", ""}},
		{"rate(5 minutes)", "UTC", "2026-01-01T00:00", []string{"2026-01-01T00:05", "2026-01-01T00:10"}},
		{"rate(1 day)", "UTC", "2026-01-01T00:00", []string{"2026-01-02T00:00"}},
		{"cron(0 9 * * ? *)", "UTC", "2026-01-01T09:00", []string{"2026-01-02T09:00", "2026-01-03T09:00"}},
		{"cron(0/15 8-9 ? * MON-FRI *)", "UTC", "2026-01-02T09:40", []string{"2026-01-02T09:45", "2026-01-05T08:00"}},
		{"cron(30 18 L * ? 2027)", "UTC", "2026-06-01T00:00", []string{"2027-01-31T18:30", "2027-02-28T18:30"}},
		{"cron(0 0 1W * ? *)", "UTC", "2026-07-20T00:00", []string{"2026-08-03T00:00", "2026-09-01T00:00"}}, // 1 August is a Saturday
		{"cron(0 12 ? * 6L *)", "UTC", "2026-01-01T00:00", []string{"2026-01-30T12:00", "2026-02-27T12:00"}},
		{"cron(0 12 ? * TUE#2 *)", "UTC", "2026-01-01T00:00", []string{"2026-01-13T12:00", "2026-02-10T12:00"}},
		{"cron(0 0 29 2 ? *)", "UTC", "2026-01-01T00:00", []string{"2028-02-29T00:00", "2032-02-29T00:00"}},
		{"cron(0 0 30 2 ? *)", "UTC", "2026-01-01T00:00", []string{""}},
		// The clocks go forward at two, and back at two.
		{"cron(30 2 * * ? *)", "America/New_York", "2026-03-07T12:00", []string{"2026-03-08T03:30", "2026-03-09T02:30"}},
		{"cron(30 1 * * ? *)", "America/New_York", "2026-10-31T12:00", []string{"2026-11-01T01:30", "2026-11-02T01:30"}},
	} {
		z := zone(t, tc.zone)
		s, err := scaling.ParseSchedule(tc.schedule, z)
		if err != nil {
			t.Errorf("%s: %v", tc.schedule, err)
			continue
		}
		at, err := time.ParseInLocation(clock, tc.after, z)
		if err != nil {
			t.Fatal(err)
		}
		anchor := at
		for _, want := range tc.want {
			at = s.Next(anchor, at)
			got := ""
			if !at.IsZero() {
				got = at.In(z).Format(clock)
			}
			if got != want {
				t.Errorf("%s in %s: due %q, want %q", tc.schedule, tc.zone, got, want)
				break
			}
		}
	}
}

func TestSchedulesThatAreNone(t *testing.T) {
	for _, text := range []string{
		"", "every day", "at(tomorrow)", "at(2026-02-30T00:00:00)", "rate(0 minutes)", "rate(5 weeks)", "rate(5)", "rate(99999999999 days)",
		"cron(* * * * *)", "cron(0 9 * * * *)", "cron(0 9 ? * ? *)", "cron(60 9 * * ? *)", "cron(0 9-8 * * ? *)", "cron(0 9 * * ? 1066)",
		"cron(0/0 9 * * ? *)", "cron(0 9 * FEB-JAN ? *)", "cron(0 9 32W * ? *)", "cron(0 9 ? * MON#6 *)", "cron(0 9 * * ? *) ",
	} {
		if _, err := scaling.ParseSchedule(text, time.UTC); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

// Whatever is accepted names only later times, at whole minutes but for at.
func FuzzSchedule(f *testing.F) {
	for _, s := range []string{"at(2026-03-01T10:00:00)", "rate(5 minutes)", "cron(0/15 8-9 ? * MON-FRI 2026)", "cron(0 0 L * ? *)", "cron(0 0 ? * 6#3 *)", "cron(0 0 15W JAN,FEB ? 2000/2)"} {
		f.Add(s, int64(1_767_225_600))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		s, err := scaling.ParseSchedule(text, time.UTC)
		if err != nil || unix < 0 || unix > 8_000_000_000 {
			return
		}
		after := time.Unix(unix, 0)
		if next := s.Next(after, after); !next.IsZero() && !next.After(after) {
			t.Errorf("%s after %s is due %s", text, after.UTC(), next.UTC())
		}
	})
}
