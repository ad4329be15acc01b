// Package ledger keeps an example service's records in memory: by id, bounded, and each made at most once per idempotency key.
//
// A record's id is derived from the key it was created with. So every replica of a service gives the same key the same id, a repeat finds
// the first result, and two replicas that meet the same key at the same moment end with one record and not two. Records are lost with their
// task: a database comes with a later version of the platform.
//
// Invariants: an id is claimed by one request at a time; a claim ends in Finish or Release; the number of records never exceeds the capacity.
package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync"
)

// Record is a finished record with the fingerprint of the input it was made from.
type Record[T any] struct {
	Value       T
	Fingerprint string
}

// State is what a claim found.
type State int

// What Claim may find.
const (
	Claimed State = iota // nothing: the caller now makes the record
	Done                 // the record is there
	Busy                 // another request is making it
)

// Ledger holds up to a number of records, oldest out first.
type Ledger[T any] struct {
	mu       sync.Mutex
	records  map[string]Record[T]
	busy     map[string]bool
	order    []string // ids in order of arrival; a ring once it is full
	oldest   int
	capacity int
}

// New makes a ledger of at most capacity records.
func New[T any](capacity int) *Ledger[T] {
	return &Ledger[T]{records: map[string]Record[T]{}, busy: map[string]bool{}, capacity: capacity}
}

// Claim looks an id up, and reserves it when there is none.
func (l *Ledger[T]) Claim(id string) (Record[T], State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if record, ok := l.records[id]; ok {
		return record, Done
	}
	if l.busy[id] {
		return Record[T]{}, Busy
	}
	l.busy[id] = true
	return Record[T]{}, Claimed
}

// Release gives a claim back without a record.
func (l *Ledger[T]) Release(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.busy, id)
}

// Finish stores a record, ending its claim if there is one.
func (l *Ledger[T]) Finish(id string, record Record[T]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.busy, id)
	if _, known := l.records[id]; !known {
		if len(l.order) < l.capacity {
			l.order = append(l.order, id)
		} else {
			delete(l.records, l.order[l.oldest])
			l.order[l.oldest] = id
			l.oldest = (l.oldest + 1) % l.capacity
		}
	}
	l.records[id] = record
}

// Get reads a record; busy tells that it is being made.
func (l *Ledger[T]) Get(id string) (record Record[T], found, busy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	record, found = l.records[id]
	return record, found, l.busy[id]
}

// Update changes a record in place, if it is still there.
func (l *Ledger[T]) Update(id string, change func(T) T) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	record, found := l.records[id]
	if found {
		record.Value = change(record.Value)
		l.records[id] = record
	}
	return found
}

// ID derives a record's id from an idempotency key: 96 bits of its hash.
func ID(prefix, key string) string {
	sum := sha256.Sum256([]byte(prefix + "\x00" + key))
	return prefix + "_" + hex.EncodeToString(sum[:12])
}

// Fingerprint identifies an input by its content.
func Fingerprint(input any) string {
	data, _ := json.Marshal(input) // our own input types
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
