package cloudwatch

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
)

// wordings of comparisons, as they stand in state reasons.
var wordings = map[cloudwatchapi.ComparisonOperator]string{
	cloudwatchapi.ComparisonOperatorGreaterThanOrEqualToThreshold: "greater than or equal to",
	cloudwatchapi.ComparisonOperatorGreaterThanThreshold:          "greater than",
	cloudwatchapi.ComparisonOperatorLessThanThreshold:             "less than",
	cloudwatchapi.ComparisonOperatorLessThanOrEqualToThreshold:    "less than or equal to",
}

const (
	reasonTime = "02/01/06 15:04:05"
	// dataTime is the form of times in state reason data.
	dataTime = "2006-01-02T15:04:05.000+0000"
)

// unchecked is the reason of a new alarm's state.
const unchecked = "Unchecked: Initial alarm creation"

// reason words a verdict as CloudWatch does.
func reason(a Alarm, v verdict) string {
	if v.State == cloudwatchapi.StateValueInsufficientData {
		return fmt.Sprintf("Insufficient Data: %s unknown.", plural(v.Unknown, "datapoint was", "datapoints were"))
	}
	if len(v.Evaluated) == 0 {
		return fmt.Sprintf("Threshold Crossed: no datapoints were received for %s and %s treated as [%s].",
			plural(a.Periods, "period", "periods"), plural(v.Unknown, "missing datapoint was", "missing datapoints were"), v.Filled)
	}
	alarming := v.State == cloudwatchapi.StateValueAlarm
	var points []string
	for _, r := range v.Evaluated {
		if a.breaches(r.Value) == alarming {
			points = append(points, fmt.Sprintf("%s (%s)", decimal(r.Value), r.At.UTC().Format(reasonTime)))
		}
	}
	if len(points) == 0 { // missing ones decided
		for _, r := range v.Evaluated {
			points = append(points, fmt.Sprintf("%s (%s)", decimal(r.Value), r.At.UTC().Format(reasonTime)))
		}
		return fmt.Sprintf("Threshold Crossed: %s [%s] and %s treated as [%s].", plural(len(points), "datapoint", "datapoints"),
			strings.Join(points, ", "), plural(v.Unknown, "missing datapoint was", "missing datapoints were"), v.Filled)
	}
	was, not, transition, least := "was", "", "OK -> ALARM", a.toAlarm()
	if !alarming {
		not, transition, least = "not ", "ALARM -> OK", a.Periods-a.toAlarm()+1
	}
	if len(points) > 1 {
		was = "were"
	}
	return fmt.Sprintf("Threshold Crossed: %d out of the last %d datapoints [%s] %s %s%s the threshold (%s) (minimum %s for %s transition).",
		len(points), a.Periods, strings.Join(points, ", "), was, not, wordings[a.Comparison], decimal(a.Threshold),
		plural(least, "datapoint", "datapoints"), transition)
}

// reasonData is the JSON beside the reason.
func reasonData(a Alarm, v verdict, now time.Time) string {
	type point struct {
		Timestamp   string   `json:"timestamp"`
		SampleCount *float64 `json:"sampleCount,omitempty"`
		Value       *float64 `json:"value,omitempty"`
		Threshold   *float64 `json:"threshold,omitempty"`
	}
	doc := struct {
		Version   string    `json:"version"`
		QueryDate string    `json:"queryDate"`
		StartDate string    `json:"startDate,omitempty"`
		Unit      string    `json:"unit,omitempty"`
		Statistic string    `json:"statistic,omitempty"`
		Period    int       `json:"period"`
		Recent    []float64 `json:"recentDatapoints"`
		Threshold float64   `json:"threshold"`
		Evaluated []point   `json:"evaluatedDatapoints"`
	}{
		Version: "1.0", QueryDate: now.UTC().Format(dataTime), Unit: a.Unit, Statistic: a.Statistic, Period: a.Period,
		Recent: []float64{}, Threshold: a.Threshold, Evaluated: []point{},
	}
	for i, r := range v.Evaluated {
		p := point{Timestamp: r.At.UTC().Format(dataTime), Value: new(r.Value)}
		if r.Count > 0 {
			p.SampleCount = new(r.Count)
		}
		doc.Evaluated = append(doc.Evaluated, p)
		oldest := v.Evaluated[len(v.Evaluated)-1-i]
		doc.Recent = append(doc.Recent, oldest.Value)
		doc.StartDate = r.At.UTC().Format(dataTime)
	}
	out, err := json.Marshal(doc)
	if err != nil { // values are finite
		return ""
	}
	if len(out) > maxReasonData {
		doc.Evaluated = doc.Evaluated[:0]
		if out, err = json.Marshal(doc); err != nil || len(out) > maxReasonData {
			return ""
		}
	}
	return string(out)
}

// maxReasonData is the length of state reason data that the API allows.
const maxReasonData = 4000

// decimal writes a number as CloudWatch does: always with a point.
func decimal(v float64) string {
	s := strconv.FormatFloat(v, 'g', -1, 64)
	if a := max(v, -v); a == 0 || a >= 1e-3 && a < 1e7 {
		s = strconv.FormatFloat(v, 'f', -1, 64)
	}
	s = strings.Replace(strings.Replace(s, "e+0", "E", 1), "e-0", "E-", 1)
	s = strings.Replace(strings.Replace(s, "e+", "E", 1), "e-", "E-", 1)
	if !strings.Contains(s, ".") {
		mantissa, exponent, has := strings.Cut(s, "E")
		if s = mantissa + ".0"; has {
			s += "E" + exponent
		}
	}
	return s
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
