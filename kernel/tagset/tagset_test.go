package tagset_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// A list and its map say the same, whatever the order.
func TestListAndMapAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "tags")
		list := tagset.List[ecsapi.Tag](m)
		if got := tagset.Of(list); !maps.Equal(got, m) {
			t.Errorf("got %v, want %v", got, m)
		}
		for i := range list[:max(len(list)-1, 0)] {
			if *list[i].Key >= *list[i+1].Key {
				t.Errorf("%q stands before %q", *list[i].Key, *list[i+1].Key)
			}
		}
		if own := tagset.Own(m); len(own) > 0 {
			for k := range own {
				if tagset.Reserved(k) {
					t.Errorf("%q is no tag of the user", k)
				}
			}
		}
	})
}

func TestAdded(t *testing.T) {
	user := context.Background()
	stack := cfn.With(user, cfn.Request{})
	many := map[string]string{"aws:cloudformation:stack-name": "s"}
	for i := range tagset.Most {
		many[fmt.Sprint(i)] = "x"
	}
	for _, c := range []struct {
		name string
		ctx  context.Context
		have map[string]string
		tag  ecsapi.Tag
		want error
	}{
		{"to none", user, nil, ecsapi.Tag{Key: new("team"), Value: new("a")}, nil},
		{"without a value", user, nil, ecsapi.Tag{Key: new("team")}, nil},
		{"a reserved one", user, nil, ecsapi.Tag{Key: new("AWS:x"), Value: new("a")}, tagset.ErrReserved},
		{"a reserved one, by a stack", stack, nil, ecsapi.Tag{Key: new("aws:x"), Value: new("a")}, nil},
		{"in place of another", user, many, ecsapi.Tag{Key: new("0"), Value: new("a")}, nil},
		{"one too many", user, many, ecsapi.Tag{Key: new("team"), Value: new("a")}, tagset.ErrTooMany},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := maps.Clone(c.have)
			got, err := tagset.Added(c.ctx, c.have, []ecsapi.Tag{c.tag})
			if !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if _, ok := got[*c.tag.Key]; ok != (c.want == nil) {
				t.Errorf("got %v", got)
			}
			if !maps.Equal(before, c.have) {
				t.Errorf("what the row has was changed to %v", c.have)
			}
		})
	}
}
