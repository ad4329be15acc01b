package store

import (
	"fmt"
	"maps"
	"reflect"
)

// Tx is a view of every table that can be written to. It is valid until the
// function it was passed to returns.
type Tx struct {
	tables  map[string]tableState
	changed []write
}

// write is one change of a transaction; row is nil for a deletion.
type write struct {
	schema *schema
	key    string
	row    any
}

// update is one call of Update that waits for its commit.
type update struct {
	fn       func(*Tx) error
	done     bool
	err      error
	panicked any
}

// commitWaiting runs every waiting update in order, writes what they changed
// to the disk at once, and publishes it; s.commit is held. When the disk
// fails, all of them fail and nothing has happened.
func (s *Store) commitWaiting() {
	s.queue.Lock()
	batch := s.queue.waiting
	s.queue.waiting = nil
	s.queue.Unlock()

	base := s.current.Load()
	tables := base.tables
	var writes []write
	var succeeded []*update
	for _, u := range batch {
		tx := &Tx{tables: maps.Clone(tables)}
		u.run(tx)
		u.done = true
		if u.err == nil && u.panicked == nil {
			tables = tx.tables
			writes = append(writes, tx.changed...)
			succeeded = append(succeeded, u)
		}
	}
	if len(writes) == 0 {
		return
	}
	if s.disk != nil {
		if err := s.disk.write(writes); err != nil {
			for _, u := range succeeded {
				u.err = fmt.Errorf("write to the store: %w", err)
			}
			return
		}
	}
	changed := make([]Change, len(writes))
	for i, w := range writes {
		changed[i] = Change{w.schema.name, w.key}
	}
	s.publish(&Snapshot{rev: base.rev + 1, tables: tables}, changed)
}

// run calls the function and keeps a panic for the goroutine that it belongs to.
func (u *update) run(tx *Tx) {
	defer func() { u.panicked = recover() }()
	u.err = u.fn(tx)
}

func (tx *Tx) put(sc *schema, key string, row any) {
	if key == "" {
		panic("store: a row of table " + sc.name + " has an empty key")
	}
	t := table(tx.tables, sc)
	if old, ok := t.rows.Get([]byte(key)); ok && reflect.DeepEqual(old, row) {
		return
	}
	tx.tables[sc.name] = t.put(sc, key, row)
	tx.changed = append(tx.changed, write{sc, key, row})
}

func (tx *Tx) delete(sc *schema, key string) bool {
	t, ok := table(tx.tables, sc).delete(sc, key)
	if !ok {
		return false
	}
	tx.tables[sc.name] = t
	tx.changed = append(tx.changed, write{schema: sc, key: key})
	return true
}
