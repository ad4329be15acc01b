package cloudwatch

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
)

var (
	end    = time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC)
	minute = time.Minute
)

// readings draws datapoints, newest last: X breaches, 0 does not, - is none.
func readings(picture string) (out []reading) {
	points := strings.Fields(picture)
	for i, p := range points {
		at := end.Add(-time.Duration(len(points)-i) * minute)
		switch p {
		case "X":
			out = append(out, reading{At: at, Value: 10})
		case "0":
			out = append(out, reading{At: at, Value: 0})
		}
	}
	return out
}

func alarm(n, m int, missing string) Alarm {
	return Alarm{
		Periods: n, Datapoints: m, MissingData: missing, Threshold: 5, Statistic: "Average", Period: 60, State: "KEEP",
		Comparison: cloudwatchapi.ComparisonOperatorGreaterThanThreshold,
	}
}

// The tables of the CloudWatch user guide, "How alarm state is evaluated when
// data is missing".
func TestEvaluateAsInTheGuide(t *testing.T) {
	for _, c := range []struct {
		n, m                                   int
		picture                                string
		missing, ignore, breaching, notBreakin string
	}{
		{3, 3, "0 - X - X", "OK", "OK", "ALARM?", "OK"},
		{3, 3, "0 - - - -", "OK", "OK", "OK", "OK"},
		{3, 3, "- - - - -", "INSUFFICIENT_DATA", "KEEP", "ALARM", "OK"},
		{3, 3, "0 X X - X", "ALARM", "ALARM", "ALARM", "ALARM"},
		{3, 3, "- - X - -", "ALARM", "KEEP", "ALARM", "OK"},
		{3, 2, "0 - X - X", "ALARM", "ALARM", "ALARM", "ALARM"},
		{3, 2, "0 0 X 0 X", "ALARM", "ALARM", "ALARM", "ALARM"},
		{3, 2, "0 - X - -", "OK", "OK", "ALARM", "OK"},
		{3, 2, "- - - - 0", "OK", "OK", "ALARM", "OK"},
		{3, 2, "- - - X -", "ALARM", "KEEP", "ALARM", "OK"},
		{3, 3, "- - - - X", "KEEP", "KEEP", "ALARM", "OK"},
		{1, 1, "X X X 0 X 0", "OK", "OK", "OK", "OK"},
	} {
		for treat, want := range map[string]string{"": c.missing, "missing": c.missing, "ignore": c.ignore, "breaching": c.breaching, "notBreaching": c.notBreakin} {
			if want == "ALARM?" {
				want = "OK" // three real datapoints: nothing is filled in
			}
			if v := evaluate(alarm(c.n, c.m, treat), readings(c.picture), end, minute); string(v.State) != want {
				t.Errorf("%d of %d, %s, missing data %q: %s, want %s", c.m, c.n, c.picture, treat, v.State, want)
			}
		}
	}
}

func TestReasons(t *testing.T) {
	for _, c := range []struct {
		a       Alarm
		picture string
		want    string
	}{
		{alarm(3, 2, ""), "0 X X", "Threshold Crossed: 2 out of the last 3 datapoints [10.0 (23/11/26 04:59:00), 10.0 (23/11/26 04:58:00)] were greater than the threshold (5.0) (minimum 2 datapoints for OK -> ALARM transition)."},
		{alarm(1, 1, ""), "0", "Threshold Crossed: 1 out of the last 1 datapoints [0.0 (23/11/26 04:59:00)] was not greater than the threshold (5.0) (minimum 1 datapoint for ALARM -> OK transition)."},
		{alarm(2, 2, ""), "- -", "Insufficient Data: 2 datapoints were unknown."},
		{alarm(1, 1, ""), "-", "Insufficient Data: 1 datapoint was unknown."},
		{alarm(1, 1, "breaching"), "-", "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [Breaching]."},
		{alarm(2, 2, "notBreaching"), "- -", "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as [NonBreaching]."},
	} {
		if got := reason(c.a, evaluate(c.a, readings(c.picture), end, minute)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.picture, got, c.want)
		}
	}
	a := alarm(2, 2, "")
	want := `{"version":"1.0","queryDate":"2026-11-23T05:00:01.000+0000","startDate":"2026-11-23T04:58:00.000+0000","statistic":"Average","period":60,` +
		`"recentDatapoints":[0,10],"threshold":5,"evaluatedDatapoints":[{"timestamp":"2026-11-23T04:59:00.000+0000","value":10},{"timestamp":"2026-11-23T04:58:00.000+0000","value":0}]}`
	if got := reasonData(a, evaluate(a, readings("0 X"), end, minute), end.Add(time.Second)); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	for v, want := range map[float64]string{0: "0.0", 1: "1.0", 99.5: "99.5", 1e7: "1.0E7", 1.5e-5: "1.5E-5", -3: "-3.0", 123456: "123456.0"} {
		if got := decimal(v); got != want {
			t.Errorf("%g: %s, want %s", v, got, want)
		}
	}
}

// Without gaps an alarm is the count of breaching datapoints among the last
// N, however missing data are treated; what is outside the range never counts.
func TestEvaluateProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "n")
		m := rapid.IntRange(1, n).Draw(t, "m")
		treat := rapid.SampledFrom([]string{"", "missing", "ignore", "breaching", "notBreaching"}).Draw(t, "treat")
		points := rapid.SliceOfN(rapid.SampledFrom([]string{"X", "0", "-"}), n, n+8).Draw(t, "points")
		a := alarm(n, m, treat)
		v := evaluate(a, readings(strings.Join(points, " ")), end, minute)

		window := points[max(0, len(points)-n-extraPeriods):]
		if w := evaluate(a, readings(strings.Join(window, " ")), end, minute); w.State != v.State {
			t.Fatalf("what is older than the range decides: %s, %s", v.State, w.State)
		}
		last, real := points[len(points)-n:], 0
		breaching := 0
		for _, p := range last {
			if p != "-" {
				real++
			}
			if p == "X" {
				breaching++
			}
		}
		if real == n && (v.State == cloudwatchapi.StateValueAlarm) != (breaching >= m) {
			t.Fatalf("%d of %d breach, %d suffice: %s", breaching, n, m, v.State)
		}
		if real == n && v.State == "KEEP" {
			t.Fatal("undecided with every datapoint there")
		}
		// One more breaching datapoint in place of a good one never makes it better.
		for i, p := range points {
			if p != "0" {
				continue
			}
			worse := append(append(append([]string{}, points[:i]...), "X"), points[i+1:]...)
			w := evaluate(a, readings(strings.Join(worse, " ")), end, minute)
			if v.State == cloudwatchapi.StateValueAlarm && w.State != cloudwatchapi.StateValueAlarm {
				t.Fatalf("%v alarms, %v is %s", points, worse, w.State)
			}
		}
	})
}

func TestRules(t *testing.T) {
	states := map[string]cloudwatchapi.StateValue{"a": "ALARM", "b": "OK", "c d": "INSUFFICIENT_DATA"}
	for text, want := range map[string]bool{
		`ALARM(a)`: true, `OK("a")`: false, `NOT ALARM(b)`: true, `INSUFFICIENT_DATA("c d") AND ALARM(a)`: true,
		`ALARM(b) OR ALARM(a) AND OK(a)`: false, `(ALARM(b) OR ALARM(a)) AND NOT OK(a)`: true, `TRUE`: true, `FALSE OR TRUE`: true,
		`ALARM("arn:aws:cloudwatch:us-east-1:123456789012:alarm:a")`: true,
	} {
		r, _, ok := parseRule(text)
		if !ok || r(func(n string) cloudwatchapi.StateValue { return states[n] }) != want {
			t.Errorf("%s: %v, parsed %v", text, !want, ok)
		}
	}
	for _, text := range []string{"", "ALARM", "ALARM(", `ALARM("a)`, "ALARM(a) ALARM(b)", "NOT", "(TRUE", "ALARM()", "ALARMED(a)"} {
		if _, _, ok := parseRule(text); ok {
			t.Errorf("%q was taken", text)
		}
	}
}

func FuzzParsers(f *testing.F) {
	for _, s := range []string{`ALARM("a") AND (NOT OK(b))`, "SUM([m1,m2])/2", "FILL(m1,REPEAT)", "SEARCH('{a,b} MetricName=\"x\"','Sum',60)", "IF(m1>1,m1,0)", "((((", "1e", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, s string) {
		parseRule(s)
		parseMath(s)
		parseStatistic(s)
		checkDashboard(s)
	})
}
