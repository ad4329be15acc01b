package metrics

import (
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// Query asks for statistics of one metric.
type Query struct {
	Metric Metric
	Unit   string        // empty: every unit that there is, together
	Start  time.Time     // inclusive
	End    time.Time     // exclusive
	Period time.Duration // whole seconds, at least one
}

// Point is the statistics of one period.
type Point struct {
	Time time.Time // its begin: a multiple of the period since 1970
	Unit string    // of the latest series that has values in it
	Stat Stat
}

// Query gives the periods that have values, oldest first. Measurements whose
// resolution has become coarser than the period, and than a minute, are left
// out, as CloudWatch does.
func (s *Store) Query(q Query) ([]Point, error) {
	period := max(int64(q.Period/time.Second), 1)
	start, end := max(q.Start.Unix(), 0), q.End.Unix()
	s.mu.RLock()
	units := slices.Clone(s.names[string(q.Metric.normal().key())])
	s.mu.RUnlock()
	points := map[int64]*Point{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		for _, n := range units {
			if q.Unit != "" && q.Unit != n.unit {
				continue
			}
			for _, t := range tiers {
				if t.resolution > max(period, 60) {
					break
				}
				err := scan(tx, t, n.id, start, end, func(at int64, st Stat) {
					at -= at % period
					p := points[at]
					if p == nil {
						p = &Point{Time: time.Unix(at, 0).UTC()}
						points[at] = p
					}
					p.Unit = n.unit
					p.Stat.Add(st)
				})
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read metric %s/%s: %w", q.Metric.Namespace, q.Metric.Name, err)
	}
	out := make([]Point, 0, len(points))
	for _, p := range points {
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b Point) int { return a.Time.Compare(b.Time) })
	return out, nil
}

// scan visits what a tier has of a series from start to end.
func scan(tx *bbolt.Tx, t tier, id uint32, start, end int64, visit func(at int64, st Stat)) error {
	c := tx.Bucket(t.name).Cursor()
	first, _ := c.First()
	if first == nil {
		return nil
	}
	last, _ := c.Last()
	from, _, _ := parseDataKey(first)
	to, _, _ := parseDataKey(last)
	from, to = max(from, start-start%t.chunk), min(to, end)
	for chunk := from; chunk <= to; chunk += t.chunk {
		k, v := c.Seek(dataKey(t, id, max(chunk, start-start%t.resolution)))
		for ; k != nil; k, v = c.Next() {
			in, of, at := parseDataKey(k)
			if in != chunk || of != id || at >= end {
				break
			}
			if at < start {
				continue // the minute that start lies within
			}
			st, err := parseStat(v)
			if err != nil {
				return err
			}
			visit(at, st)
		}
	}
	return nil
}
