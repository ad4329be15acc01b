package awsapi

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestPagesCoverTheList walks any list in pages of any size and wants every
// item once, also when items vanish between two pages.
func TestPagesCoverTheList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := rapid.SliceOfDistinct(rapid.StringN(1, 4, -1), func(s string) string { return s }).Draw(t, "items")
		slices.Sort(items)
		limit, max := rapid.IntRange(1, 5).Draw(t, "limit"), rapid.IntRange(0, 7).Draw(t, "max")
		left := slices.Clone(items)
		var seen []string
		var token *string
		for {
			page, next, err := Page(left, func(s string) string { return s }, token, max, limit)
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, page...)
			if len(page) > limit || max > 0 && len(page) > max {
				t.Fatalf("page of %d", len(page))
			}
			if token = next; token == nil {
				break
			}
			if rapid.Bool().Draw(t, "vanish") { // the last item given
				left = slices.DeleteFunc(slices.Clone(left), func(s string) bool { return s == page[len(page)-1] })
			}
		}
		if !slices.Equal(seen, items) {
			t.Fatalf("saw %q of %q", seen, items)
		}
	})
}

func TestForeignTokens(t *testing.T) {
	for _, token := range []string{"abc", "!!!", strings.Repeat("A", 40)} {
		if _, _, err := Page([]string{"a"}, func(s string) string { return s }, &token, 0, 1); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("%s: %v", token, err)
		}
	}
}

func TestIDs(t *testing.T) {
	ctx := t.Context()
	if a, b := NewID(ctx, "vpc-", 17), NewID(ctx, "vpc-", 17); a == b || len(a) != 21 || !strings.HasPrefix(a, "vpc-") {
		t.Errorf("%s, %s", a, b)
	}
	draw := func() []string {
		ctx := WithToken(ctx, "stack/Resource/1")
		return []string{NewID(ctx, "vpc-", 17), NewID(ctx, "vpc-", 17), NewID(ctx, "sg-", 17)}
	}
	first, again := draw(), draw()
	if !slices.Equal(first, again) || first[0] == first[1] {
		t.Errorf("%q then %q", first, again)
	}
	if other := NewID(WithToken(ctx, "stack/Resource/2"), "vpc-", 17); other == first[0] {
		t.Error("two tokens, one id")
	}
	if Token(WithToken(ctx, "x")) != "x" || Token(context.Background()) != "" {
		t.Error("token lost")
	}
}

func TestErrorsAreCompared(t *testing.T) {
	err := error(Errorf("ClusterNotFoundException", 400, "Cluster %s not found.", "x"))
	if !errors.Is(err, &Error{Code: "ClusterNotFoundException"}) || errors.Is(err, &Error{Code: "ClusterNotFoundException", Message: "y"}) || errors.Is(err, errors.New("x")) {
		t.Error("errors.Is is wrong")
	}
}
