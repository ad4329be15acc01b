// Package template is CloudFormation's template language: JSON and YAML with short tags, parameters, conditions, rules, mappings, intrinsic functions,
// dynamic references and the graph of dependencies.
//
// It is used in three steps, none of which has effects but the reading of snippets:
//
//	s, err := template.Read(body, limits)        // syntax alone; s.Expand(...) processes macros and gives the body to parse
//	t, err := template.Parse(body, limits)       // syntax and static checks, in CloudFormation's words
//	b, err := t.Bind(inputs)                     // parameters given: conditions decided, rules asserted, cycles refused
//	v, err := b.Eval(node, env)                  // a value, with what resources answer to Ref and GetAtt
//
// Values are nil, bool, string, json.Number, []any and map[string]any; Unknown stands for what only a resource not yet made can tell.
// Every error a user can cause is an *Error with the text CloudFormation gives and the place in the source.
package template

import "fmt"

// Template is a parsed template that has passed the static checks. It is never changed.
type Template struct {
	Source      string // as given
	Version     string // AWSTemplateFormatVersion
	Description string
	Metadata    *Node // or nil
	Transforms  []string
	Parameters  []*Parameter // in template order, as everything below
	Rules       []*Rule
	Conditions  []Named
	Resources   []*Resource
	Outputs     []*Output
	mappings    *Node
	byID        map[string]*Resource
	parameters  map[string]*Parameter
	conditions  map[string]*Node
	extended    bool // the functions of the language extensions may be used
}

// Named is an entry of a section that holds one expression each.
type Named struct {
	Name string
	Node *Node
}

// Resource is an entry of the Resources section.
type Resource struct {
	LogicalID           string
	Type                string
	Properties          *Node // a Map; never nil
	DependsOn           []string
	Condition           string // "" for none
	DeletionPolicy      Policy
	UpdateReplacePolicy Policy
	Metadata            *Node // or nil
	CreationPolicy      *Node // or nil
	UpdatePolicy        *Node // or nil
	Line, Column        int
}

// Policy says what becomes of a resource that the stack lets go of. The empty policy is Delete.
type Policy string

// The policies CloudFormation knows.
const (
	Delete               Policy = "Delete"
	Retain               Policy = "Retain"
	Snapshot             Policy = "Snapshot"
	RetainExceptOnCreate Policy = "RetainExceptOnCreate"
)

// Output is an entry of the Outputs section.
type Output struct {
	Name        string
	Description string
	Condition   string
	Value       *Node
	Export      *Node // the exported name, or nil
}

// Rule is an entry of the Rules section.
type Rule struct {
	Name       string
	Condition  *Node // or nil
	Assertions []Assertion
}

// Assertion is one condition a rule demands, and what to say when it does not hold.
type Assertion struct {
	Assert      *Node
	Description string
}

// Resource is the resource with a logical id, or nil.
func (t *Template) Resource(id string) *Resource { return t.byID[id] }

// Error is a template error in CloudFormation's words. Line and Column are 1-based, 0 when no place is known.
type Error struct {
	Message      string
	Line, Column int
}

func (e *Error) Error() string { return e.Message }

func fail(n *Node, format string, args ...any) *Error {
	e := &Error{Message: fmt.Sprintf(format, args...)}
	if n != nil {
		e.Line, e.Column = n.Line, n.Column
	}
	return e
}
