package cloudwatch_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
)

var began = time.Now().Add(-time.Hour).Truncate(time.Hour)

// series puts values a minute apart; "-" is none.
func (w *world) series(name, values string, dims ...cloudwatchapi.Dimension) {
	w.t.Helper()
	var data []cloudwatchapi.MetricDatum
	for i, v := range strings.Fields(values) {
		var x float64
		if _, err := fmt.Sscan(v, &x); err != nil {
			continue
		}
		data = append(data, cloudwatchapi.MetricDatum{
			MetricName: new(name), Value: &x, Timestamp: new(began.Add(time.Duration(i) * time.Minute)), Dimensions: dims,
		})
	}
	if _, err := w.s.PutMetricData(w.ctx, &cloudwatchapi.PutMetricDataInput{Namespace: new("App"), MetricData: data}); err != nil {
		w.t.Fatal(err)
	}
}

func query(id, name string, dims ...cloudwatchapi.Dimension) cloudwatchapi.MetricDataQuery {
	return cloudwatchapi.MetricDataQuery{Id: new(id), ReturnData: new(false), MetricStat: &cloudwatchapi.MetricStat{
		Metric: &cloudwatchapi.Metric{Namespace: new("App"), MetricName: new(name), Dimensions: dims}, Period: new(int32(60)), Stat: new("Sum"),
	}}
}

// ask computes an expression and writes its values a minute apart, series
// after series.
func (w *world) ask(expression string) (string, error) {
	out, err := w.s.GetMetricData(w.ctx, &cloudwatchapi.GetMetricDataInput{
		StartTime: new(began), EndTime: new(began.Add(4 * time.Minute)), ScanBy: "TimestampAscending",
		MetricDataQueries: []cloudwatchapi.MetricDataQuery{
			query("m1", "A"), query("m2", "B"), query("gap", "Gap"), {Id: new("e"), Expression: new(expression)},
		},
	})
	if err != nil {
		return "", err
	}
	var all []string
	for _, r := range out.MetricDataResults {
		row := []string{"-", "-", "-", "-"}
		for i, at := range r.Timestamps {
			row[int(at.Sub(began)/time.Minute)] = fmt.Sprintf("%.4g", r.Values[i])
		}
		all = append(all, strings.Join(row, " "))
	}
	return strings.Join(all, "; "), nil
}

func TestMetricMath(t *testing.T) {
	w := newWorld(t, 1)
	w.series("A", "1 2 3 4")
	w.series("B", "10 0 30 40")
	w.series("Gap", "- 6 - 8")
	w.series("C", "5", cloudwatchapi.Dimension{Name: new("Zone"), Value: new("a")})
	w.series("C", "7", cloudwatchapi.Dimension{Name: new("Zone"), Value: new("b")})
	for expression, want := range map[string]string{
		"m1+m2": "11 2 33 44", "m1 + m2 * 2 - -1": "22 3 64 85", "(m1+m2)*2": "22 4 66 88", "m1/m2": "0.1 - 0.1 0.1",
		"2^m1": "2 4 8 16", "m1 > 2": "0 0 1 1", "m1 >= 2 && m2 > 0": "0 0 1 1", "m1 == 1 || m2 == 0": "1 1 0 0",
		"m1 / SUM(m1)": "0.1 0.2 0.3 0.4", "m1 - AVG(m1)": "-1.5 -0.5 0.5 1.5", "m1*MAX(m1)-MIN(m1)": "3 7 11 15",
		"SUM([m1,m2])": "11 2 33 44", "AVG(METRICS('m'))": "5.5 1 16.5 22", "MAX([m1,gap])": "1 6 3 8", "MIN([m2, 20])": "10 0 20 20",
		"SUM(METRICS())": "11 8 33 52", "FILL(gap,0)": "0 6 0 8", "FILL(gap,REPEAT)": "- 6 6 8", "FILL(gap,LINEAR)": "- 6 7 8", "FILL(gap,m1)": "1 6 3 8",
		"DIFF(m1)": "- 1 1 1", "RATE(m2)": "- -0.1667 0.5 0.1667", "DIFF(gap)": "- - - 2", "DIFF_TIME(gap)": "- - - 120",
		"IF(m1>2,m1,m2)": "10 0 3 4", "IF(m1>2,m1)": "- - 3 4", "IF(1,m1,m2)": "1 2 3 4", "m1*PERIOD(m1)": "60 120 180 240",
		"RUNNING_SUM(m1)": "1 3 6 10", "ABS(m1-3)": "2 1 0 1", "m1+FIRST(m2)+LAST(m2)": "51 52 53 54", "m1*METRIC_COUNT(METRICS())": "3 6 9 12",
		"TIME_SERIES(7)": "7 7 7 7", "CEIL(m1/2)": "1 1 2 2", "m1*1.5e1": "15 30 45 60", "METRICS('m1')": "1 2 3 4",
		`SEARCH('{App,Zone} MetricName="C"', 'Sum', 60)`: "5 - - -; 7 - - -", `SUM(SEARCH('{App,Zone} C', 'Sum', 60))`: "12 - - -",
		`SEARCH('{App,Zone} Zone="b"', 'Sum', 60)`: "7 - - -", `SEARCH('{App} MetricName="C"', 'Sum', 60)`: "",
	} {
		if got, err := w.ask(expression); err != nil || got != want {
			t.Errorf("%s = %s (%v), want %s", expression, got, err, want)
		}
	}
	for _, wrong := range []string{"", "m1+", "m9", "e", "SUM(m1)", "5", "ANOMALY_DETECTION_BAND(m1)", "(m1", "m1 m2", "METRICS()+METRICS()", "FILL(m1)", "SEARCH('x')", "m1 ? 1"} {
		if got, err := w.ask(wrong); err == nil {
			t.Errorf("%q was taken: %s", wrong, got)
		} else if c := code(err); c != "ValidationError" {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

// A client that pages gets every datapoint once, newest first by default.
func TestPages(t *testing.T) {
	w := newWorld(t, 1)
	w.series("A", "1 2 3 4")
	w.series("B", "5 6 7")
	a, b := query("a", "A"), query("b", "B")
	a.ReturnData, b.ReturnData, b.Label = nil, nil, new("${PROP('MetricName')} up to ${MAX} at ${MAX_TIME}")
	in := &cloudwatchapi.GetMetricDataInput{
		StartTime: new(began), EndTime: new(began.Add(time.Hour)), MaxDatapoints: new(int32(3)), MetricDataQueries: []cloudwatchapi.MetricDataQuery{a, b},
		LabelOptions: &cloudwatchapi.LabelOptions{Timezone: new("+0130")},
	}
	got := map[string][]float64{}
	pages := 0
	for {
		out, err := w.s.GetMetricData(w.ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, r := range out.MetricDataResults {
			got[*r.Id] = append(got[*r.Id], r.Values...)
			if *r.Id == "b" && *r.Label != "B up to 7.0 at "+began.Add(2*time.Minute).In(time.FixedZone("", 5400)).Format("2006-01-02T15:04:05.000-0700") {
				t.Error(*r.Label)
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if fmt.Sprint(got, pages) != "map[a:[4 3 2 1] b:[7 6 5]] 3" {
		t.Error(got, pages)
	}
}

func TestPutMetricDataIsChecked(t *testing.T) {
	w := newWorld(t, 1)
	put := func(namespace string, d cloudwatchapi.MetricDatum) error {
		d.MetricName = new("M")
		_, err := w.s.PutMetricData(w.ctx, &cloudwatchapi.PutMetricDataInput{Namespace: &namespace, MetricData: []cloudwatchapi.MetricDatum{d}})
		return err
	}
	nan := 0.0
	nan /= nan
	for want, d := range map[string]cloudwatchapi.MetricDatum{
		"InvalidParameterValue: The parameter MetricData.member.1.Timestamp must specify a time no more than two hours in the future.": {Value: new(1.0), Timestamp: new(time.Now().Add(3 * time.Hour))},
		"InvalidParameterValue: The parameter MetricData.member.1.Timestamp must specify a time no more than two weeks in the past.":   {Value: new(1.0), Timestamp: new(time.Now().Add(-15 * 24 * time.Hour))},
		"InvalidParameterValue: The value NaN for parameter MetricData.member.1.Value is invalid.":                                     {Value: &nan},
		"InvalidParameterValue: The value 7 for parameter MetricData.member.1.StorageResolution is invalid.":                           {Value: new(1.0), StorageResolution: new(int32(7))},
		"InvalidParameterCombination: The parameters MetricData.member.1.Value and MetricData.member.1.StatisticValues are mutually exclusive and you have specified both.": {
			Value: new(1.0), StatisticValues: &cloudwatchapi.StatisticSet{},
		},
		"MissingParameter: The parameter MetricData.member.1.Value is required.":                                                                             {},
		"InvalidParameterValue: The parameters MetricData.member.1.Values and MetricData.member.1.Counts must be of the same size.":                          {Values: []float64{1, 2}, Counts: []float64{1}},
		"InvalidParameterValue: The collection MetricData.member.1.Values must not have a size greater than 150.":                                            {Values: make([]float64, 151)},
		"InvalidParameterValue: The parameter MetricData.member.1.StatisticValues.Maximum must be greater than MetricData.member.1.StatisticValues.Minimum.": {StatisticValues: &cloudwatchapi.StatisticSet{SampleCount: new(1.0), Minimum: new(2.0)}},
	} {
		if err := put("App", d); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := put("AWS/EC2", cloudwatchapi.MetricDatum{Value: new(1.0)}); code(err) != "InvalidParameterValue" {
		t.Error(err)
	}
}

func TestStatistics(t *testing.T) {
	w := newWorld(t, 1)
	var values, counts []float64
	for i := range 100 {
		values, counts = append(values, float64(i+1)), append(counts, 2)
	}
	_, err := w.s.PutMetricData(w.ctx, &cloudwatchapi.PutMetricDataInput{Namespace: new("App"), MetricData: []cloudwatchapi.MetricDatum{
		{MetricName: new("L"), Timestamp: new(began), Values: values, Counts: counts, Unit: "Milliseconds"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.s.GetMetricStatistics(w.ctx, &cloudwatchapi.GetMetricStatisticsInput{
		Namespace: new("App"), MetricName: new("L"), StartTime: new(began), EndTime: new(began.Add(time.Hour)), Period: new(int32(3600)),
		Statistics:         []cloudwatchapi.Statistic{"SampleCount", "Average", "Sum", "Minimum", "Maximum"},
		ExtendedStatistics: []string{"p50", "p99.5", "tm50", "TC(10%:90%)", "PR(:20)", "IQM", "wm90"},
	})
	if err != nil || len(out.Datapoints) != 1 {
		t.Fatalf("%+v %v", out, err)
	}
	d := out.Datapoints[0]
	if *d.SampleCount != 200 || *d.Average != 50.5 || *d.Sum != 10100 || *d.Minimum != 1 || *d.Maximum != 100 || d.Unit != "Milliseconds" {
		t.Errorf("%+v", d)
	}
	for name, want := range map[string]float64{"p50": 50, "p99.5": 100, "tm50": 25.5, "TC(10%:90%)": 160, "PR(:20)": 20, "IQM": 50.5, "wm90": 50} {
		if v := d.ExtendedStatistics[name]; v < want*0.975 || v > want*1.025 {
			t.Errorf("%s = %g, want %g", name, v, want)
		}
	}
	for _, name := range []string{"p101", "q50", "PR(10%:20%)", "Average", "TM(:)", "TM(x:5)"} {
		_, err := w.s.GetMetricStatistics(w.ctx, &cloudwatchapi.GetMetricStatisticsInput{
			Namespace: new("App"), MetricName: new("L"), StartTime: new(began), EndTime: new(began.Add(time.Hour)), Period: new(int32(60)), ExtendedStatistics: []string{name},
		})
		if code(err) != "InvalidParameterValue" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
