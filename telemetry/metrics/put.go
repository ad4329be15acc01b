package metrics

import (
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Sample is a measurement.
type Sample struct {
	Metric Metric
	Unit   string
	Time   time.Time
	// Fine keeps it at a resolution of one second; otherwise it counts for its
	// minute.
	Fine bool
	Stat Stat
}

// Put keeps measurements; they are durable when it returns, all or none.
// Samples of the same series and time add up. One that is older than what is
// kept at its resolution goes where it would be by now.
func (s *Store) Put(now time.Time, samples []Sample) error {
	for i := range samples {
		samples[i].Metric = samples[i].Metric.normal()
		if at := samples[i].Time; at.Unix() < 0 || at.Before(now.Add(-Retention)) {
			return fmt.Errorf("%s/%s at %s: %w", samples[i].Metric.Namespace, samples[i].Metric.Name, at.UTC(), ErrTime)
		}
	}
	var touched []*series
	err := s.db.Batch(func(tx *bbolt.Tx) error {
		touched = touched[:0] // it may be run again
		for _, p := range samples {
			n, err := s.resolve(tx, p)
			if err != nil {
				return err
			}
			touched = append(touched, n)
			if err := put(tx, tierOf(p, now), n.id, p.Time.Unix(), p.Stat); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("put metrics: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range touched {
		s.add(n)
	}
	return nil
}

// tierOf is where a sample belongs at its age.
func tierOf(p Sample, now time.Time) tier {
	for i, t := range tiers {
		if (i > 0 || p.Fine) && (i == len(tiers)-1 || !p.Time.Before(now.Add(-t.keep))) {
			return t
		}
	}
	return tiers[len(tiers)-1]
}

// resolve finds the series of a sample or makes it. What it returns is a copy
// for add, with the sample's time.
func (s *Store) resolve(tx *bbolt.Tx, p Sample) (*series, error) {
	at := p.Time.Unix()
	s.mu.RLock()
	known := s.find(string(p.Metric.key()), p.Unit)
	count, last := s.count, int64(0)
	n := &series{metric: p.Metric, unit: p.Unit, last: at}
	if known != nil {
		n.id, last = known.id, known.last
	}
	s.mu.RUnlock()
	if known != nil && at/3600 <= last/3600 {
		return n, nil
	}
	b := tx.Bucket(seriesBucket)
	key := seriesKey(p.Metric, p.Unit)
	if v := b.Get(key); v != nil {
		n.id = binary.BigEndian.Uint32(v)
	} else {
		if count >= s.max {
			return nil, ErrTooMany
		}
		id, err := b.NextSequence()
		if err != nil {
			return nil, err
		}
		n.id = uint32(id)
	}
	v := binary.BigEndian.AppendUint32(nil, n.id)
	return n, b.Put(key, binary.BigEndian.AppendUint64(v, uint64(at)))
}

// dataKey sorts by chunk, then series, then time: what is written together
// lies together, and so does what is read together.
func dataKey(t tier, id uint32, at int64) []byte {
	at -= at % t.resolution
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 20), uint64(at-at%t.chunk))
	b = binary.BigEndian.AppendUint32(b, id)
	return binary.BigEndian.AppendUint64(b, uint64(at))
}

func parseDataKey(k []byte) (chunk int64, id uint32, at int64) {
	return int64(binary.BigEndian.Uint64(k)), binary.BigEndian.Uint32(k[8:]), int64(binary.BigEndian.Uint64(k[12:]))
}

// put adds a Stat to what a tier has of that time.
func put(tx *bbolt.Tx, t tier, id uint32, at int64, st Stat) error {
	b := tx.Bucket(t.name)
	key := dataKey(t, id, at)
	if old := b.Get(key); old != nil {
		sum, err := parseStat(old)
		if err != nil {
			return err
		}
		sum.Add(st)
		st = sum
	}
	return b.Put(key, appendStat(nil, st))
}
