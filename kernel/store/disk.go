package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sync/errgroup"
)

// disk is the durable side: one bucket per table, one JSON document per row.
// bbolt writes a transaction whole or not at all, whenever the power fails.
type disk struct{ db *bbolt.DB }

func openDisk(cfg Config) (*disk, error) {
	db, err := bbolt.Open(cfg.Path, 0o600, &bbolt.Options{
		Timeout: time.Second,
		// The list of free pages is rebuilt at open instead of being written
		// at every commit.
		NoFreelistSync: true,
		NoSync:         cfg.NoSync,
		FreelistType:   bbolt.FreelistMapType,
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, errors.New("another process has it open")
	}
	if err != nil {
		return nil, err
	}
	return &disk{db}, nil
}

func (d *disk) close() error { return d.db.Close() }

// load reads every row of the known tables, each table on its own. Buckets of
// unknown tables stay as they are: a newer version may have written them.
func (d *disk) load(tables map[string]tableState) error {
	var group errgroup.Group
	var mu sync.Mutex
	for name, t := range maps.Clone(tables) {
		if t.sc.volatile {
			continue
		}
		group.Go(func() error {
			t, err := d.loadTable(t)
			mu.Lock()
			defer mu.Unlock()
			tables[name] = t
			return err
		})
	}
	return group.Wait()
}

func (d *disk) loadTable(t tableState) (tableState, error) {
	l := t.loader()
	err := d.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(t.sc.name))
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, v []byte) error {
			row, err := t.sc.decode(v)
			if err != nil {
				return fmt.Errorf("row %q of table %s: %w", k, t.sc.name, err)
			}
			l.add(string(k), row)
			return nil
		})
	})
	return l.table(), err
}

// write makes the changes durable, all or none.
func (d *disk) write(writes []write) error {
	// Of several writes of one row only the last counts.
	type place struct{ table, key string }
	last := make(map[place]any, len(writes))
	for _, w := range writes {
		if !w.schema.volatile {
			last[place{w.schema.name, w.key}] = w.row
		}
	}
	if len(last) == 0 {
		return nil
	}
	return d.db.Update(func(tx *bbolt.Tx) error {
		for at, row := range last {
			b, err := tx.CreateBucketIfNotExists([]byte(at.table))
			if err != nil {
				return err
			}
			if row == nil {
				if err := b.Delete([]byte(at.key)); err != nil {
					return err
				}
				continue
			}
			doc, err := json.Marshal(row)
			if err != nil {
				return fmt.Errorf("encode row %q of table %s: %w", at.key, at.table, err)
			}
			if err := b.Put([]byte(at.key), doc); err != nil {
				return err
			}
		}
		return nil
	})
}
