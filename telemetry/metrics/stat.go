package metrics

import "math"

// Stat is what is kept of the values of a period. The zero Stat has none.
type Stat struct {
	Count, Sum float64
	Min, Max   float64
	// bins is the distribution; nil when all values are Min, or when opaque.
	bins []bin
	// opaque says that the distribution is not known: the values came as a
	// statistic set.
	opaque bool
}

// Values makes the Stat of n times a value.
func Values(value, n float64) Stat {
	return Stat{Count: n, Sum: value * n, Min: value, Max: value}
}

// Set makes a Stat of a statistic set. Percentiles can be had of it only when
// all values are the same (CloudWatch user guide, Percentiles).
func Set(count, sum, least, greatest float64) Stat {
	return Stat{Count: count, Sum: sum, Min: least, Max: greatest, opaque: least != greatest}
}

// Add takes the values of o in too.
func (s *Stat) Add(o Stat) {
	switch {
	case o.Count == 0:
		return
	case s.Count == 0:
		*s = o
		return
	}
	if s.opaque || o.opaque {
		s.opaque, s.bins = true, nil
	} else if s.Min != s.Max || o.Min != o.Max || s.Min != o.Min {
		s.bins = mergeBins(s.distribution(), o.distribution())
	}
	s.Count += o.Count
	s.Sum += o.Sum
	s.Min, s.Max = min(s.Min, o.Min), max(s.Max, o.Max)
}

// distribution is the histogram, sorted; nil when it is not known.
func (s *Stat) distribution() []bin {
	if s.opaque || s.Count == 0 {
		return nil
	}
	if s.bins == nil {
		return []bin{{bucketOf(s.Min), s.Count}}
	}
	return s.bins
}

// Average is Sum by Count, 0 without values.
func (s *Stat) Average() float64 {
	if s.Count == 0 {
		return 0
	}
	return s.Sum / s.Count
}

// Percentile is the value at the rank p (0 to 100), to within 1 % of it; false
// when the distribution is not known.
func (s *Stat) Percentile(p float64) (float64, bool) {
	if s.opaque || s.Count == 0 {
		return 0, false
	}
	rank := math.Ceil(p / 100 * s.Count)
	switch {
	case p >= 100:
		return s.Max, true
	case rank <= 1 && s.Count > 1, p <= 0:
		return s.Min, true
	}
	for _, b := range s.distribution() {
		if rank -= b.n; rank <= 0 {
			return s.clamp(middle(b.at)), true
		}
	}
	return s.Max, true
}

func (s *Stat) clamp(v float64) float64 { return min(max(v, s.Min), s.Max) }

// Trimmed are the values between two ranks in percent (0 to 100): how many
// they are and their sum, to within 1 %.
func (s *Stat) Trimmed(from, to float64) (count, sum float64, ok bool) {
	lo, hi := from/100*s.Count, to/100*s.Count
	at := 0.0
	for _, b := range s.distribution() {
		n := max(0, min(at+b.n, hi)-max(at, lo))
		count += n
		sum += n * s.clamp(middle(b.at))
		at += b.n
	}
	return count, sum, !s.opaque && s.Count > 0
}

// Between counts the values v with from < v <= to, and adds them up, to
// within the width of a bucket at each end.
func (s *Stat) Between(from, to float64) (count, sum float64, ok bool) {
	for _, b := range s.distribution() {
		if v := s.clamp(middle(b.at)); v > from && v <= to {
			count += b.n
			sum += b.n * v
		}
	}
	return count, sum, !s.opaque && s.Count > 0
}
