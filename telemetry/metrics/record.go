package metrics

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
)

// On disk a Stat is a byte of flags and numbers: one value alone; or count,
// sum, least and greatest, then the buckets, each as the distance from the one
// before and its count.
const (
	flagOne    = 1 << iota // one value, once
	flagOpaque             // no distribution
)

var errDamaged = errors.New("measurement is damaged")

func appendStat(b []byte, s Stat) []byte {
	if s.Count == 1 && s.Min == s.Max && s.Sum == s.Min {
		return appendFloat(append(b, flagOne), s.Sum)
	}
	flags := byte(0)
	if s.opaque {
		flags = flagOpaque
	}
	b = append(b, flags)
	for _, v := range []float64{s.Count, s.Sum, s.Min, s.Max} {
		b = appendFloat(b, v)
	}
	at := int32(0)
	for _, n := range s.bins {
		b = appendFloat(binary.AppendVarint(b, int64(n.at-at)), n.n)
		at = n.at
	}
	return b
}

// appendFloat is short for numbers with few digits, as most are: their low
// bits are zero.
func appendFloat(b []byte, v float64) []byte {
	return binary.AppendUvarint(b, bits.ReverseBytes64(math.Float64bits(v)))
}

func parseStat(b []byte) (s Stat, err error) {
	if len(b) == 0 {
		return s, errDamaged
	}
	flags := b[0]
	b = b[1:]
	float := func() float64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			err, b = errDamaged, nil
			return 0
		}
		b = b[n:]
		return math.Float64frombits(bits.ReverseBytes64(v))
	}
	if flags&flagOne != 0 {
		return Values(float(), 1), err
	}
	s = Stat{Count: float(), Sum: float(), Min: float(), Max: float(), opaque: flags&flagOpaque != 0}
	at := int32(0)
	for len(b) > 0 && err == nil {
		step, n := binary.Varint(b)
		if n <= 0 {
			return s, errDamaged
		}
		b = b[n:]
		at += int32(step)
		s.bins = append(s.bins, bin{at, float()})
	}
	return s, err
}
