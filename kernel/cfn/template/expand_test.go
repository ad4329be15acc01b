package template

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var bucket = map[string]string{
	"s3://b/tags.yaml": "Key: team\nValue:\n  Ref: Team\n",
	"s3://b/all.json":  `{"Mappings": {"M": {"a": {"b": "c"}}}, "Outputs": {"O": {"Value": "x"}}}`,
	"s3://b/short":     "Key: !Ref Team\n",
	"s3://b/broken":    "{",
	"s3://b/dup":       `{"Resources": {"A": {"Type": "T"}}}`,
}

func fetch(location string) (string, error) {
	if text, ok := bucket[location]; ok {
		return text, nil
	}
	return "", fmt.Errorf("S3 bucket [%s] does not exist", strings.Split(location, "/")[2])
}

func expand(body string, give map[string]string) (string, error) {
	s, err := Read(body, Limits{})
	if err != nil {
		return "", err
	}
	return s.Expand(Inputs{Region: "us-east-1", AccountID: "123456789012", Parameters: give}, fetch)
}

const extended = "Transform: AWS::LanguageExtensions\nParameters:\n  Names: {Type: CommaDelimitedList, Default: 'a-1,b'}\n  Keep: {Type: String, Default: Retain}\n" +
	"Mappings:\n  M: {a: {b: c, list: [x, y]}}\n"

const extendedHead = `{"Parameters":{"Names":{"Type":"CommaDelimitedList","Default":"a-1,b"},"Keep":{"Type":"String","Default":"Retain"}},"Mappings":{"M":{"a":{"b":"c","list":["x","y"]}}},`

func TestExpand(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{
			"loop over resources", extended + "Resources:\n  Fn::ForEach::L:\n    - Name\n    - [x, y]\n    - 'T${Name}': {Type: T, Properties: {N: !Ref Name, S: !Sub 'q-${Name}'}}\n",
			extendedHead + `"Resources":{"Tx":{"Type":"T","Properties":{"N":"x","S":{"Fn::Sub":"q-x"}}},"Ty":{"Type":"T","Properties":{"N":"y","S":{"Fn::Sub":"q-y"}}}}}`,
		},
		{
			"loop over a parameter, letters alone", extended + "Resources:\n  Fn::ForEach::L: [Name, !Ref Names, {'T&{Name}': {Type: T, Properties: {N: '${Name}'}}}]\n",
			extendedHead + `"Resources":{"Ta1":{"Type":"T","Properties":{"N":"a-1"}},"Tb":{"Type":"T","Properties":{"N":"b"}}}}`,
		},
		{
			"loop over a mapping, within another, in properties and outputs",
			extended + "Resources:\n  Fn::ForEach::L:\n    - I\n    - !FindInMap [M, a, list]\n    - Fn::ForEach::K:\n        - J\n        - ['1', '2']\n        - '${I}${J}': {Type: T, Properties: {Fn::ForEach::P: [K, [u, v], {'${K}': '${I}'}]}}\n" +
				"Outputs:\n  Fn::ForEach::O: [I, [x], {'O${I}': {Value: !GetAtt [!Sub '${I}1', Arn]}}]\n",
			extendedHead + `"Resources":{"x1":{"Type":"T","Properties":{"u":"x","v":"x"}},"x2":{"Type":"T","Properties":{"u":"x","v":"x"}},"y1":{"Type":"T","Properties":{"u":"y","v":"y"}},"y2":{"Type":"T","Properties":{"u":"y","v":"y"}}},` +
				`"Outputs":{"Ox":{"Value":{"Fn::GetAtt":["x1","Arn"]}}}}`,
		},
		{
			"functions", extended + "Conditions:\n  Two: !Equals [!Length [!Ref Names], 1]\n  Fn::ForEach::C: [I, [p], {'C${I}': !Equals [!Length {Ref: Names}, 2]}]\n" +
				"Resources:\n  A:\n    Type: T\n    DeletionPolicy: !Ref Keep\n    UpdateReplacePolicy: !If [Cp, !Ref Keep, Delete]\n    Properties:\n      N: !Length {Ref: Names}\n      F: !FindInMap [M, !Ref Keep, b, {DefaultValue: <none>}]\n      J: !ToJsonString {a: [<1>, !Ref Keep]}\n      K: !ToJsonString [!Ref A]\n      R: !Ref {'Fn::Sub': A}\n",
			extendedHead + `"Conditions":{"Two":{"Fn::Equals":[1,1]},"Cp":{"Fn::Equals":[2,2]}},` +
				`"Resources":{"A":{"Type":"T","Properties":{"N":2,"F":"\u003cnone\u003e","J":"{\"a\":[\"\u003c1\u003e\",\"Retain\"]}","K":{"Fn::ToJsonString":[{"Ref":"A"}]},"R":{"Ref":"A"}},"DeletionPolicy":"Retain","UpdateReplacePolicy":"Retain"}}}`,
		},
		{
			"snippet among siblings", "Parameters: {Team: {Type: String, Default: a}}\nResources:\n  A: {Type: T, Properties: {Tags: [{'Fn::Transform': {Name: 'AWS::Include', Parameters: {Location: !Sub 's3://b/tags.yaml'}}}]}}\n",
			`{"Parameters":{"Team":{"Type":"String","Default":"a"}},"Resources":{"A":{"Type":"T","Properties":{"Tags":[{"Key":"team","Value":{"Ref":"Team"}}]}}}}`,
		},
		{
			"snippet for the whole", "Transform: {Name: 'AWS::Include', Parameters: {Location: 's3://b/all.json'}}\nResources: {A: {Type: T}}\nOutputs: {P: {Value: 1}}\n",
			`{"Resources":{"A":{"Type":"T"}},"Outputs":{"P":{"Value":1},"O":{"Value":"x"}},"Mappings":{"M":{"a":{"b":"c"}}}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := expand(tt.body, nil)
			if err != nil || got != tt.want {
				t.Errorf("%v\ngot  %s\nwant %s", err, got, tt.want)
			}
			if tpl, err := ParseProcessed(got, Limits{}); err != nil {
				t.Errorf("the result does not parse: %v", err)
			} else if _, err := tpl.Bind(Inputs{}); err != nil && !strings.HasPrefix(err.Error(), "Circular") {
				t.Error(err)
			}
		})
	}
}

func TestExpandRefuses(t *testing.T) {
	le, in := "Transform AWS::LanguageExtensions failed with: ", "Transform AWS::Include failed with: "
	loop := func(arg string) string { return extended + "Resources:\n  Fn::ForEach::L: " + arg + "\n" }
	include := func(location string) string {
		return "Resources: {A: {Type: T, Properties: {'Fn::Transform': {Name: 'AWS::Include', Parameters: {Location: '" + location + "'}}}}}"
	}
	deep := "{'${A}': 1}"
	for i := range 6 {
		deep = fmt.Sprintf("{'Fn::ForEach::D%d': [V%d, [a], %s]}", i, i, deep)
	}
	tests := []struct{ name, body, want string }{
		{"nobody's macro", "Transform: Mine\nResources: {A: {Type: T}}", "No transform named Mine found."},
		{"nobody's macro within", "Resources: {A: {Type: T, Properties: {'Fn::Transform': {Name: Mine}}}}", "No transform named Mine found."},
		{"loop without body", loop("[I, [a]]"), le + "Fn::ForEach::L layout is incorrect"},
		{"loop over text", loop("[I, a, {'${I}': {Type: T}}]"), le + "Fn::ForEach::L layout is incorrect"},
		{"loop over a resource", loop("[I, !GetAtt A.B, {'${I}': {Type: T}}]"), le + "Fn::ForEach::L layout is incorrect"},
		{"the same key twice", loop("[I, [a, b], {X: {Type: T}}]"), le + "Duplicate key 'X' when merging keys to parent object in Fn::ForEach"},
		{"a loop named like a parameter", extended + "Resources:\n  Fn::ForEach::Keep: [I, [a], {'${I}': {Type: T}}]\n", le + "Fn::ForEach::Keep: the loop name is not unique within the template"},
		{"six loops deep", extended + "Resources: {A: {Type: T, Properties: " + deep + "}}", le + "Fn::ForEach::D0: loops may be nested up to 5 times"},
		{"length of a resource", extended + "Resources: {A: {Type: T, Properties: {X: !Length {'Fn::GetAtt': [A, B]}}}}", le + "Fn::Length layout is incorrect"},
		{"policy by a resource", extended + "Resources: {A: {Type: T, DeletionPolicy: !Ref B}, B: {Type: T}}", le + "Unsupported expression for DeletionPolicy in resource A"},
		{"no such bucket", include("s3://nope/x"), in + "S3 bucket [nope] does not exist."},
		{"broken snippet", include("s3://b/broken"), in + notASnippet},
		{"short tags", include("s3://b/short"), in + notASnippet},
		{"no location", include("b/x"), in + "The location parameter is not a valid S3 uri."},
		{"the same key in the snippet", "Transform: {Name: 'AWS::Include', Parameters: {Location: 's3://b/dup'}}\nResources: {A: {Type: T}}\n", in + `Duplicate key "A"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := expand(tt.body, nil)
			if m, ok := errors.AsType[*MacroError](err); !ok || m.Message != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
	_, err := expand("Transform: AWS::Serverless-2016-10-31\nResources: {A: {Type: T}}", nil)
	if err == nil || !strings.Contains(err.Error(), "this engine does not have the macro") {
		t.Errorf("SAM: %v", err)
	}
	_, err = expand("Transform: Mine\nParameters: {P: {Type: String}}\nResources: {A: {Type: T}}", nil)
	if e, ok := errors.AsType[*Error](err); !ok || e.Message != "Parameters: [P] must have values" {
		t.Errorf("parameters: %v", err)
	}
}

// TestLoopIsCopies: a loop gives what its body, written out for every value, gives.
func TestLoopIsCopies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,6}`), 1, 8, rapid.ID[string]).Draw(t, "values")
		var looped, written strings.Builder
		body := func(v string) string {
			return "'R" + v + "': {Type: T, Properties: {A: 'x" + v + "y', B: {Ref: 'R" + v + "'}}}"
		}
		fmt.Fprintf(&looped, "Transform: AWS::LanguageExtensions\nResources:\n  Fn::ForEach::L: [V, ['%s'], {%s}]\n", strings.Join(values, "','"), body("${V}"))
		written.WriteString("Transform: AWS::LanguageExtensions\nResources:\n")
		for _, v := range values {
			written.WriteString("  " + body(v) + "\n")
		}
		a, err := expand(looped.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := expand(written.String(), nil)
		if err != nil || a != b {
			t.Fatalf("%v\n%s\n%s", err, a, b)
		}
	})
}

func FuzzExpand(f *testing.F) {
	f.Add(extended + "Resources:\n  Fn::ForEach::L: [Name, !Ref Names, {'T&{Name}': {Type: T, Properties: {N: '${Name}'}}}]\n")
	f.Add(extended + "Conditions:\n  C: !Equals [!Length {Ref: Names}, 2]\nResources:\n  A: {Type: T, DeletionPolicy: !If [C, !Ref Keep, Delete], Properties: {X: !ToJsonString {a: !FindInMap [M, a, z, {DefaultValue: !Ref A}]}}}\n")
	f.Add("Transform: [[AWS::LanguageExtensions], {Name: 'AWS::Include', Parameters: {Location: 's3://b/all.json'}}]\nResources: {A: {Type: T, Properties: {'Fn::Transform': {Name: 'AWS::Include', Parameters: {Location: 's3://b/tags.yaml'}}}}}\n")
	f.Add(`{"Transform":"AWS::LanguageExtensions","Resources":{"Fn::ForEach::A":["V",["a"],{"Fn::ForEach::B":["W",["b","${V}"],{"X${W}&{V}":{"Type":"T"}}]}]}}`)
	f.Fuzz(func(t *testing.T, body string) {
		out, err := expand(body, nil)
		if err != nil {
			return
		}
		tpl, err := ParseProcessed(out, Limits{})
		if err != nil {
			return
		}
		b, err := tpl.Bind(Inputs{Region: "us-east-1"})
		if err != nil {
			return
		}
		for _, r := range b.Active() {
			_, _ = b.Properties(r, fakeEnv{})
		}
	})
}
