package store

import iradix "github.com/hashicorp/go-immutable-radix/v2"

// loader fills the trees of an empty table in place, which is many times
// faster than a new tree for each row.
type loader struct {
	sc      *schema
	rows    *iradix.Txn[any]
	indexes []*iradix.Txn[any]
	counts  []map[string]int
}

func (t tableState) loader() *loader {
	l := &loader{sc: t.sc, rows: t.rows.Txn()}
	for _, ix := range t.indexes {
		l.indexes = append(l.indexes, ix.rows.Txn())
		l.counts = append(l.counts, map[string]int{})
	}
	return l
}

// add adds a row whose key is new.
func (l *loader) add(key string, row any) {
	l.rows.Insert([]byte(key), row)
	for i, ix := range l.sc.indexes {
		for _, under := range ix.keys(row) {
			_, twice := l.indexes[i].Insert([]byte(under+"\x00"+key), row)
			if ix.counted && !twice {
				l.counts[i][under]++
			}
		}
	}
}

// table is the table with all rows that were added.
func (l *loader) table() tableState {
	t := newTableState(l.sc)
	t.rows = l.rows.Commit()
	for i := range l.indexes {
		t.indexes[i].rows = l.indexes[i].Commit()
		counts := t.indexes[i].counts.Txn()
		for under, n := range l.counts[i] {
			counts.Insert([]byte(under), n)
		}
		t.indexes[i].counts = counts.Commit()
	}
	return t
}
