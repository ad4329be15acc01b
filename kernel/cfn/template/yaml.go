package template

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// shortTags are the YAML tags and the functions they stand for.
var shortTags = map[string]string{
	"!Ref": "Ref", "!Condition": "Condition",
	"!And": "Fn::And", "!Base64": "Fn::Base64", "!Cidr": "Fn::Cidr", "!Equals": "Fn::Equals", "!FindInMap": "Fn::FindInMap",
	"!GetAtt": "Fn::GetAtt", "!GetAZs": "Fn::GetAZs", "!If": "Fn::If", "!ImportValue": "Fn::ImportValue", "!Join": "Fn::Join",
	"!Not": "Fn::Not", "!Or": "Fn::Or", "!Select": "Fn::Select", "!Split": "Fn::Split", "!Sub": "Fn::Sub", "!Transform": "Fn::Transform",
	"!Length": "Fn::Length", "!ToJsonString": "Fn::ToJsonString",
	"!Contains": "Fn::Contains", "!EachMemberEquals": "Fn::EachMemberEquals", "!EachMemberIn": "Fn::EachMemberIn",
	"!RefAll": "Fn::RefAll", "!ValueOf": "Fn::ValueOf", "!ValueOfAll": "Fn::ValueOfAll",
}

var yamlPlace = regexp.MustCompile(`line (\d+)`)

func readYAML(src []byte) (n *Node, err error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(src, &doc); err != nil {
		line := 1
		if m := yamlPlace.FindStringSubmatch(err.Error()); m != nil {
			line, _ = strconv.Atoi(m[1])
		}
		return nil, &Error{Message: fmt.Sprintf("Template format error: YAML not well-formed. (line %d, column 1)", line), Line: line, Column: 1}
	}
	if len(doc.Content) == 0 {
		return nil, &Error{Message: "Template format error: unsupported structure."}
	}
	return fromYAML(doc.Content[0], 0)
}

func fromYAML(y *yaml.Node, depth int) (*Node, error) {
	n := &Node{Line: y.Line, Column: y.Column}
	if depth > maxDepth {
		return nil, fail(n, "Template format error: YAML not well-formed. (line %d, column %d)", y.Line, y.Column)
	}
	var err error
	switch y.Kind {
	case yaml.ScalarNode:
		yamlScalar(y, n)
	case yaml.SequenceNode:
		n.Kind = List
		for _, c := range y.Content {
			item, err := fromYAML(c, depth+1)
			if err != nil {
				return nil, err
			}
			n.Items = append(n.Items, item)
		}
	case yaml.MappingNode:
		err = yamlMap(y, n, depth)
	case yaml.AliasNode:
		err = fail(n, "Template error: YAML aliases are not allowed in CloudFormation templates")
	default:
		err = fail(n, "Template format error: unsupported structure.")
	}
	if err != nil {
		return nil, err
	}
	return withTag(y, n)
}

// withTag wraps a node that carries a short tag into the function's long form.
func withTag(y *yaml.Node, n *Node) (*Node, error) {
	if y.Tag == "" || strings.HasPrefix(y.Tag, "!!") || y.Tag == "!" {
		return n, nil
	}
	name, ok := shortTags[y.Tag]
	if !ok {
		return nil, fail(n, "Template format error: unsupported structure. (unknown tag %s, line %d, column %d)", y.Tag, y.Line, y.Column)
	}
	if name == "Fn::GetAtt" && n.Kind == String {
		id, attribute, _ := strings.Cut(n.Text, ".")
		n = &Node{Kind: List, Line: n.Line, Column: n.Column, Items: []*Node{
			{Kind: String, Text: id, Line: n.Line, Column: n.Column},
			{Kind: String, Text: attribute, Line: n.Line, Column: n.Column},
		}}
	}
	return &Node{Kind: Map, Line: y.Line, Column: y.Column, Entries: []Entry{{name, n}}}, nil
}

func yamlMap(y *yaml.Node, n *Node, depth int) error {
	n.Kind = Map
	seen := make(map[string]bool)
	for i := 0; i+1 < len(y.Content); i += 2 {
		k := y.Content[i]
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
			return fail(&Node{Line: k.Line, Column: k.Column}, "Template format error: YAML not well-formed. (line %d, column %d)", k.Line, k.Column)
		}
		v, err := fromYAML(y.Content[i+1], depth+1)
		if err != nil {
			return err
		}
		if seen[k.Value] {
			return duplicate(&Node{Line: k.Line, Column: k.Column}, k.Value)
		}
		seen[k.Value] = true
		n.Entries = append(n.Entries, Entry{k.Value, v})
	}
	return nil
}

var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// yamlScalar types a scalar as YAML 1.1 does, which CloudFormation reads: yes and on are true. Dates stay strings, numbers keep their digits, and what only
// looks like a number (leading zeros: account ids) stays a string.
func yamlScalar(y *yaml.Node, n *Node) {
	n.Kind, n.Text = String, y.Value
	tag := y.Tag
	if y.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 && tag != "!!int" && tag != "!!bool" && tag != "!!float" {
		return
	}
	switch tag {
	case "!!null":
		n.Kind, n.Text = Null, ""
	case "!!bool":
		n.Kind, n.Text = Bool, strings.ToLower(y.Value)
	case "!!int", "!!float":
		if decimal.MatchString(y.Value) {
			n.Kind = Number
		} else if v, err := strconv.ParseInt(y.Value, 0, 64); err == nil && strings.HasPrefix(y.Value, "0x") {
			n.Kind, n.Text = Number, strconv.FormatInt(v, 10)
		}
	case "!!str":
		if y.Style == 0 {
			yaml11Bool(n)
		}
	}
}

func yaml11Bool(n *Node) {
	switch strings.ToLower(n.Text) {
	case "yes", "on":
		n.Kind, n.Text = Bool, "true"
	case "no", "off":
		n.Kind, n.Text = Bool, "false"
	}
}

// readSnippet reads JSON, or YAML without short tags.
func readSnippet(src []byte) (*Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(src, &doc); err == nil && tagged(&doc) {
		return nil, &Error{Message: "short forms of functions are not supported in snippets"}
	}
	return read(src)
}

func tagged(y *yaml.Node) bool {
	if strings.HasPrefix(y.Tag, "!") && !strings.HasPrefix(y.Tag, "!!") && y.Tag != "!" {
		return true
	}
	return slices.ContainsFunc(y.Content, tagged)
}
