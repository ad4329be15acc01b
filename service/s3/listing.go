package s3

import (
	"strings"

	"github.com/slipway-dev/slipway/kernel/store"
)

// maxList is how much a listing gives at once.
const maxList = 1000

// query says what to list.
type query struct {
	prefix, delimiter string
	after             string // the first key or prefix comes after this one
	// version makes the listing begin within the versions of the key after: with
	// the first one whose place is less. 0: after all of them.
	version  uint64
	versions bool // all versions, not only the newest that are no markers
	limit    int
}

// entry is what a listing consists of: an object or a common prefix.
type entry struct {
	prefix string // when not empty
	object Object
	newest bool
}

// name is what the next page comes after.
func (e entry) name() string {
	if e.prefix != "" {
		return e.prefix
	}
	return e.object.Key
}

// list is one page of a listing, and whether there is more. It reads what it
// gives and little else: below a common prefix it goes on behind it.
func list(r store.Reader, b Bucket, q query) (page []entry, more bool) {
	if q.limit == 0 {
		return nil, false
	}
	begin := objectsKey(b.Scope, b.Name, q.prefix)
	from, ok := q.start(b)
	if !ok {
		return nil, false
	}
	key, seen := "", false // of the row before, whose first version has been met
	for {
		jump := ""
		for o := range Objects.ListFrom(r, begin, from) {
			newest := (!seen || o.Key != key) && isLatest(r, o, q)
			key, seen = o.Key, true
			if !q.versions && (!newest || o.Marker) {
				continue
			}
			e := entry{object: o, newest: newest}
			if at := strings.Index(o.Key[len(q.prefix):], q.delimiter); q.delimiter != "" && at >= 0 {
				e = entry{prefix: o.Key[:len(q.prefix)+at+len(q.delimiter)]}
			}
			if len(page) == q.limit {
				return page, true
			}
			page = append(page, e)
			if e.prefix != "" {
				jump = e.prefix
				break
			}
		}
		if jump == "" {
			return page, false
		}
		if from, ok = past(objectsKey(b.Scope, b.Name, jump)); !ok {
			return page, false
		}
		key, seen = "", false
	}
}

// isLatest says whether a row, the first of its key that the listing met, is the
// newest version: a listing that begins within a key's versions meets an older
// one first.
func isLatest(r store.Reader, o Object, q query) bool {
	if q.version == 0 || o.Key != q.after {
		return true
	}
	newest, _ := latest(r, o.Scope, o.Bucket, o.Key)
	return newest.Seq == o.Seq
}

// start is the row key at which the listing begins.
func (q query) start(b Bucket) (string, bool) {
	if q.after == "" {
		return "", true
	}
	if q.version > 0 {
		return versionKey(b.Scope, b.Name, q.after, q.version-1), true
	}
	if q.delimiter != "" && strings.HasPrefix(q.after, q.prefix) {
		// A page that ended with a common prefix goes on behind all below it.
		if rest := q.after[len(q.prefix):]; strings.Index(rest, q.delimiter) == len(rest)-len(q.delimiter) && rest != "" {
			return past(objectsKey(b.Scope, b.Name, q.after))
		}
	}
	return past(versionsKey(b.Scope, b.Name, q.after))
}
