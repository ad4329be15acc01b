package s3

import (
	"context"
	"net/http"
	"strings"
	"time"

	api "github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
)

const day = 24 * time.Hour

// lifecycleEvery is how often rules are carried out; AWS does so once a day.
const lifecycleEvery = time.Hour

// lifecycleLoop carries the rules of one bucket out at a time.
func (s *Service) lifecycleLoop() loop.Loop {
	return loop.Loop{
		Name: "s3/lifecycle", List: Buckets.Keys, Keys: loop.Changed(Buckets), Reconcile: s.expire,
	}
}

// expireAtOnce bounds what one transaction removes.
const expireAtOnce = 1000

func (s *Service) expire(_ context.Context, key string) (time.Duration, error) {
	snap := s.Store.Snapshot()
	b, err := Buckets.Get(snap, key)
	if err != nil || len(b.Lifecycle) == 0 {
		return 0, nil
	}
	at := time.Now().UTC()
	for {
		var dropped []string
		n := 0
		tail := random(16)
		due := s.dueVersions(s.Store.Snapshot(), b, at, expireAtOnce)
		uploads := s.dueUploads(s.Store.Snapshot(), b, at)
		if len(due)+len(uploads) == 0 {
			return max(time.Duration(float64(lifecycleEvery)/s.Speed), time.Second), nil
		}
		err := s.Store.Update(func(tx *store.Tx) error {
			dropped, n = nil, 0
			b, err := Buckets.Get(tx, key)
			if err != nil {
				return nil //nolint:nilerr // it is gone, and all in it
			}
			for _, e := range due {
				if _, err := Objects.Get(tx, Objects.Key(e.object)); err != nil {
					continue
				}
				var id *string
				if e.forGood {
					id = &e.object.Version
				} else if newest, _ := latest(tx, b.Scope, b.Name, e.object.Key); newest.Seq != e.object.Seq || newest.Marker {
					continue // it was put anew
				}
				dropped = append(dropped, remove(tx, b, e.object.Key, id, tail).dropped...)
				n++
			}
			for _, u := range uploads {
				dropped = append(dropped, forget(tx, u)...)
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		s.drop(dropped)
		if n+len(uploads) == 0 {
			return time.Second, nil // all were put anew meanwhile
		}
		s.Log.Info("lifecycle rules were carried out", "bucket", b.Name, "objects", n, "uploads", len(uploads))
	}
}

// expired is a version that a rule removes: for good, or as a deletion does.
type expired struct {
	object  Object
	forGood bool
}

// dueVersions are versions whose time has come, at most limit of them.
func (s *Service) dueVersions(r store.Reader, b Bucket, at time.Time, limit int) (due []expired) {
	var newer Object // the version before in the listing
	older := 0       // noncurrent versions of the key so far
	for o := range Objects.List(r, objectsKey(b.Scope, b.Name, "")) {
		current := o.Key != newer.Key || newer.Bucket == ""
		if current {
			older = 0
		} else {
			older++
		}
		for _, rule := range b.Lifecycle {
			if rule.Status != "Enabled" || !filterOf(rule).covers(o) {
				continue
			}
			if e, ok := s.ruling(r, b, rule, o, newer, current, older, at); ok {
				due = append(due, e)
				break
			}
		}
		if newer = o; len(due) >= limit {
			return due
		}
	}
	return due
}

// ruling is what one rule does with one version now.
func (s *Service) ruling(r store.Reader, b Bucket, rule api.LifecycleRule, o, newer Object, current bool, older int, at time.Time) (expired, bool) {
	if !current {
		n := rule.NoncurrentVersionExpiration
		if n == nil || older <= int(val(n.NewerNoncurrentVersions)) {
			return expired{}, false
		}
		return expired{o, true}, !at.Before(s.due(newer.Modified, *n.NoncurrentDays))
	}
	e := rule.Expiration
	if e == nil {
		return expired{}, false
	}
	if o.Marker {
		alone := only(r, o)
		clean := val(e.ExpiredObjectDeleteMarker) || e.Days != nil && !at.Before(s.due(o.Modified, *e.Days))
		return expired{o, true}, alone && clean
	}
	when, ok := s.expiry(rule, o)
	return expired{o, b.Versioning == ""}, ok && !at.Before(when)
}

// only says whether a version is the only one of its key.
func only(r store.Reader, o Object) bool {
	n := 0
	for range Objects.List(r, versionsKey(o.Scope, o.Bucket, o.Key)) {
		n++
	}
	return n == 1
}

// expiry is when a rule removes an object.
func (s *Service) expiry(rule api.LifecycleRule, o Object) (time.Time, bool) {
	switch e := rule.Expiration; {
	case e == nil:
		return time.Time{}, false
	case e.Days != nil:
		return s.due(o.Modified, *e.Days), true
	case e.Date != nil:
		return e.Date.UTC(), true
	}
	return time.Time{}, false
}

// due is the midnight after so many days have passed; at a clock's speed other
// than 1 there is no midnight.
func (s *Service) due(from time.Time, days int32) time.Time {
	t := from.Add(time.Duration(float64(days) * float64(day) / s.Speed))
	if s.Speed != 1 {
		return t
	}
	if midnight := t.Truncate(day); midnight.Before(t) {
		return midnight.Add(day)
	}
	return t
}

func (s *Service) dueUploads(r store.Reader, b Bucket, at time.Time) (due []Upload) {
	for u := range Uploads.List(r, objectsKey(b.Scope, b.Name, "")) {
		for _, rule := range b.Lifecycle {
			a := rule.AbortIncompleteMultipartUpload
			if rule.Status == "Enabled" && a != nil && strings.HasPrefix(u.Key, filterOf(rule).prefix) && !at.Before(s.due(u.Started, *a.DaysAfterInitiation)) {
				due = append(due, u)
				break
			}
		}
	}
	return due
}

// covers says whether a rule's filter takes a version in.
func (f filter) covers(o Object) bool {
	if !strings.HasPrefix(o.Key, f.prefix) {
		return false
	}
	if f.greater != nil && o.Size <= *f.greater || f.less != nil && o.Size >= *f.less {
		return false
	}
	for _, t := range f.tags {
		if v, ok := o.Tags[val(t.Key)]; !ok || v != val(t.Value) {
			return false
		}
	}
	return true
}

// expiration is the x-amz-expiration header of an object: when which rule
// removes it.
func (s *Service) expiration(b Bucket, o Object) *string {
	var first time.Time
	id := ""
	for _, rule := range b.Lifecycle {
		if rule.Status != "Enabled" || !filterOf(rule).covers(o) {
			continue
		}
		if when, ok := s.expiry(rule, o); ok && (id == "" || when.Before(first)) {
			first, id = when, val(rule.ID)
		}
	}
	if id == "" {
		return nil
	}
	return new(`expiry-date="` + first.Format(http.TimeFormat) + `", rule-id="` + id + `"`)
}
