package metrics

import (
	"math"
	"slices"
)

// bin counts the values in one bucket of a histogram.
type bin struct {
	at int32 // bucketOf the values
	n  float64
}

// Buckets grow by gamma: each is represented by the value in its middle,
// from which its ends differ by 1 % of it.
const (
	alpha = 0.01
	gamma = (1 + alpha) / (1 - alpha)
	// center keeps the numbers of positive values positive.
	center = 1 << 16
	// maxBins bounds a histogram; beyond it the least values share a bucket.
	maxBins = 2048
)

var logGamma = math.Log(gamma)

// tiny is taken for zero; CloudWatch keeps nothing that small either.
const tiny = 1e-200

// bucketOf orders values: negative ones below 0, zero at 0, positive above.
func bucketOf(v float64) int32 {
	if math.Abs(v) < tiny {
		return 0
	}
	i := int32(math.Ceil(math.Log(math.Abs(v))/logGamma)) + center
	if v < 0 {
		return -i
	}
	return i
}

// middle represents a bucket's values.
func middle(at int32) float64 {
	switch {
	case at == 0:
		return 0
	case at < 0:
		return -middle(-at)
	}
	return math.Pow(gamma, float64(at-center)) * 2 / (gamma + 1)
}

// mergeBins adds two sorted histograms.
func mergeBins(a, b []bin) []bin {
	out := make([]bin, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].at < b[0].at:
			out, a = append(out, a[0]), a[1:]
		case a[0].at > b[0].at:
			out, b = append(out, b[0]), b[1:]
		default:
			out = append(out, bin{a[0].at, a[0].n + b[0].n})
			a, b = a[1:], b[1:]
		}
	}
	out = append(append(out, a...), b...)
	if over := len(out) - maxBins; over > 0 {
		for _, low := range out[:over] {
			out[over].n += low.n
		}
		out = slices.Clone(out[over:])
	}
	return out
}
