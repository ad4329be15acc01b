package metrics

import (
	"fmt"

	"go.etcd.io/bbolt"
)

// Remove forgets every measurement of the scopes for which gone says so.
func (s *Store) Remove(gone func(scope string) bool) error {
	var old []*series
	err := s.db.Update(func(tx *bbolt.Tx) error { // keeps measurements from coming in meanwhile
		old = s.take(func(n *series) bool { return gone(n.metric.Scope) })
		if len(old) == 0 {
			return nil
		}
		ids := map[uint32]bool{}
		for _, n := range old {
			ids[n.id] = true
			if err := tx.Bucket(seriesBucket).Delete(seriesKey(n.metric, n.unit)); err != nil {
				return err
			}
		}
		for _, t := range tiers {
			if err := removeData(tx.Bucket(t.name), ids); err != nil {
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
	return fmt.Errorf("remove metrics: %w", err)
}

func removeData(b *bbolt.Bucket, ids map[uint32]bool) error {
	var keys [][]byte
	c := b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if _, id, _ := parseDataKey(k); ids[id] {
			keys = append(keys, k)
		}
	}
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
