package metrics

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"
)

// Dim is a dimension.
type Dim struct{ Name, Value string }

// Metric names what is measured. The order of Dims does not matter.
type Metric struct {
	Scope     string // opaque; an account and a region
	Namespace string
	Name      string
	Dims      []Dim
}

// series is a metric in one unit.
type series struct {
	id     uint32
	metric Metric
	unit   string
	last   int64 // latest measurement, Unix seconds; on disk to the hour
}

// normal is m with its dimensions sorted.
func (m Metric) normal() Metric {
	byName := func(a, b Dim) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value)) }
	if !slices.IsSortedFunc(m.Dims, byName) {
		m.Dims = slices.SortedFunc(slices.Values(m.Dims), byName)
	}
	return m
}

// key is the identity of a metric: its parts, each after its length, so that
// no part can run into the next.
func (m Metric) key() []byte {
	var b []byte
	for _, part := range []string{m.Scope, m.Namespace, m.Name} {
		b = appendString(b, part)
	}
	for _, d := range m.Dims {
		b = appendString(appendString(b, d.Name), d.Value)
	}
	return b
}

// seriesKey is the unit and the metric's key.
func seriesKey(m Metric, unit string) []byte { return append(appendString(nil, unit), m.key()...) }

func parseKey(b []byte) (m Metric, unit string, ok bool) {
	ok = true
	next := func() string {
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)-w) {
			ok, b = false, nil
			return ""
		}
		part := string(b[w : w+int(n)])
		b = b[w+int(n):]
		return part
	}
	unit = next()
	m.Scope, m.Namespace, m.Name = next(), next(), next()
	for len(b) > 0 {
		m.Dims = append(m.Dims, Dim{next(), next()})
	}
	return m, unit, ok
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// add puts a series into memory; s.mu is held or nobody else is there yet.
func (s *Store) add(n *series) {
	key := string(n.metric.key())
	if old := s.find(key, n.unit); old != nil {
		old.last = max(old.last, n.last)
		return
	}
	s.names[key] = append(s.names[key], n)
	s.count++
}

func (s *Store) find(key, unit string) *series {
	for _, n := range s.names[key] {
		if n.unit == unit {
			return n
		}
	}
	return nil
}

// Listed is a metric that has measurements.
type Listed struct {
	Metric
	Last time.Time // of its latest measurement
}

// List lists the metrics of a scope that keep admits, sorted. keep must not
// call the store.
func (s *Store) List(scope string, keep func(Listed) bool) []Listed {
	var out []Listed
	s.mu.RLock()
	for _, units := range s.names {
		l := Listed{Metric: units[0].metric}
		last := units[0].last
		for _, n := range units {
			last = max(last, n.last)
		}
		l.Last = time.Unix(last, 0)
		if l.Scope == scope && keep(l) {
			out = append(out, l)
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(out, func(a, b Listed) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name),
			slices.CompareFunc(a.Dims, b.Dims, func(x, y Dim) int {
				return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Value, y.Value))
			}))
	})
	return out
}

// Len is the number of series.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.count
}
