package template

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

const head = "Resources:\n  A: {Type: 'T::A'}\n"

// fakeEnv answers Ref with "<id>-ref", GetAtt with "<id>.<attr>".
type fakeEnv struct{}

func (fakeEnv) Ref(id string) (any, error)          { return id + "-ref", nil }
func (fakeEnv) GetAtt(id, attr string) (any, error) { return id + "." + attr, nil }
func (fakeEnv) Import(name string) (any, error)     { return "import:" + name, nil }

func TestIntrinsicFunctions(t *testing.T) {
	const frame = `
Parameters:
  Env: {Type: String, Default: dev}
  Ports: {Type: CommaDelimitedList, Default: "80, 443"}
  Count: {Type: Number, Default: 3}
Mappings:
  M: {dev: {Size: small, List: [a, b]}}
Conditions:
  IsDev: !Equals [!Ref Env, dev]
  IsProd: !Not [!Condition IsDev]
  Both: !And [!Condition IsDev, !Condition IsProd]
  Any: !Or [!Condition IsDev, !Condition IsProd]
Resources:
  A: {Type: T::A}
  B:
    Type: T::B
    Properties:
      V: `
	tests := []struct{ name, yaml, want string }{
		{"ref of a parameter", "!Ref Env", `"dev"`},
		{"ref of a resource", "!Ref A", `"A-ref"`},
		{"ref of a list parameter", "!Ref Ports", `["80","443"]`},
		{"pseudo parameters", "!Sub '${AWS::Region}/${AWS::AccountId}/${AWS::StackName}/${AWS::Partition}/${AWS::URLSuffix}'", `"eu-west-1/123456789012/web/aws/amazonaws.com"`},
		{"getatt dotted", "!GetAtt A.Nested.Arn", `"A.Nested.Arn"`},
		{"getatt list", "{'Fn::GetAtt': [A, Arn]}", `"A.Arn"`},
		{"getatt attribute by parameter", "{'Fn::GetAtt': [A, !Ref Env]}", `"A.dev"`},
		{"join", "!Join ['-', [a, !Ref Env, 3, true]]", `"a-dev-3-true"`},
		{"join of a list parameter", "!Join ['|', !Ref Ports]", `"80|443"`},
		{"select", "!Select [1, !Ref Ports]", `"443"`},
		{"select with text index", "!Select ['0', !GetAZs '']", `"eu-west-1a"`},
		{"split", "!Split [',', 'a,b']", `["a","b"]`},
		{"select of split", "!Select [1, !Split ['/', !GetAtt A.X/Y]]", `"Y"`},
		{"sub", "!Sub 'x-${Env}-${A}-${A.Arn}-${!Literal}-$Env'", `"x-dev-A-ref-A.Arn-${Literal}-$Env"`},
		{"sub with variables", "!Sub ['${x}:${Env}', {x: !Ref Count}]", `"3:dev"`},
		{"azs", "!GetAZs us-east-1", `["us-east-1a","us-east-1b","us-east-1c"]`},
		{"azs of a region ref", "!GetAZs {Ref: 'AWS::Region'}", `["eu-west-1a","eu-west-1b","eu-west-1c"]`},
		{"find", "!FindInMap [M, !Ref Env, Size]", `"small"`},
		{"find a list", "!FindInMap [M, dev, List]", `["a","b"]`},
		{"find with default", "{'Fn::FindInMap': [M, nope, Size, {DefaultValue: !Ref Env}]}", `"dev"`},
		{"if", "!If [IsDev, !Ref A, other]", `"A-ref"`},
		{"if else", "!If [IsProd, !Ref A, other]", `"other"`},
		{"and or", "!If [Both, 1, !If [Any, 2, 3]]", `2`},
		{"no value in a list", "[a, !If [IsProd, b, !Ref 'AWS::NoValue'], c]", `["a","c"]`},
		{"no value in a map", "{x: !Ref 'AWS::NoValue', y: 1}", `{"y":1}`},
		{"cidr", "!Cidr ['10.0.0.0/16', 3, 8]", `["10.0.0.0/24","10.0.1.0/24","10.0.2.0/24"]`},
		{"cidr default bits", "!Select [1, !Cidr ['10.0.0.0/16', 2]]", `"10.0.1.0/24"`},
		{"cidr of six", "!Cidr ['fd00::/56', 2, 64]", `["fd00::/64","fd00:0:0:1::/64"]`},
		{"import", "!ImportValue vpc-id", `"import:vpc-id"`},
		{"import computed", "!ImportValue {'Fn::Sub': '${Env}-vpc'}", `"import:dev-vpc"`},
		{"base64", "!Base64 hello", `"aGVsbG8="`},
		{"base64 of sub", "!Base64 {'Fn::Sub': '${Env}'}", `"ZGV2"`},
		{"length", "!Length [a, b]", `2`},
		{"to json", "!ToJsonString {a: [1, !Ref Env]}", `"{\"a\":[1,\"dev\"]}"`},
		{"yaml words are booleans", "[yes, off, 'yes', True]", `[true,false,"yes",true]`},
		{"dates stay text", "{Version: 2012-10-17}", `{"Version":"2012-10-17"}`},
		{"account ids keep their zeros", "[012345678901, 0123, 1.10, 0x1F, 1_000]", `["012345678901","0123",1.10,31,"1_000"]`},
		{"a policy condition is no function", "{Condition: {StringEquals: {a: b}}}", `{"Condition":{"StringEquals":{"a":"b"}}}`},
		{"nested short tags", "!Join ['', !Split ['-', !Sub '${Env}-x']]", `"devx"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tpl, err := ParseProcessed(frame+tt.yaml, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			b, err := tpl.Bind(Inputs{Region: "eu-west-1", AccountID: "123456789012", StackName: "web"})
			if err != nil {
				t.Fatal(err)
			}
			props, err := b.Properties(tpl.Resource("B"), fakeEnv{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(props["V"])
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, want %s (%v)", got, tt.want, err)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"broken json", `{"Resources": {`, "Template format error: JSON not well-formed. (line 1, column 16)"},
		{"broken yaml", "Resources:\n  A: [\n", "Template format error: YAML not well-formed. (line 2, column 1)"},
		{"empty", "", "Template format error: unsupported structure."},
		{"a list", "[]", "Template format error: unsupported structure."},
		{"no resources", "{}", "Template format error: At least one Resources member must be defined."},
		{"unknown section", head + "Foo: {}\n", "Invalid template property or properties [Foo]"},
		{"version", head + "AWSTemplateFormatVersion: 2011-01-01\n", "Template format error: unsupported value for AWSTemplateFormatVersion."},
		{"resource name", "Resources:\n  A-b: {Type: T}\n", "Template format error: Resource name A-b is non alphanumeric."},
		{"resource type", "Resources:\n  A: {Properties: {}}\n", "Template format error: [/Resources/A] Every Resources object must contain a Type member."},
		{"resource attribute", "Resources:\n  A: {Type: T, Propertys: {}}\n", "Invalid template resource property 'Propertys'"},
		{"ref", "Resources:\n  A: {Type: T, Properties: {X: !Ref Nope, Y: !Sub '${Gone}'}}\n", "Template format error: Unresolved resource dependencies [Gone, Nope] in the Resources block of the template"},
		{"depends on", "Resources:\n  A: {Type: T, DependsOn: Z}\n", "Template format error: Unresolved resource dependencies [Z] in the Resources block of the template"},
		{"output ref", head + "Outputs:\n  O: {Value: !Ref Nope}\n", "Template format error: Unresolved resource dependencies [Nope] in the Outputs block of the template"},
		{"output value", head + "Outputs:\n  O: {Description: x}\n", "Template format error: Every Outputs member must contain a Value object"},
		{"getatt", "Resources:\n  A: {Type: T, Properties: {X: !GetAtt Nope.Arn}}\n", "Template error: instance of Fn::GetAtt references undefined resource Nope"},
		{"getatt shape", "Resources:\n  A: {Type: T, Properties: {X: !GetAtt A}}\n", getAttShape},
		{"resource condition", "Resources:\n  A: {Type: T, Condition: C}\n", "Template format error: Unresolved condition dependency C in the Resources block of the template"},
		{"condition names a resource", head + "Conditions:\n  C: !Equals [!Ref A, x]\n", "Template format error: Unresolved dependencies [A]. Cannot reference resources in the Conditions block of the template"},
		{"conditions in a circle", head + "Conditions:\n  C: !Not [!Condition D]\n  D: !Not [!Condition C]\n", "Template format error: Circular dependency between conditions: [C, D]"},
		{"if without condition", "Resources:\n  A: {Type: T, Properties: {X: !If [C, 1, 2]}}\n", "Template error: unresolved condition dependency C in Fn::If"},
		{"join shape", "Resources:\n  A: {Type: T, Properties: {X: !Join [a]}}\n", joinShape},
		{"mapping", "Resources:\n  A: {Type: T, Properties: {X: !FindInMap [M, a, b]}}\n", "Template error: Mapping named 'M' is not present in the 'Mappings' section of template."},
		{"function", `{"Resources": {"A": {"Type": "T", "Properties": {"X": {"Fn::Foo": 1}}}}}`, "Template Error: Encountered unsupported function: Fn::Foo Supported functions are: [" + supported + "]"},
		{"macro", `{"Resources": {"A": {"Type": "T", "Properties": {"X": {"Fn::Transform": {"Name": "Mine"}}}}}}`, "No transform named Mine found."},
		{"sub name", "Resources:\n  A: {Type: T, Properties: {X: !Sub '${a b}'}}\n", subNames},
		{"parameter type", head + "Parameters:\n  P: {Type: Text}\n", "Template format error: Unrecognized parameter type: Text"},
		{"alias", "Resources:\n  A: &x {Type: T}\n  B: *x\n", "Template error: YAML aliases are not allowed in CloudFormation templates"},
		{"duplicate", `{"Resources": {"A": {"Type": "T"}, "A": {"Type": "T"}}}`, `Template format error: Duplicate key "A" (line 1, column 41)`},
		{"import of a resource", "Resources:\n  A: {Type: T, Properties: {X: !ImportValue {'Fn::Sub': '${A}'}}}\n", importShape},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Parse(tt.body, Limits{}); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestBindRefuses(t *testing.T) {
	tests := []struct {
		name, body, want string
		give             map[string]string
	}{
		{"absent", head + "Parameters:\n  P: {Type: String}\n  Q: {Type: String}\n", "Parameters: [P, Q] must have values", nil},
		{"unknown", head, "Parameters: [Z] do not exist in the template", map[string]string{"Z": "1"}},
		{"allowed", head + "Parameters:\n  P: {Type: String, AllowedValues: [a, b]}\n", "Parameter 'P' must be one of AllowedValues", map[string]string{"P": "c"}},
		{"pattern", head + "Parameters:\n  P: {Type: String, AllowedPattern: '[a-z]+'}\n", "Parameter 'P' must match pattern [a-z]+", map[string]string{"P": "x1"}},
		{"described", head + "Parameters:\n  P: {Type: String, MaxLength: 2, ConstraintDescription: be short}\n", "Parameter P failed to satisfy constraint: be short", map[string]string{"P": "xxx"}},
		{"number", head + "Parameters:\n  P: {Type: Number, MinValue: 5}\n", "Parameter 'P' must be a number not less than 5", map[string]string{"P": "4"}},
		{"numbers", head + "Parameters:\n  P: {Type: List<Number>}\n", "Parameter 'P' must be a number", map[string]string{"P": "4,x"}},
		{"ssm", head + "Parameters:\n  P: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /a/b}\n", "Unable to fetch parameters [/a/b] from parameter store for this account.", nil},
		{"circle", "Resources:\n  A: {Type: T, Properties: {X: !Ref B}}\n  B: {Type: T, DependsOn: C}\n  C: {Type: T, Properties: {X: !GetAtt A.Y}}\n  D: {Type: T, Properties: {X: !Ref A}}\n", "Circular dependency between resources: [A, B, C]", nil},
		{"itself", "Resources:\n  A: {Type: T, Properties: {X: !Ref A}}\n", "Circular dependency between resources: [A]", nil},
		{"conditioned out", "Conditions:\n  Never: !Equals [a, b]\nResources:\n  A: {Type: T, Condition: Never}\n  B: {Type: T, Properties: {X: !Ref A}}\n", "Template format error: Unresolved resource dependencies [A] in the Resources block of the template", nil},
		{"rule", head + "Parameters:\n  P: {Type: String}\nRules:\n  R:\n    RuleCondition: !Equals [!Ref P, b]\n    Assertions:\n      - {Assert: !Contains [[a], !Ref P], AssertDescription: P must be a}\n", "Template error: Rule R failed: P must be a", map[string]string{"P": "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tpl, err := Parse(tt.body, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tpl.Bind(Inputs{Parameters: tt.give}); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestQuotas(t *testing.T) {
	var b strings.Builder
	b.WriteString("Resources:\n")
	for i := range 501 {
		b.WriteString("  R" + string(rune('A'+i%26)) + strings.Repeat("x", i/26) + ": {Type: T}\n")
	}
	_, err := Parse(b.String(), Limits{})
	if want := "Template format error: Number of resources, 501, is greater than maximum allowed, 500"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	for n, want := range map[int]string{1024: "", 1025: "Template format error: 'Description' length is greater than 1024."} {
		_, err := Parse("Description: "+strings.Repeat("d", n)+"\nResources: {A: {Type: T}}\n", Limits{})
		if (err == nil) != (want == "") || (err != nil && err.Error() != want) {
			t.Errorf("a description of %d bytes: %v", n, err)
		}
	}
	if _, err := Parse(strings.Repeat(" ", 1_000_001), Limits{}); err == nil || err.Error() != "Template may not exceed 1000000 bytes in size." {
		t.Errorf("got %v", err)
	}
}

func TestErrorsKnowTheirPlace(t *testing.T) {
	_, err := Parse("Resources:\n  A:\n    Type: T\n    Properties:\n      X: !Join [a]\n", Limits{})
	if e, ok := errors.AsType[*Error](err); !ok || e.Line != 5 || e.Column != 10 {
		t.Errorf("got %+v", err)
	}
}

func TestStoredParameters(t *testing.T) {
	tpl, err := Parse(head+"Parameters:\n  P: {Type: 'AWS::SSM::Parameter::Value<List<String>>', Default: /p}\nOutputs:\n  O: {Value: !Select [1, !Ref P]}\n", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := tpl.Bind(Inputs{Stored: func(name string) (string, bool) { return "x,y", name == "/p" }})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := b.Eval(tpl.Outputs[0].Value, fakeEnv{}); v != "y" || b.Values[0].Resolved != "x,y" || b.Values[0].Value != "/p" {
		t.Errorf("got %v %+v %v", v, b.Values, err)
	}
}

func TestUnknownSpreads(t *testing.T) {
	tpl, err := Parse(head+"Outputs:\n  O: {Value: !Sub 'x-${A}'}\n  P: {Value: !Select [0, [known, !Ref A]]}\n  Q: {Value: !Join ['', [!GetAtt A.B]]}\n", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := tpl.Bind(Inputs{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []any{Unknown{"A", ""}, "known", Unknown{"A", "B"}} {
		if v, err := b.Eval(tpl.Outputs[i].Value, unknownEnv{}); v != want || err != nil {
			t.Errorf("output %d: got %v %v, want %v", i, v, err, want)
		}
	}
}

type unknownEnv struct{ fakeEnv }

func (unknownEnv) Ref(id string) (any, error)          { return Unknown{id, ""}, nil }
func (unknownEnv) GetAtt(id, attr string) (any, error) { return Unknown{id, attr}, nil }

func TestDynamicReferences(t *testing.T) {
	in := map[string]any{"a": []any{"x{{resolve:ssm:/p:1}}y"}, "b": json.Number("1")}
	out, err := ResolveDynamic(in, func(d Dynamic) (string, error) { return "<" + d.Service + " " + d.Key + ">", nil })
	if err != nil || out.(map[string]any)["a"].([]any)[0] != "x<ssm /p:1>y" || in["a"].([]any)[0] != "x{{resolve:ssm:/p:1}}y" {
		t.Errorf("got %v %v", out, err)
	}
	if _, err := ResolveDynamic(in, nil); err == nil {
		t.Error("no resolver must be an error")
	}
	if !HasDynamic(in) || HasDynamic("{{x}}") {
		t.Error("HasDynamic")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(head)
	f.Add(`{"Resources":{"A":{"Type":"T","Properties":{"X":{"Fn::Sub":["${a}",{"a":1}]}}}}}`)
	f.Add("Conditions:\n  C: !And [!Equals [a, b], !Condition D]\n  D: !Or [!Condition C, !Not [!Condition D]]\n" + head)
	f.Add("Parameters:\n  P: {Type: Number, Default: 1}\nMappings:\n  M: {a: {b: c}}\n" + head + "Outputs:\n  O: {Value: !FindInMap [M, a, b]}\n")
	f.Add("Rules:\n  R: {Assertions: [{Assert: !EachMemberIn [[a], [b]]}]}\n" + head)
	f.Add("Resources:\n  A: {Type: T, Properties: {X: !Cidr [10.0.0.0/8, 256, 8], Y: !Select [0, !Split [a, b]]}}\n")
	f.Fuzz(func(t *testing.T, body string) {
		tpl, err := Parse(body, Limits{})
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
		for _, o := range b.Outputs {
			_, _ = b.Eval(o.Value, fakeEnv{})
		}
	})
}
