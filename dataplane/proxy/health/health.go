// Package health probes targets and judges what the probes say: a probe is
// one connection with one question, the judgement a pure function of the
// previous state, the result and the time.
package health

import "time"

// Status of a target.
type Status int

// A target begins as Initial. Its first good probe makes it Healthy at once;
// afterwards the thresholds decide.
const (
	Initial Status = iota
	Healthy
	Unhealthy
)

// Result is what one probe found. Reason and Description are in the words of
// Elastic Load Balancing ("Target.Timeout", "Request timed out"); empty when
// the probe was good.
type Result struct {
	OK                  bool
	Reason, Description string
}

// Thresholds are how many probes in a row change a status.
type Thresholds struct {
	Healthy, Unhealthy int
	// Interval is the time between regular probes. While a target is
	// Initial it is probed more often, and failures within one interval
	// count once.
	Interval time.Duration
}

// State is what is known of a target. The zero State is Initial.
type State struct {
	Status              Status
	Good, Bad           int // in a row
	Reason, Description string
	failed              time.Time // when the last counted failure was
}

// Next is the state after a probe that ended at now.
func (s State) Next(r Result, t Thresholds, now time.Time) State {
	if r.OK {
		s.Good++
		s.Bad = 0
		if s.Status == Initial || s.Good >= t.Healthy {
			s.Status, s.Reason, s.Description = Healthy, "", ""
		}
		return s
	}
	s.Good = 0
	// A tenth less than the interval, since probes do not come to the dot.
	if s.Status != Initial || s.failed.IsZero() || now.Sub(s.failed) >= t.Interval*9/10 {
		s.Bad++
		s.failed = now
	}
	if s.Status == Unhealthy || s.Bad >= t.Unhealthy {
		s.Status, s.Reason, s.Description = Unhealthy, r.Reason, r.Description
	}
	return s
}
