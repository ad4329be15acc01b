package cfn

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// bucket has a property of every kind.
type bucket struct {
	Name     string `cfn:"id,createOnly"`
	Size     *int
	Public   bool
	Password string `cfn:"writeOnly"`
	Rules    []rule
	Zones    []string
	Doc      any
	Role     string
	Tags     []Tag
	Arn      string `cfn:"readOnly"`
}

type rule struct {
	Name string
	Port int
	Note *string
}

type buckets struct{}

func (buckets) Create(context.Context, *bucket) error { return nil }
func (buckets) Read(context.Context, *bucket) error   { return nil }
func (buckets) Delete(context.Context, *bucket) error { return nil }

func driftLines(t *testing.T, properties, state string) []string {
	t.Helper()
	typ := Of("T::Bucket", buckets{})
	var props map[string]any
	if err := json.Unmarshal([]byte(properties), &props); err != nil {
		t.Fatal(err)
	}
	d, err := typ.Drift(props, Instance{ID: "b", State: json.RawMessage(state)}, map[string]string{"team": "red"})
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, x := range d.Differences {
		w, _ := json.Marshal(x.Expected)
		a, _ := json.Marshal(x.Actual)
		out = append(out, fmt.Sprintf("%s %s %s %s", x.Kind, x.Path, w, a))
	}
	return out
}

func TestDrift(t *testing.T) {
	for _, tt := range []struct {
		name, properties, state string
		want                    []string
	}{
		{"nothing asked for", `{}`, `{"Size": 3, "Zones": ["a"], "Public": true}`, nil},
		{"other types of the same", `{"Size": "3", "Public": "true"}`, `{"Size": 3, "Public": true}`, nil},
		{"another value", `{"Size": 3}`, `{"Size": 4}`, []string{"NOT_EQUAL /Size 3 4"}},
		{"gone", `{"Size": 3, "Zones": ["a"]}`, `{"Size": null}`, []string{"REMOVE /Size 3 null", `REMOVE /Zones ["a"] null`}},
		{"switched off", `{"Public": true}`, `{"Public": false}`, []string{"NOT_EQUAL /Public true false"}},
		{"nothing is nothing", `{"Public": false, "Zones": [], "Role": ""}`, `{}`, nil},
		{"order does not count", `{"Zones": ["a", "b"]}`, `{"Zones": ["b", "a"]}`, nil},
		{"list elements", `{"Zones": ["a", "b"]}`, `{"Zones": ["b", "c"]}`, []string{`REMOVE /Zones/0 "a" null`, `ADD /Zones/1 null "c"`}},
		{
			"elements by name", `{"Rules": [{"Name": "x", "Port": 1}, {"Name": "y", "Port": 2}]}`, `{"Rules": [{"Name": "z", "Port": 2, "Note": null}, {"Name": "x", "Port": 9, "Note": "n"}]}`,
			[]string{"NOT_EQUAL /Rules/0/Port 1 9", `REMOVE /Rules/1 {"Name":"y","Port":2} null`, `ADD /Rules/1 null {"Name":"z","Port":2}`},
		},
		{"what the service adds", `{"Rules": [{"Name": "x"}], "Doc": {"a": 1}}`, `{"Rules": [{"Name": "x", "Port": 80}], "Doc": {"a": 1, "b": 2}}`, nil},
		{"documents", `{"Doc": {"a/b": {"c": [1, 2]}}}`, `{"Doc": {"a/b": {"c": [1]}}}`, []string{"REMOVE /Doc/a~1b/c/1 2 null"}},
		{"another kind", `{"Doc": {"a": [1]}}`, `{"Doc": {"a": "x"}}`, []string{`NOT_EQUAL /Doc/a [1] "x"`}},
		{"names and ARNs", `{"Role": "admin"}`, `{"Role": "arn:aws:iam::1:role/admin"}`, nil},
		{"another ARN", `{"Role": "admin"}`, `{"Role": "arn:aws:iam::1:role/other"}`, []string{`NOT_EQUAL /Role "admin" "arn:aws:iam::1:role/other"`}},
		{"secrets", `{"Password": "x", "Role": "{{resolve:ssm:role}}", "Size": "{{resolve:ssm:size}}"}`, `{"Role": "plain", "Size": 3}`, nil},
		{"its own name", `{"Name": "b"}`, `{}`, nil},
		{"tags of others", `{"Tags": [{"Key": "a", "Value": "1"}]}`, `{"Tags": [{"Key": "team", "Value": "red"}, {"Key": "aws:x", "Value": "y"}, {"Key": "a", "Value": "1"}]}`, nil},
		{
			"tags", `{"Tags": [{"Key": "a", "Value": "1"}, {"Key": "team", "Value": "blue"}]}`, `{"Tags": [{"Key": "team", "Value": "red"}, {"Key": "b", "Value": "2"}]}`,
			[]string{`REMOVE /Tags/0 {"Key":"a","Value":"1"} null`, `NOT_EQUAL /Tags/1/Value "blue" "red"`, `ADD /Tags/1 null {"Key":"b","Value":"2"}`},
		},
	} {
		if got := driftLines(t, tt.properties, tt.state); strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
			t.Errorf("%s:\ngot  %q\nwant %q", tt.name, got, tt.want)
		}
	}
}

// TestWhatWasMadeHasNotDrifted: whatever a template asks for, a resource that is so has not drifted, and one that is otherwise has.
func TestWhatWasMadeHasNotDrifted(t *testing.T) {
	typ := Of("T::Bucket", buckets{})
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) *bucket {
			return &bucket{
				Size: rapid.Ptr(rapid.IntRange(1, 3), true).Draw(t, label+" size"), Public: rapid.Bool().Draw(t, label+" public"),
				Zones: rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3).Draw(t, label+" zones"),
				Rules: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) rule {
					return rule{Name: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "name"), Port: rapid.IntRange(1, 2).Draw(t, "port")}
				}), 0, 3).Draw(t, label+" rules"),
			}
		}
		one, other := draw("one"), draw("other")
		state := func(b *bucket) json.RawMessage { raw, _ := json.Marshal(b); return raw }
		var props map[string]any
		_ = json.Unmarshal(state(one), &props)
		delete(props, "Arn")
		delete(props, "Name")
		same, err := typ.Drift(props, Instance{ID: "b", State: state(one)}, nil)
		if err != nil || len(same.Differences) > 0 {
			t.Fatalf("%s: %+v %v", state(one), same.Differences, err)
		}
		if !reflect.DeepEqual(same.Expected, same.Actual) && len(one.Zones) > 0 && len(one.Rules) > 0 && one.Size != nil {
			t.Fatalf("expected %v, actual %v", same.Expected, same.Actual)
		}
		d, err := typ.Drift(props, Instance{ID: "b", State: state(other)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		drifted := one.Public != other.Public || (one.Size != nil && !reflect.DeepEqual(one.Size, other.Size))
		if drifted && len(d.Differences) == 0 {
			t.Fatalf("%s became %s unseen", state(one), state(other))
		}
	})
}
