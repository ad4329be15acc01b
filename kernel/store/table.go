package store

import (
	"encoding/json"
	"iter"
	"reflect"
	"slices"
	"strings"

	iradix "github.com/hashicorp/go-immutable-radix/v2"
)

// Table names one kind of row. It holds no state and is usually a package
// variable of the service that owns the rows.
type Table[T any] struct {
	sc  schema
	key func(T) string
}

// Schema is a table of any row type.
type Schema interface {
	Name() string
	schema() *schema
}

// RowType is the type of a table's rows.
func RowType(t Schema) reflect.Type { return t.schema().row }

// schema is a table with its row type erased.
type schema struct {
	name     string
	row      reflect.Type
	volatile bool
	indexes  []index
	decode   func([]byte) (any, error)
}

type index struct {
	name    string
	keys    func(row any) []string
	counted bool
}

// Option changes how a table is kept.
type Option[T any] func(*schema)

// NewTable declares a table. Names are "service/kind"; key must not change
// while a row lives.
func NewTable[T any](name string, key func(T) string, opts ...Option[T]) *Table[T] {
	t := &Table[T]{key: key, sc: schema{name: name, row: reflect.TypeFor[T]()}}
	t.sc.decode = func(b []byte) (any, error) {
		var row T
		err := json.Unmarshal(b, &row)
		return row, err
	}
	for _, o := range opts {
		o(&t.sc)
	}
	return t
}

// Index adds a secondary index: By finds the rows for which keys returns a
// given key. Keys must not contain a zero byte.
func Index[T any](name string, keys func(T) []string) Option[T] {
	return func(sc *schema) {
		sc.indexes = append(sc.indexes, index{name: name, keys: func(row any) []string { return keys(row.(T)) }})
	}
}

// CountedIndex is an Index that keeps count of the rows under each key, so
// that Count need not go through them.
func CountedIndex[T any](name string, keys func(T) []string) Option[T] {
	return func(sc *schema) {
		Index(name, keys)(sc)
		sc.indexes[len(sc.indexes)-1].counted = true
	}
}

// Volatile keeps the rows in memory only: readings that are taken again after
// a restart.
func Volatile[T any]() Option[T] { return func(sc *schema) { sc.volatile = true } }

func (t *Table[T]) schema() *schema { return &t.sc }

// Name is the table's name, as it stands in a Change.
func (t *Table[T]) Name() string { return t.sc.name }

// Key is the primary key of a row.
func (t *Table[T]) Key(row T) string { return t.key(row) }

// Get returns the row with the given primary key, or ErrNotFound.
func (t *Table[T]) Get(r Reader, key string) (T, error) {
	row, ok := table(r.state(), &t.sc).rows.Get([]byte(key))
	if !ok {
		var zero T
		return zero, ErrNotFound
	}
	return row.(T), nil
}

// List yields the rows whose primary key begins with prefix, in key order.
// Rows that are written while it runs are not seen.
func (t *Table[T]) List(r Reader, prefix string) iter.Seq[T] {
	return rows[T](table(r.state(), &t.sc).rows, prefix)
}

// ListFrom is List beginning with the first row whose primary key is not less
// than from. It finds that row without going through those before it.
func (t *Table[T]) ListFrom(r Reader, prefix, from string) iter.Seq[T] {
	tree := table(r.state(), &t.sc).rows
	return func(yield func(T) bool) {
		it := tree.Root().Iterator()
		it.SeekLowerBound([]byte(max(prefix, from)))
		for {
			key, row, ok := it.Next()
			if !ok || !strings.HasPrefix(string(key), prefix) || !yield(row.(T)) {
				return
			}
		}
	}
}

// Keys are the primary keys of all rows, in order.
func (t *Table[T]) Keys(s *Snapshot) []string {
	var keys []string
	for row := range t.List(s, "") {
		keys = append(keys, t.key(row))
	}
	return keys
}

// By yields the rows that an index lists under a key, in primary key order.
func (t *Table[T]) By(r Reader, indexName, key string) iter.Seq[T] {
	i := t.sc.index(indexName)
	return rows[T](table(r.state(), &t.sc).indexes[i].rows, key+"\x00")
}

// Count is how many rows a CountedIndex lists under a key.
func (t *Table[T]) Count(r Reader, indexName, key string) int {
	i := t.sc.index(indexName)
	if !t.sc.indexes[i].counted {
		panic("store: index " + indexName + " of table " + t.sc.name + " is not counted")
	}
	n, _ := table(r.state(), &t.sc).indexes[i].counts.Get([]byte(key))
	return n
}

// index finds an index; one that was not declared is a mistake of the program.
func (sc *schema) index(name string) int {
	for i, ix := range sc.indexes {
		if ix.name == name {
			return i
		}
	}
	panic("store: table " + sc.name + " has no index " + name)
}

// Create adds a row, or returns ErrExists.
func (t *Table[T]) Create(tx *Tx, row T) error {
	if _, err := t.Get(tx, t.key(row)); err == nil {
		return ErrExists
	}
	t.Put(tx, row)
	return nil
}

// Put adds or replaces a row. A row equal to the present one is no change.
func (t *Table[T]) Put(tx *Tx, row T) { tx.put(&t.sc, t.key(row), row) }

// Delete removes a row and says whether it was there.
func (t *Table[T]) Delete(tx *Tx, key string) bool { return tx.delete(&t.sc, key) }

// Reader is a Snapshot or a Tx.
type Reader interface {
	state() map[string]tableState
}

func (s *Snapshot) state() map[string]tableState { return s.tables }
func (tx *Tx) state() map[string]tableState      { return tx.tables }

// tableState is a table's rows and its indexes, all immutable.
type tableState struct {
	sc      *schema
	rows    *iradix.Tree[any]
	indexes []indexState
}

// indexState is one index: rows by "index key, zero byte, primary key", and
// how many there are by index key, if they are counted.
type indexState struct {
	rows   *iradix.Tree[any]
	counts *iradix.Tree[int]
}

func newTableState(sc *schema) tableState {
	t := tableState{sc: sc, rows: iradix.New[any]()}
	for range sc.indexes {
		t.indexes = append(t.indexes, indexState{iradix.New[any](), iradix.New[int]()})
	}
	return t
}

// table finds a table's state; a table that was not opened is a mistake of
// the program.
func table(tables map[string]tableState, sc *schema) tableState {
	t, ok := tables[sc.name]
	if !ok {
		panic("store: table " + sc.name + " was not passed to Open")
	}
	return t
}

func (t tableState) put(sc *schema, key string, row any) tableState {
	t, _ = t.delete(sc, key)
	next := tableState{sc: sc, indexes: slices.Clone(t.indexes)}
	next.rows, _, _ = t.rows.Insert([]byte(key), row)
	for i, ix := range sc.indexes {
		for _, k := range ix.keys(row) {
			next.indexes[i].insert(ix, k, key, row)
		}
	}
	return next
}

func (t tableState) delete(sc *schema, key string) (tableState, bool) {
	old, ok := t.rows.Get([]byte(key))
	if !ok {
		return t, false
	}
	next := tableState{sc: sc, indexes: slices.Clone(t.indexes)}
	next.rows, _, _ = t.rows.Delete([]byte(key))
	for i, ix := range sc.indexes {
		for _, k := range ix.keys(old) {
			next.indexes[i].delete(ix, k, key)
		}
	}
	return next, true
}

func (s *indexState) insert(ix index, under, key string, row any) {
	var there bool
	s.rows, _, there = s.rows.Insert([]byte(under+"\x00"+key), row)
	if ix.counted && !there {
		n, _ := s.counts.Get([]byte(under))
		s.counts, _, _ = s.counts.Insert([]byte(under), n+1)
	}
}

func (s *indexState) delete(ix index, under, key string) {
	var there bool
	s.rows, _, there = s.rows.Delete([]byte(under + "\x00" + key))
	if !ix.counted || !there {
		return
	}
	if n, _ := s.counts.Get([]byte(under)); n > 1 {
		s.counts, _, _ = s.counts.Insert([]byte(under), n-1)
	} else {
		s.counts, _, _ = s.counts.Delete([]byte(under))
	}
}

func rows[T any](tree *iradix.Tree[any], prefix string) iter.Seq[T] {
	return func(yield func(T) bool) {
		it := tree.Root().Iterator()
		it.SeekPrefix([]byte(prefix))
		for {
			_, row, ok := it.Next()
			if !ok || !yield(row.(T)) {
				return
			}
		}
	}
}
