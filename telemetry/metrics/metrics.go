// Package metrics keeps measurements by time and gives statistics of them
// over periods, with percentiles.
//
// A series is a scope, a namespace, a name and sorted dimensions, with a unit;
// all are opaque here. What is kept of a second or a minute of a series is a
// Stat: count, sum, least, greatest, and a histogram whose buckets are at most
// 1 % wide to either side. Measurements of one second become one minute after
// three hours, five minutes after 15 days, an hour after 63 days, and are gone
// after 455 days, as CloudWatch has it.
//
// It is one bbolt file, which the engine links for its rows anyway: what was
// put survives the end of the process and of the power, and a roll-up happens
// whole or not at all. Prometheus' TSDB was weighed and left out; see
// design/metrics.md.
//
// Invariants. A measurement lies in exactly one tier at any time. Memory holds
// one small entry for each series, at most Config.MaxSeries; measurements are
// read from the file when asked for.
package metrics

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Config of a Store.
type Config struct {
	Path      string // of the file
	MaxSeries int    // how many series there may be at once; default 50,000
	NoSync    bool   // what was put survives the end of the process alone, not of the power
}

// What the store answers besides errors of the disk.
var (
	ErrTooMany = errors.New("too many metrics")
	ErrTime    = errors.New("measurement lies outside the time that is kept")
)

// Store is one file of measurements.
type Store struct {
	max int
	db  *bbolt.DB

	mu    sync.RWMutex
	names map[string][]*series // by identity without unit: one for each unit
	count int
}

// tier is a resolution and how long it is kept.
type tier struct {
	name       []byte
	resolution int64         // seconds
	keep       time.Duration // then it is rolled up into the next, or deleted
	chunk      int64         // seconds of measurements that lie together in the file
}

// tiers are CloudWatch's retention (CloudWatch user guide, Metrics retention).
var tiers = []tier{
	{[]byte("1"), 1, 3 * time.Hour, 15 * 60},
	{[]byte("60"), 60, 15 * 24 * time.Hour, 6 * 3600},
	{[]byte("300"), 300, 63 * 24 * time.Hour, 24 * 3600},
	{[]byte("3600"), 3600, Retention, 30 * 24 * 3600},
}

// Retention is the age at which a measurement is gone.
const Retention = 455 * 24 * time.Hour

var seriesBucket = []byte("series")

// Open opens or creates a store.
func Open(cfg Config) (*Store, error) {
	if cfg.MaxSeries == 0 {
		cfg.MaxSeries = 50_000
	}
	db, err := bbolt.Open(cfg.Path, 0o600, &bbolt.Options{
		Timeout: time.Second, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, NoSync: cfg.NoSync,
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		err = errors.New("another process has it open")
	}
	if err != nil {
		return nil, fmt.Errorf("open metric store %s: %w", cfg.Path, err)
	}
	db.MaxBatchDelay = 2 * time.Millisecond
	s := &Store{max: cfg.MaxSeries, db: db, names: map[string][]*series{}}
	if err := db.Update(s.load); err != nil {
		return nil, errors.Join(fmt.Errorf("open metric store %s: %w", cfg.Path, err), db.Close())
	}
	return s, nil
}

// Close closes the file; nothing may be asked of the store then.
func (s *Store) Close() error { return s.db.Close() }

func (s *Store) load(tx *bbolt.Tx) error {
	for _, t := range tiers {
		if _, err := tx.CreateBucketIfNotExists(t.name); err != nil {
			return err
		}
	}
	b, err := tx.CreateBucketIfNotExists(seriesBucket)
	if err != nil {
		return err
	}
	return b.ForEach(func(k, v []byte) error {
		m, unit, ok := parseKey(k)
		if !ok || len(v) != 12 {
			return fmt.Errorf("series %q is damaged", k)
		}
		s.add(&series{
			id: binary.BigEndian.Uint32(v), metric: m, unit: unit, last: int64(binary.BigEndian.Uint64(v[4:])),
		})
		return nil
	})
}
