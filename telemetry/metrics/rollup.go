package metrics

import (
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// rollBatch bounds one transaction of RollUp.
const rollBatch = 10_000

// RollUp moves measurements that are older than their tier keeps them to the
// next, and deletes what is older than all, and series without measurements.
// Call it every quarter of an hour or so. Every measurement moves whole or not
// at all, so it may be interrupted anywhere.
func (s *Store) RollUp(now time.Time) error {
	for i, t := range tiers {
		for {
			moved := 0
			err := s.db.Update(func(tx *bbolt.Tx) (err error) {
				moved, err = s.rollUp(tx, i, now.Add(-t.keep).Unix())
				return err
			})
			if err != nil {
				return fmt.Errorf("roll up metrics of %d s: %w", t.resolution, err)
			}
			if moved < rollBatch {
				break
			}
		}
	}
	return s.dropSeries(now.Add(-Retention).Unix())
}

// rollUp moves what lies in chunks that ended before the horizon.
func (s *Store) rollUp(tx *bbolt.Tx, i int, horizon int64) (int, error) {
	t := tiers[i]
	b := tx.Bucket(t.name)
	var keys [][]byte
	c := b.Cursor()
	for k, v := c.First(); k != nil && len(keys) < rollBatch; k, v = c.Next() {
		chunk, id, at := parseDataKey(k)
		if chunk+t.chunk > horizon {
			break
		}
		keys = append(keys, k)
		if i == len(tiers)-1 {
			continue
		}
		st, err := parseStat(v)
		if err == nil {
			err = put(tx, tiers[i+1], id, at, st)
		}
		if err != nil {
			return 0, err
		}
	}
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}

// dropSeries forgets the series that were last measured before the horizon.
func (s *Store) dropSeries(horizon int64) error {
	// A chunk is deleted when all of it is older.
	horizon -= tiers[len(tiers)-1].chunk + 3600
	var old []*series
	// The transaction keeps measurements from coming in meanwhile: a series
	// that is wanted again afterwards is made anew.
	err := s.db.Update(func(tx *bbolt.Tx) error {
		old = s.take(func(n *series) bool { return n.last < horizon })
		for _, n := range old {
			if err := tx.Bucket(seriesBucket).Delete(seriesKey(n.metric, n.unit)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range old {
		s.add(n)
	}
	return fmt.Errorf("forget metrics: %w", err)
}

// take takes the series out of memory for which out says so.
func (s *Store) take(out func(*series) bool) (old []*series) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, units := range s.names {
		var left []*series
		for _, n := range units {
			if out(n) {
				old = append(old, n)
			} else {
				left = append(left, n)
			}
		}
		if s.names[key] = left; len(left) == 0 {
			delete(s.names, key)
		}
	}
	s.count -= len(old)
	return old
}
