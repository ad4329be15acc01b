package iam

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// principal reads a principal or answers that there is none.
func principal(r store.Reader, account string, k Kind, name string) (Principal, error) {
	p, err := Principals.Get(r, principalKey(account, k, name))
	if err != nil {
		return Principal{}, noSuch(k, name)
	}
	return p, nil
}

// change puts what fn makes of a principal.
func (s *Service) change(ctx context.Context, k Kind, name string, fn func(*store.Tx, *Principal) error) error {
	return s.store.Update(func(tx *store.Tx) error {
		p, err := principal(tx, account(ctx), k, name)
		if err != nil {
			return err
		}
		if err := fn(tx, &p); err != nil {
			return err
		}
		Principals.Put(tx, p)
		return nil
	})
}

// create makes a principal.
func (s *Service) create(p Principal) error {
	if err := checkPath(p.Path); err != nil {
		return err
	}
	return s.store.Update(func(tx *store.Tx) error {
		if p.Boundary != "" {
			if _, ok := findPolicy(tx, p.Account, p.Boundary); !ok {
				return awsapi.Errorf("NoSuchEntity", 0, "Scope ARN: %s does not exist or is not attachable.", p.Boundary)
			}
		}
		if p.Kind == Role {
			if err := checkTrust(p.Trust, knownIn(tx, p.Account)); err != nil {
				return err
			}
		}
		if err := Principals.Create(tx, p); err != nil {
			return exists(p.Kind, p.Name)
		}
		return nil
	})
}

// remove deletes a principal that nothing hangs on; also checks what is
// particular to its kind.
func (s *Service) remove(ctx context.Context, k Kind, name string, also func(*store.Tx, Principal) error) error {
	return s.store.Update(func(tx *store.Tx) error {
		p, err := principal(tx, account(ctx), k, name)
		if err != nil {
			return err
		}
		if len(p.Attached) > 0 {
			return conflict("Cannot delete entity, must detach all policies first.")
		}
		if len(p.Inline) > 0 {
			return conflict("Cannot delete entity, must delete policies first.")
		}
		if err := also(tx, p); err != nil {
			return err
		}
		Principals.Delete(tx, Principals.Key(p))
		return nil
	})
}

// list is one page of the principals of a kind below a path.
func (s *Service) list(ctx context.Context, k Kind, prefix, marker *string, max *int32) ([]Principal, *string, error) {
	var all []Principal
	for p := range Principals.List(s.store.Snapshot(), global(account(ctx)).Key(string(k), "")) {
		if strings.HasPrefix(p.Path, pathOr(prefix)) {
			all = append(all, p)
		}
	}
	return page(all, Principals.Key, marker, max)
}

// knownIn tells whether a principal ARN names something that exists. Other
// accounts cannot be looked into and are believed.
func knownIn(r store.Reader, own string) func(string) bool {
	return func(text string) bool {
		a, err := arn.Parse(text)
		if err != nil {
			return false
		}
		if a.Account != own || a.Service != "iam" || a.Resource == "root" {
			return true
		}
		kind, _, _ := strings.Cut(a.Resource, "/")
		_, err = Principals.Get(r, principalKey(own, Kind(kind), a.Name()))
		return err == nil
	}
}

// page cuts a list as IAM does: 100 unless asked otherwise, at most 1000.
func page[T any](all []T, key func(T) string, marker *string, max *int32) ([]T, *string, error) {
	limit := 100
	if max != nil {
		limit = int(*max)
	}
	return awsapi.Page(all, key, marker, limit, 1000)
}

func pathOr(p *string) string {
	if p == nil || *p == "" {
		return "/"
	}
	return *p
}

func checkPath(p string) error {
	if !strings.HasPrefix(p, "/") || !strings.HasSuffix(p, "/") {
		return validation("The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.")
	}
	return nil
}

// text is the value of an optional string.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// optional is nil for the empty string.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// encoded is a policy document as IAM answers it: URL-encoded (RFC 3986).
func encoded(document string) *string {
	return new(strings.ReplaceAll(url.QueryEscape(document), "+", "%20"))
}

// id draws an identifier such as AROA3XFRBF23...: four letters that say what it
// is of and seventeen more. It is the same under the same token.
func id(ctx context.Context, prefix string) string {
	const alphabet = "2345ABCDEFHJKLMN" // one letter for each hexadecimal digit
	digits := strings.TrimPrefix(awsapi.NewID(ctx, prefix, 17), prefix)
	letters := []byte(prefix)
	for _, d := range []byte(digits) {
		letters = append(letters, alphabet[strings.IndexByte("0123456789abcdef", d)])
	}
	return string(letters)
}

// with is m with one more entry, without changing m.
func with(m map[string]string, k, v string) map[string]string {
	out := maps.Clone(m)
	if out == nil {
		out = map[string]string{}
	}
	out[k] = v
	return out
}

// without is m without some entries, without changing m.
func without(m map[string]string, keys ...string) map[string]string {
	out := maps.Clone(m)
	for _, k := range keys {
		delete(out, k)
	}
	return out
}

// minus is list without one value, without changing list.
func minus(list []string, value string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == value })
}
