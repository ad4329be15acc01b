// Package tagset keeps the tags of resources. Every service of AWS has them
// alike: pairs of a key and a value, the keys unique, 50 at the most, those
// that begin with aws: for AWS itself (Tagging AWS resources, "Tag naming
// limits and requirements"). Rows have them as maps, operations as lists.
package tagset

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/kernel/cfn"
)

// Most is how many tags a resource may have, not counting reserved ones.
const Most = 50

// Why tags cannot be added. Each service has words of its own for it.
var (
	ErrReserved = errors.New("tag keys that begin with aws: are reserved")
	ErrTooMany  = errors.New("more than 50 tags")
)

// Pair is the type Tag of any service's API.
type Pair interface {
	~struct {
		Key   *string
		Value *string
	}
}

// Of is a list as a map; of a key that comes twice the last value counts, and
// an absent value is empty.
func Of[T Pair](list []T) map[string]string {
	m := make(map[string]string, len(list))
	for _, t := range list {
		k, v := parts(t)
		m[k] = v
	}
	return m
}

// List is a map as a list, in the order of the keys, never nil.
func List[T Pair](m map[string]string) []T {
	out := make([]T, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, T{Key: &k, Value: new(m[k])})
	}
	return out
}

// Reserved reports whether only AWS may set a key.
func Reserved(key string) bool {
	return len(key) >= 4 && strings.EqualFold(key[:4], "aws:")
}

// Own is m without the reserved tags, never nil.
func Own(m map[string]string) map[string]string {
	out := make(map[string]string, len(m))
	for k, v := range m {
		if !Reserved(k) {
			out[k] = v
		}
	}
	return out
}

// Without is have without the tags of some keys.
func Without(have map[string]string, keys ...string) map[string]string {
	out := maps.Clone(have)
	for _, k := range keys {
		delete(out, k)
	}
	return out
}

// Added is have with the tags of a request, never nil. Only CloudFormation
// may add reserved ones. The error is ErrReserved or ErrTooMany.
func Added[T Pair](ctx context.Context, have map[string]string, list []T) (map[string]string, error) {
	_, stack := cfn.From(ctx)
	out := make(map[string]string, len(have)+len(list))
	maps.Copy(out, have)
	for k, v := range Of(list) {
		if Reserved(k) && !stack {
			return nil, ErrReserved
		}
		out[k] = v
	}
	if len(Own(out)) > Most {
		return nil, ErrTooMany
	}
	return out, nil
}

func parts[T Pair](t T) (key, value string) {
	p := struct {
		Key   *string
		Value *string
	}(t)
	if p.Key != nil {
		key = *p.Key
	}
	if p.Value != nil {
		value = *p.Value
	}
	return key, value
}
