package ec2

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/ec2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Meta is what every resource has.
type Meta struct {
	Scope arn.Scope
	ID    string
	Tags  map[string]string
}

func (m Meta) key() string { return m.Scope.Key(m.ID) }

// kind is what one type of resource needs for get, describe and tags.
type kind[R any] struct {
	table  *store.Table[R]
	typ    string // resource type of tags: "vpc"
	prefix string // of ids: "vpc-"
	code   string // of errors: "InvalidVpcID" makes InvalidVpcID.NotFound and .Malformed
	noun   string // in errors: "The <noun> 'id' does not exist"
	meta   func(*R) *Meta
	// fields are the filters besides tag:KEY, tag-key and tag-value.
	fields func(r store.Reader, row R) map[string][]string
	// missing words a missing id where it is unlike the rest. May be nil.
	missing func(id string) error
}

// get finds a resource or answers as EC2 does.
func (k *kind[R]) get(r store.Reader, scope arn.Scope, id string) (R, error) {
	var zero R
	if !strings.HasPrefix(id, k.prefix) {
		return zero, fault(k.code+".Malformed", "Invalid id: \"%s\" (expecting \"%s...\")", id, k.prefix)
	}
	row, err := k.table.Get(r, scope.Key(id))
	if err != nil {
		return zero, k.errMissing(id)
	}
	return row, nil
}

func (k *kind[R]) errMissing(id string) error {
	if k.missing != nil {
		return k.missing(id)
	}
	return fault(k.code+".NotFound", "The %s '%s' does not exist", k.noun, id)
}

// list is every resource of a scope, in order of their ids.
func (k *kind[R]) list(r store.Reader, scope arn.Scope) iter.Seq[R] {
	return k.table.List(r, scope.Key(""))
}

// query is what all Describe operations take.
type query struct {
	ids     []string
	filters []ec2api.Filter
	max     *int32
	next    *string
}

// pageLimit is the most that one page holds, and what a call without
// MaxResults gets.
const pageLimit = 1000

// describe selects resources: all of the ids must exist, all filters must
// match.
func (k *kind[R]) describe(r store.Reader, scope arn.Scope, q query) ([]R, *string, error) {
	var rows []R
	if len(q.ids) == 0 {
		rows = slices.Collect(k.list(r, scope))
	}
	for _, id := range q.ids {
		row, err := k.get(r, scope, id)
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, row)
	}
	var out []R
	for _, row := range rows {
		ok, err := matches(q.filters, k.fields(r, row), k.meta(&row).Tags)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			out = append(out, row)
		}
	}
	return awsapi.Page(out, func(row R) string { return k.meta(&row).ID }, q.next, int(val(q.max)), pageLimit)
}

// tagged is a kind without its row type, for operations on tags.
type tagged interface {
	resourceType() string
	hasID(id string) bool
	eachTags(r store.Reader, scope arn.Scope) iter.Seq2[string, map[string]string]
	changeTags(tx *store.Tx, scope arn.Scope, id string, change func(map[string]string)) error
}

func (k *kind[R]) resourceType() string { return k.typ }

func (k *kind[R]) hasID(id string) bool { return strings.HasPrefix(id, k.prefix) }

func (k *kind[R]) eachTags(r store.Reader, scope arn.Scope) iter.Seq2[string, map[string]string] {
	return func(yield func(string, map[string]string) bool) {
		for row := range k.list(r, scope) {
			m := k.meta(&row)
			if !yield(m.ID, m.Tags) {
				return
			}
		}
	}
}

func (k *kind[R]) changeTags(tx *store.Tx, scope arn.Scope, id string, change func(map[string]string)) error {
	row, err := k.get(tx, scope, id)
	if err != nil {
		return err
	}
	m := k.meta(&row)
	tags := maps.Clone(m.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	change(tags)
	m.Tags = tags
	k.table.Put(tx, row)
	return nil
}
