package cfn

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/slipway-dev/slipway/kernel/cfn/template"
)

type port struct {
	From     int `cfn:"required"`
	Protocol *string
}

type listener struct {
	Name     string `cfn:"id,createOnly"`
	Port     int32  `cfn:"required"`
	Open     *bool
	Weight   float64
	Ports    []port
	Labels   map[string]string
	Policy   any
	Password string `cfn:"writeOnly"`
	Renamed  string `json:"Other"`
	Tags     []Tag
	Arn      string `cfn:"readOnly"`
	Endpoint struct {
		Address string
		Port    int
	} `cfn:"readOnly"`
}

type listeners struct{ seen *listener }

func (l listeners) Create(_ context.Context, p *listener) error {
	*l.seen = *p
	if p.Name == "" {
		p.Name = "generated"
	}
	p.Arn, p.Endpoint.Address, p.Endpoint.Port = "arn:"+p.Name, "host", 80
	return nil
}
func (listeners) Read(context.Context, *listener) error   { return nil }
func (listeners) Delete(context.Context, *listener) error { return nil }
func (l listeners) Update(_ context.Context, _, after *listener) error {
	*l.seen = *after
	return nil
}

func decoded(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDecodeCoerces(t *testing.T) {
	var seen listener
	typ := Of[listener]("T::L", listeners{&seen})
	in, err := typ.Create(t.Context(), decoded(t, `{"Port": "80", "Open": "true", "Weight": "1.5", "Ports": [{"From": 8e1, "Protocol": 6}, null],
		"Labels": {"a": 1, "b": true}, "Policy": {"n": 1, "l": ["x"]}, "Password": "p", "Other": 12, "Tags": [{"Key": "k", "Value": 7}], "Name": null}`))
	if err != nil {
		t.Fatal(err)
	}
	want := listener{
		Port: 80, Open: new(true), Weight: 1.5, Ports: []port{{From: 80, Protocol: new("6")}}, Labels: map[string]string{"a": "1", "b": "true"},
		Policy: map[string]any{"n": 1.0, "l": []any{"x"}}, Password: "p", Renamed: "12", Tags: []Tag{{"k", "7"}},
	}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("got  %+v\nwant %+v", seen, want)
	}
	if in.ID != "generated" || strings.Contains(string(in.State), `"p"`) {
		t.Errorf("instance %s %s", in.ID, in.State)
	}
}

func TestDecodeRefuses(t *testing.T) {
	typ := Of[listener]("T::L", listeners{new(listener)})
	tests := []struct{ name, give, want string }{
		{"unknown", `{"Port": 1, "Prot": 2}`, "Encountered unsupported property Prot"},
		{"read only", `{"Port": 1, "Arn": "x"}`, "Encountered unsupported property Arn"},
		{"required", `{}`, "Property Port cannot be empty."},
		{"required null", `{"Port": null}`, "Property Port cannot be empty."},
		{"type", `{"Port": "x"}`, "Properties validation failed for resource L with message:\n[#/Port: expected type: Integer, found: String]"},
		{"range", `{"Port": 4294967296}`, "Properties validation failed for resource L with message:\n[#/Port: expected type: Integer, found: Number]"},
		{"fraction", `{"Port": 1.5}`, "Properties validation failed for resource L with message:\n[#/Port: expected type: Integer, found: Number]"},
		{"several", `{"Port": [], "Open": "yep", "Labels": [], "Ports": {}}`, "Properties validation failed for resource L with message:\n" +
			"[#/Labels: expected type: JSONObject, found: JSONArray, #/Open: expected type: Boolean, found: String, #/Port: expected type: Integer, found: JSONArray, #/Ports: expected type: JSONArray, found: JSONObject]"},
		{"nested", `{"Port": 1, "Ports": [{"From": 1}, {"To": 2}]}`, "Properties validation failed for resource L with message:\n" +
			"[#/Ports/1: extraneous key [To] is not permitted, #/Ports/1: required key [From] not found]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := typ.Check(decoded(t, tt.give))
			e, ok := errors.AsType[*PropertyError](err)
			if !ok || e.For("L") != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestUpdateKeepsWhatTheServiceChose(t *testing.T) {
	var seen listener
	typ := Of[listener]("T::L", listeners{&seen})
	in, err := typ.Create(t.Context(), decoded(t, `{"Port": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	out, err := typ.Update(t.Context(), in, decoded(t, `{"Port": 2}`))
	if err != nil || seen.Name != "generated" || seen.Arn != "arn:generated" || seen.Port != 2 || out.ID != "generated" {
		t.Errorf("after: %+v %v", seen, err)
	}
}

func TestAttributes(t *testing.T) {
	typ := Of[listener]("T::L", listeners{new(listener)})
	in, err := typ.Create(t.Context(), decoded(t, `{"Port": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := typ.Attributes(); !reflect.DeepEqual(got, []string{"Arn", "Endpoint.Address", "Endpoint.Port"}) {
		t.Errorf("attributes %v", got)
	}
	for name, want := range map[string]any{"Arn": "arn:generated", "Endpoint.Address": "host", "Endpoint.Port": json.Number("80"), "Port": nil, "Nope": nil, "Endpoint.Nope": nil} {
		if got, ok := typ.Attribute(in, name); got != want || ok != (want != nil) {
			t.Errorf("%s: got %v %v, want %v", name, got, ok, want)
		}
	}
}

func TestDiff(t *testing.T) {
	typ := Of[listener]("T::L", listeners{new(listener)})
	before := decoded(t, `{"Port": 80, "Name": "a", "Open": true, "Tags": [{"Key": "b", "Value": "1"}, {"Key": "a", "Value": "2"}], "Labels": {"x": null}}`)
	tests := []struct {
		name, after string
		want        map[string]Recreation
	}{
		{"the same in other words", `{"Port": "80", "Name": "a", "Open": "true", "Tags": [{"Key": "a", "Value": 2}, {"Key": "b", "Value": 1}], "Labels": {}}`, nil},
		{"in place", `{"Port": 81, "Name": "a", "Tags": [{"Key": "b", "Value": "1"}], "Labels": {}}`, map[string]Recreation{"Port": Never, "Open": Never, "Tags": Never}},
		{"replaced", `{"Port": 80, "Name": "b", "Open": true, "Tags": [{"Key": "b", "Value": "1"}, {"Key": "a", "Value": "2"}], "Labels": {}}`, map[string]Recreation{"Name": Always}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got map[string]Recreation
			for _, d := range typ.Diff(before, decoded(t, tt.after)) {
				if got == nil {
					got = map[string]Recreation{}
				}
				got[d.Property] = d.Recreation
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	after := map[string]any{"Name": template.Unknown{LogicalID: "X", Attribute: "Arn"}}
	if d := typ.Diff(map[string]any{"Name": "a"}, after); len(d) != 1 || d[0].Recreation != Conditionally || d[0].Cause.LogicalID != "X" || !d[0].Dynamic() {
		t.Errorf("unknown: %+v", d)
	}
}

// TestDiffAgreesWithDecode: what Diff calls the same decodes to the same struct.
func TestDiffAgreesWithDecode(t *testing.T) {
	var seen listener
	typ := Of[listener]("T::L", listeners{&seen})
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) map[string]any {
			m := map[string]any{"Port": rapid.SampledFrom([]any{"1", json.Number("1"), 1, json.Number("2")}).Draw(t, label+" port")}
			if rapid.Bool().Draw(t, label+" has open") {
				m["Open"] = rapid.SampledFrom([]any{"true", true, false, nil}).Draw(t, label+" open")
			}
			if rapid.Bool().Draw(t, label+" has labels") {
				m["Labels"] = map[string]any{"a": rapid.SampledFrom([]any{"1", 1, nil}).Draw(t, label+" label")}
			}
			return m
		}
		a, b := draw("a"), draw("b")
		decodeInto := func(m map[string]any) listener {
			if _, err := typ.Create(context.Background(), m); err != nil {
				t.Fatal(err)
			}
			return seen
		}
		if len(typ.Diff(a, b)) == 0 && !reflect.DeepEqual(decodeInto(a), decodeInto(b)) {
			t.Fatalf("%v and %v are called the same", a, b)
		}
	})
}

func TestGeneratedNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Request{
			StackID: "arn", StackName: rapid.StringMatching(`[a-zA-Z][-a-zA-Z0-9]{0,127}`).Draw(t, "stack"),
			LogicalID: rapid.StringMatching(`[a-zA-Z0-9]{1,255}`).Draw(t, "logical"), Token: rapid.String().Draw(t, "token"),
		}
		limit := rapid.IntRange(1, 255).Draw(t, "limit")
		name := r.Name(limit)
		if len(name) > limit || name == "" || name != r.Name(limit) {
			t.Fatalf("%q for limit %d", name, limit)
		}
		again := r
		again.Token += "x"
		if limit >= suffixLen && again.Name(limit) == name {
			t.Fatalf("%q for two tokens", name)
		}
	})
	r := Request{StackName: "tap-dev", LogicalID: "Cluster", Token: "t"}
	if name := r.Name(64); !strings.HasPrefix(name, "tap-dev-Cluster-") || len(name) != len("tap-dev-Cluster-")+12 {
		t.Errorf("name %q", name)
	}
	r = Request{StackName: "a-long-stack-name-of-somebody", LogicalID: "PaymentTargetGroup", Token: "t"}
	if name := r.Name(32); len(name) > 32 || !strings.HasPrefix(name, "a-long-st-PaymentTa") {
		t.Errorf("name %q", name)
	}
}

func TestRequestTags(t *testing.T) {
	r := Request{StackID: "s", LogicalID: "l", Tags: map[string]string{TagStackID: "s", TagLogicalID: "l", "team": "red"}}
	all := r.AllTags([]Tag{{"team", "blue"}, {"x", "y"}})
	if all["team"] != "blue" || all["x"] != "y" || r.Tags["team"] != "red" || !r.Owns(all) || r.Owns(map[string]string{TagStackID: "other"}) {
		t.Errorf("tags %v", all)
	}
	ctx := With(t.Context(), r)
	if got, ok := From(ctx); !ok || got.LogicalID != "l" {
		t.Errorf("from %v %v", got, ok)
	}
	if _, ok := From(t.Context()); ok {
		t.Error("no request expected")
	}
}

func TestOfRefusesWrongTags(t *testing.T) {
	type none struct{ A string }
	type two struct {
		A string `cfn:"id"`
		B string `cfn:"id"`
	}
	type word struct {
		A string `cfn:"id,creatOnly"`
	}
	type kind struct {
		A string `cfn:"id"`
		B chan int
	}
	for name, typ := range map[string]reflect.Type{
		"no field of cfn.none is tagged id": reflect.TypeFor[none](), "both A and B are tagged id": reflect.TypeFor[two](),
		`field A: unknown word "creatOnly" in its cfn tag`: reflect.TypeFor[word](), "field B: chan int cannot hold a property": reflect.TypeFor[kind](),
	} {
		if _, err := schemaOf(typ); err == nil || err.Error() != name {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}

// named is a type whose id is the name that the template gives.
type named struct {
	Name string `cfn:"id,createOnly"`
}

type failing struct{ err error }

func (f failing) Create(context.Context, *named) error { return f.err }
func (failing) Read(context.Context, *named) error     { return nil }
func (failing) Delete(context.Context, *named) error   { return nil }

func TestANameThatIsTakenIsNotOurs(t *testing.T) {
	taken := errors.New("it exists already")
	for err, want := range map[error]string{taken: "", HalfMade(taken): "web"} {
		in, got := Of[named]("Test::Named", failing{err}).Create(t.Context(), map[string]any{"Name": "web"})
		if in.ID != want || !errors.Is(got, taken) {
			t.Errorf("%T: id %q and error %v, want id %q", err, in.ID, got, want)
		}
	}
}
