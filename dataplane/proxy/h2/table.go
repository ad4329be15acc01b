package h2

// entry is a field of a dynamic table. Its bytes are never changed: fields
// that were decoded point to them.
type entry struct {
	name, value []byte
	valid       uint8 // what checkField said
}

func (e *entry) size() int { return len(e.name) + len(e.value) + 32 }

// table is HPACK's dynamic table (RFC 7541, 2.3.2): a ring, whose entries are
// known by how many were added before them.
type table struct {
	ring  []entry
	added uint32 // entries ever added
	count int
	used  int
	limit int // bytes
}

// at is the entry that was added as number seq, nil when it is gone.
func (t *table) at(seq uint32) *entry {
	if age := t.added - seq; age == 0 || age > uint32(t.count) {
		return nil
	}
	return &t.ring[seq%uint32(len(t.ring))]
}

// index is the entry with an index of the dynamic table: 0 is the newest.
func (t *table) index(i uint64) *entry {
	if i >= uint64(t.count) {
		return nil
	}
	return t.at(t.added - 1 - uint32(i))
}

// add puts an entry in, for which others go. One that is longer than the
// table empties it.
func (t *table) add(e entry) bool {
	size := e.size()
	t.evict(t.limit - size)
	if size > t.limit {
		return false
	}
	if t.count == len(t.ring) {
		t.grow()
	}
	t.ring[t.added%uint32(len(t.ring))] = e
	t.added++
	t.count++
	t.used += size
	return true
}

// grow doubles the ring, whose length is a power of two so that numbers may
// wrap around.
func (t *table) grow() {
	next := make([]entry, max(16, 2*len(t.ring)))
	for i := range uint32(t.count) {
		seq := t.added - 1 - i
		next[seq%uint32(len(next))] = t.ring[seq%uint32(len(t.ring))]
	}
	t.ring = next
}

// evict drops the oldest entries until no more than limit bytes are used.
func (t *table) evict(limit int) {
	for t.count > 0 && t.used > limit {
		e := t.at(t.added - uint32(t.count))
		t.used -= e.size()
		*e = entry{}
		t.count--
	}
}

func (t *table) resize(limit int) {
	t.limit = limit
	t.evict(limit)
}
