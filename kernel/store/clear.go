package store

// Clear removes the rows of a table whose primary key is gone, and says how many
// they were. It is for what knows no table's rows, such as the removal of all
// that an account has; whoever owns the rows sees it as any other change.
func Clear(tx *Tx, t Schema, gone func(key string) bool) int {
	var keys []string
	sc := t.schema()
	it := table(tx.tables, sc).rows.Root().Iterator()
	for key, _, ok := it.Next(); ok; key, _, ok = it.Next() {
		if gone(string(key)) {
			keys = append(keys, string(key))
		}
	}
	for _, key := range keys {
		tx.delete(sc, key)
	}
	return len(keys)
}
