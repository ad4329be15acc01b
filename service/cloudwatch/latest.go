package cloudwatch

import (
	"slices"
	"time"
)

// fresh is how many periods old a datapoint may be to speak for the present.
const fresh = 3

// Latest is the last datapoint of an alarm's metric, in the periods that the
// alarm looks at; false when there was none in the last three. A statistic,
// when given, takes the place of the alarm's own.
func (s *Service) Latest(a Alarm, statistic string) (value float64, ok bool, err error) {
	if statistic != "" && len(a.Metrics) == 0 {
		a.Statistic = statistic
	}
	a.Periods = fresh
	now := s.Now()
	v, err := s.look(a, now)
	if err != nil || len(v.Evaluated) == 0 {
		return 0, false, err
	}
	last := v.Evaluated[0]
	period := time.Duration(s.scaled(max(a.shortest(), 1))) * time.Second
	return last.Value, !last.At.Before(now.Add(-(fresh + 1) * period)), nil
}

// Does tells whether the alarm in its present state does an action.
func (a Alarm) Does(action string) bool {
	return a.ActionsEnabled && slices.Contains(a.actions(a.State), action)
}
