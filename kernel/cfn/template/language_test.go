package template

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func bindText(t *testing.T, body string, give map[string]string) (*Bound, error) {
	t.Helper()
	tpl, err := ParseProcessed(body, Limits{})
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	return tpl.Bind(Inputs{Parameters: give, Region: "us-east-1"})
}

func TestEvaluationRefuses(t *testing.T) {
	tests := []struct{ name, value, want string }{
		{"select", "!Select [2, [a, b]]", "Template error: Fn::Select cannot select nonexistent value at index 2"},
		{"select text", "!Select [x, [a, b]]", "Template error: Fn::Select cannot select nonexistent value at index x"},
		{"select of text", "!Select [0, !Ref A]", selectShape},
		{"find", "!FindInMap [M, a, zzz]", "Template error: Unable to get mapping for M::a::zzz"},
		{"find computed", "!FindInMap [!Ref P, a, b]", "Template error: Unable to get mapping for dev::a::b"},
		{"join of maps", "!Join ['', [{a: b}]]", joinShape},
		{"split by nothing", "!Split ['', abc]", splitShape},
		{"sub of a list", "!Sub ['${x}', {x: [1]}]", "Template error: variable x in Fn::Sub expression does not resolve to a string"},
		{"cidr block", "!Cidr [nope, 1]", "Template error: Fn::Cidr has an address block that is not valid: nope"},
		{"cidr count", "!Cidr ['10.0.0.0/8', 257]", "Template error: Fn::Cidr requires a count between 1 and 256"},
		{"cidr bits", "!Cidr ['10.0.0.0/24', 1, 9]", "Template error: Fn::Cidr cannot make blocks with 9 host bits out of 10.0.0.0/24"},
		{"cidr room", "!Cidr ['10.0.0.0/24', 3, 7]", "Template error: Fn::Cidr cannot make 3 blocks with 7 host bits out of 10.0.0.0/24"},
		{"length of text", "!Length {'Fn::Sub': x}", "Template error: Fn::Length expects an array"},
		{"json of text", "!ToJsonString {'Fn::Sub': x}", "Template error: Fn::ToJsonString expects an array or an object"},
		{"base64 of a list", "!Base64 {'Fn::Split': [a, b]}", base64Shape},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := bindText(t, "Parameters: {P: {Type: String, Default: dev}}\nMappings: {M: {a: {b: c}}}\nResources:\n  A: {Type: T}\nOutputs:\n  O:\n    Value: "+tt.value, nil)
			if err != nil {
				t.Fatal(err)
			}
			if v, err := b.Eval(b.Outputs[0].Value, fakeEnv{}); err == nil || err.Error() != tt.want {
				t.Errorf("got %v %v, want %s", v, err, tt.want)
			}
		})
	}
}

func TestShapesAreChecked(t *testing.T) {
	tests := []struct{ value, want string }{
		{"{Ref: [a]}", "Template error: All References must be of type string"},
		{"!Split [a]", splitShape},
		{"!Select [0]", selectShape},
		{"!FindInMap [a, b]", findShape},
		{"!FindInMap [a, b, c, d]", findShape},
		{"!If [1, 2, 3]", ifFirst},
		{"!If [C, 2]", ifThree},
		{"!Cidr [a]", cidrShape},
		{"!Base64 [a]", base64Shape},
		{"!GetAZs [a]", azsShape},
		{"!ImportValue [a]", importShape},
		{"!ImportValue {'Fn::GetAtt': [A, B]}", importShape},
		{"!Sub [a]", subShape},
		{"!Sub [[a], {}]", subShape},
		{"!GetAtt [A, B, C]", getAttShape},
		{"{'Fn::GetAtt': [A, '']}", getAttShape},
		{"!Equals [a, b]", "Template Error: Encountered unsupported function: Fn::Equals Supported functions are: [" + supported + "]"},
		{"{'Fn::Sub': a, other: b}", "Template Error: Encountered unsupported function: Fn::Sub Supported functions are: [" + supported + "]"},
	}
	for _, tt := range tests {
		_, err := Parse("Conditions: {C: !Equals [a, b]}\nResources:\n  A: {Type: T}\n  B:\n    Type: T\n    Properties:\n      V: "+tt.value, Limits{})
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s\ngot  %v\nwant %s", tt.value, err, tt.want)
		}
	}
	for cond, want := range map[string]string{
		"!Equals [a]": equalsShape, "!And [!Equals [a, b]]": andShape, "!Or [!Equals [a, b]]": orShape, "!Not [a]": notShape, "yes": "Template format error: Every Conditions member must be a boolean function: C",
		"!GetAZs ''": "Template Error: Encountered unsupported function: Fn::GetAZs Supported functions are: [" + supported + "]", "!Not [!Condition D]": "Template format error: Unresolved condition dependencies [D] in the Conditions block of the template",
	} {
		if _, err := Parse("Conditions: {C: "+cond+"}\n"+head, Limits{}); err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", cond, err, want)
		}
	}
}

func TestSectionsAreChecked(t *testing.T) {
	for body, want := range map[string]string{
		"Resources: []":                                                        "Template format error: Resources must be a map.",
		"Resources:":                                                           "[/Resources] 'null' values are not allowed in templates",
		"Resources: {A: x}":                                                    "Template format error: [/Resources/A] resource definition is malformed",
		"Resources: {A: {Type: [T]}}":                                          "Template format error: [/Resources/A/Type] Every Type member must be a string.",
		"Resources: {A: {Type: T, Properties: []}}":                            "Template format error: [/Resources/A/Properties] Every Properties member must be a map.",
		"Resources: {A: {Type: T, DependsOn: {a: b}}}":                         "Template format error: DependsOn must be a string or list of strings.",
		"Resources: {A: {Type: T, DependsOn: [[a]]}}":                          "Template format error: DependsOn must be a string or list of strings.",
		"Resources: {A: {Type: T, DeletionPolicy: Keep}}":                      "Template format error: Unrecognized DeletionPolicy Keep for resource.",
		"Resources: {A: {Type: T, UpdateReplacePolicy: RetainExceptOnCreate}}": "Template format error: Unrecognized UpdateReplacePolicy RetainExceptOnCreate for resource.",
		head + "Parameters: {P: {}}":                                           "Template format error: Every Parameters object must contain a Type member.",
		head + "Parameters: {P-x: {Type: String}}":                             "Template format error: Parameter name P-x is non alphanumeric.",
		head + "Parameters: {P: {Type: String, Foo: 1}}":                       "Invalid template parameter property 'Foo'",
		head + "Parameters: {P: {Type: String, Default: []}}":                  "Template format error: Every Default member must be a string.",
		head + "Mappings: {M: x}":                                              "Template format error: Every Mappings member M must be a map",
		head + "Mappings: {M: {a: x}}":                                         "Template format error: Every Mappings attribute must be a map of scalar values: M, a",
		head + "Mappings: {M: {a: {b: {c: d}}}}":                               "Template format error: Every Mappings attribute must be a String or a List.",
		head + "Outputs: {O-o: {Value: x}}":                                    "Template format error: Output name O-o is non alphanumeric.",
		head + "Outputs: {O: {Value: x, Export: {Nme: y}}}":                    "Template format error: Output O is malformed. The Export field requires a Name.",
		head + "Outputs: {O: {Value: x, Condition: C}}":                        "Template format error: Unresolved condition dependency C in the Outputs block of the template",
		head + "Rules: {R: {}}":                                                "Template format error: Rule R must contain a list of Assertions.",
		head + "Rules: {R: {Assertions: [{}]}}":                                "Template format error: Every assertion of rule R must contain an Assert object.",
		head + "Description: [x]":                                              "Template format error: Every Description member must be a string.",
		head + "? [a]\n: b":                                                    "Template format error: YAML not well-formed. (line 3, column 3)",
		head + "X: !Foo bar":                                                   "Template format error: unsupported structure. (unknown tag !Foo, line 3, column 4)",
	} {
		if _, err := Parse(body, Limits{}); err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", body, err, want)
		}
	}
}

func TestRules(t *testing.T) {
	frame := "Parameters:\n  Env: {Type: String, Default: prod}\n  Zones: {Type: CommaDelimitedList, Default: 'a,b'}\n  Subnet: {Type: 'AWS::EC2::Subnet::Id', Default: s1}\n" + head +
		"Rules:\n  R:\n    Assertions:\n      - {AssertDescription: broken, Assert: %s}\n"
	for assert, holds := range map[string]bool{
		"!Contains [[dev, prod], !Ref Env]":                      true,
		"!Contains [[dev], !Ref Env]":                            false,
		"!EachMemberIn [!Ref Zones, [a, b, c]]":                  true,
		"!EachMemberIn [!Ref Zones, [a]]":                        false,
		"!EachMemberEquals [[prod, prod], !Ref Env]":             true,
		"!EachMemberEquals [!Ref Zones, a]":                      false,
		"!Contains [!RefAll 'AWS::EC2::Subnet::Id', s1]":         true,
		"!And [!Equals [!Ref Env, prod], !Not [!Equals [a, b]]]": true,
		"!Or [!Equals [!Ref Env, x], !Contains [!Ref Zones, z]]": false,
		"!Not [!Contains [!Ref Zones, '']]":                      true,
	} {
		_, err := bindText(t, fmt.Sprintf(frame, assert), nil)
		if holds != (err == nil) || (!holds && err.Error() != "Template error: Rule R failed: broken") {
			t.Errorf("%s: got %v, want %v", assert, err, holds)
		}
	}
}

func TestFacts(t *testing.T) {
	b, err := bindText(t, "Transform: AWS::LanguageExtensions\nParameters: {P: {Type: String, Default: x}}\nConditions: {C: !Equals [!Ref P, x]}\nResources:\n"+
		"  A: {Type: TA, Properties: {V: !If [C, !Ref P, !GetAtt B.Arn], W: !Sub '${B}'}}\n  B: {Type: TB}\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	a := b.Resource("A")
	if b.Transforms[0] != "AWS::LanguageExtensions" || b.ParameterIn(a.Properties.Get("V")) != "P" || b.ParameterIn(a.Properties.Get("W")) != "" {
		t.Error("transforms or parameters")
	}
	var asked []string
	if err := b.CheckAttributes(func(id, typ, attribute string) error { asked = append(asked, id+" "+typ+" "+attribute); return nil }); err != nil || !slices.Equal(asked, []string{"B TB Arn"}) {
		t.Errorf("attributes %v %v", asked, err)
	}
	if ids := b.Ordered(); ids[0].LogicalID != "B" || ids[1].LogicalID != "A" {
		t.Errorf("order %v", ids)
	}
	if raw, _ := json.Marshal(Unknown{"A", ""}); string(raw) != `"{{changeSet:KNOWN_AFTER_APPLY}}"` {
		t.Errorf("unknown %s", raw)
	}
}

// document draws plain data that both formats can hold.
func document(t *rapid.T, depth int) any {
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	if depth == 0 {
		kind %= 4
	}
	switch kind {
	case 0:
		return rapid.StringMatching(`[ -~]{0,12}`).Draw(t, "text")
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return json.Number(fmt.Sprint(rapid.IntRange(-1000, 1000).Draw(t, "number")))
	case 3:
		return nil
	case 4:
		out := make([]any, rapid.IntRange(0, 3).Draw(t, "length"))
		for i := range out {
			out[i] = document(t, depth-1)
		}
		return out
	default:
		out := map[string]any{}
		for range rapid.IntRange(0, 3).Draw(t, "size") {
			out[rapid.StringMatching(`[A-Za-z ]{1,6}`).Draw(t, "key")] = document(t, depth-1)
		}
		return out
	}
}

// TestFormatsAgree: JSON is YAML too, and both readers give the same data.
func TestFormatsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := document(t, 3)
		raw, err := json.MarshalIndent(doc, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		fromJSON, err := readJSON(raw)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		fromYAML, err := readYAML(raw)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if !reflect.DeepEqual(fromJSON.Value(), doc) || !reflect.DeepEqual(fromYAML.Value(), doc) {
			t.Fatalf("%s\njson %#v\nyaml %#v\nwant %#v", raw, fromJSON.Value(), fromYAML.Value(), doc)
		}
	})
}

// TestOrderOrCircle: either every resource comes after what it needs, or the circle is named, and all named lie on one.
func TestOrderOrCircle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "resources")
		needs := map[string][]string{}
		var body strings.Builder
		body.WriteString("Resources:\n")
		for i := range n {
			id := fmt.Sprintf("R%d", i)
			for j := range n {
				if rapid.IntRange(0, 5).Draw(t, "needs") == 0 {
					needs[id] = append(needs[id], fmt.Sprintf("R%d", j))
				}
			}
			fmt.Fprintf(&body, "  %s: {Type: T, DependsOn: [%s]}\n", id, strings.Join(needs[id], ", "))
		}
		reaches := func(from, to string) bool {
			seen := map[string]bool{}
			todo := slices.Clone(needs[from])
			for len(todo) > 0 {
				at := todo[0]
				todo = todo[1:]
				if at == to {
					return true
				}
				if !seen[at] {
					seen[at] = true
					todo = append(todo, needs[at]...)
				}
			}
			return false
		}
		var circular []string
		for i := range n {
			if id := fmt.Sprintf("R%d", i); reaches(id, id) {
				circular = append(circular, id)
			}
		}
		tpl, err := Parse(body.String(), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := tpl.Bind(Inputs{})
		if len(circular) > 0 {
			if want := "Circular dependency between resources: " + bracket(circular); err == nil || err.Error() != want {
				t.Fatalf("got %v, want %s", err, want)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		at := map[string]int{}
		for i, r := range b.Ordered() {
			at[r.LogicalID] = i
			for _, need := range b.Dependencies(r) {
				if before, ok := at[need]; !ok || before > i {
					t.Fatalf("%s comes before %s", r.LogicalID, need)
				}
			}
		}
	})
}
