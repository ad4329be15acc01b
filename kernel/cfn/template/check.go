package template

import (
	"slices"
	"strings"
)

// pseudo are the parameters CloudFormation defines itself.
var pseudo = []string{
	"AWS::AccountId", "AWS::NoValue", "AWS::NotificationARNs", "AWS::Partition", "AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix",
}

// check makes the checks that need the whole template but no values.
func (t *Template) check() error {
	for _, step := range []func() error{t.checkConditions, t.checkRules, t.checkResources, t.checkOutputs} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (t *Template) checkResources() error {
	var missing []string
	for _, r := range t.Resources {
		if r.Condition != "" && t.conditions[r.Condition] == nil {
			return fail(r.Properties, "Template format error: Unresolved condition dependency %s in the Resources block of the template", r.Condition)
		}
		for _, n := range []*Node{r.Properties, r.Metadata, r.CreationPolicy, r.UpdatePolicy} {
			lost, err := t.checkValue(n)
			if err != nil {
				return err
			}
			missing = append(missing, lost...)
		}
		for _, id := range r.DependsOn {
			if t.byID[id] == nil {
				missing = append(missing, id)
			}
		}
	}
	return unresolved(missing, "Resources")
}

func (t *Template) checkOutputs() error {
	var missing []string
	for _, o := range t.Outputs {
		if o.Condition != "" && t.conditions[o.Condition] == nil {
			return fail(o.Value, "Template format error: Unresolved condition dependency %s in the Outputs block of the template", o.Condition)
		}
		for _, n := range []*Node{o.Value, o.Export} {
			lost, err := t.checkValue(n)
			if err != nil {
				return err
			}
			missing = append(missing, lost...)
		}
	}
	return unresolved(missing, "Outputs")
}

func unresolved(missing []string, block string) error {
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fail(nil, "Template format error: Unresolved resource dependencies %s in the %s block of the template", bracket(slices.Compact(missing)), block)
}

// checkValue checks the functions in a value and returns the names it refers to that exist nowhere.
func (t *Template) checkValue(n *Node) (missing []string, err error) {
	if err := t.checkCalls(n, valueFunctions); err != nil {
		return nil, err
	}
	err = references(n, nil, func(r Reference) error {
		switch {
		case t.byID[r.Name] != nil:
		case r.GetAtt && (t.parameters[r.Name] != nil || !slices.Contains(pseudo, r.Name)):
			if _, _, sub := r.Node.call(); sub && r.Node.Entries[0].Key == "Fn::Sub" {
				missing = append(missing, r.Name)
				return nil
			}
			return fail(r.Node, "Template error: instance of Fn::GetAtt references undefined resource %s", r.Name)
		case t.parameters[r.Name] == nil && !slices.Contains(pseudo, r.Name):
			missing = append(missing, r.Name)
		}
		return nil
	})
	return missing, err
}

func (t *Template) checkConditions() error {
	var missing []string
	for _, c := range t.Conditions {
		if _, _, ok := c.Node.call(); !ok && c.Node.Get("Condition") == nil {
			return fail(c.Node, "Template format error: Every Conditions member must be a boolean function: %s", c.Name)
		}
		if err := t.checkCalls(c.Node, conditionFunctions); err != nil {
			return err
		}
		lost, err := t.onlyParameters(c.Node)
		if err != nil {
			return err
		}
		missing = append(missing, lost...)
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return fail(nil, "Template format error: Unresolved dependencies %s. Cannot reference resources in the Conditions block of the template",
			bracket(slices.Compact(missing)))
	}
	return t.checkConditionGraph()
}

func (t *Template) onlyParameters(n *Node) (missing []string, err error) {
	err = references(n, nil, func(r Reference) error {
		if t.parameters[r.Name] == nil && !slices.Contains(pseudo, r.Name) {
			missing = append(missing, r.Name)
		}
		return nil
	})
	return missing, err
}

// checkConditionGraph refuses conditions that name unknown ones or each other in a circle.
func (t *Template) checkConditionGraph() error {
	graph := make(map[string][]string, len(t.Conditions))
	var missing []string
	for _, c := range t.Conditions {
		graph[c.Name] = conditionNames(c.Node)
		for _, name := range graph[c.Name] {
			if t.conditions[name] == nil {
				missing = append(missing, name)
			}
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return fail(nil, "Template format error: Unresolved condition dependencies %s in the Conditions block of the template", bracket(slices.Compact(missing)))
	}
	if cycle := cyclic(graph); len(cycle) > 0 {
		return fail(nil, "Template format error: Circular dependency between conditions: %s", bracket(cycle))
	}
	return nil
}

// conditionNames lists the conditions an expression of the Conditions section names.
func conditionNames(n *Node) []string {
	var out []string
	if n.Kind == Map && len(n.Entries) == 1 && n.Entries[0].Key == "Condition" && n.Entries[0].Value.Kind == String {
		return []string{n.Entries[0].Value.Text}
	}
	if name, arg, ok := n.call(); ok && name == "Fn::If" && arg.Kind == List && len(arg.Items) > 0 {
		out = append(out, literal(arg.Items[0]))
	}
	for _, item := range n.Items {
		out = append(out, conditionNames(item)...)
	}
	for _, e := range n.Entries {
		out = append(out, conditionNames(e.Value)...)
	}
	return out
}

func (t *Template) checkRules() error {
	for _, r := range t.Rules {
		nodes := []*Node{r.Condition}
		for _, a := range r.Assertions {
			nodes = append(nodes, a.Assert)
		}
		for _, n := range nodes {
			if err := t.checkCalls(n, ruleFunctions); err != nil {
				return err
			}
			missing, err := t.onlyParameters(n)
			if err != nil {
				return err
			}
			if len(missing) > 0 {
				slices.Sort(missing)
				return fail(n, "Template format error: Unresolved dependencies %s. Cannot reference resources in the Rules block of the template", bracket(slices.Compact(missing)))
			}
		}
	}
	return nil
}

var (
	// extensionFunctions need the transform AWS::LanguageExtensions.
	extensionFunctions = []string{"Fn::Length", "Fn::ToJsonString"}
	valueFunctions     = []string{
		"Ref", "Fn::Base64", "Fn::Cidr", "Fn::FindInMap", "Fn::GetAtt", "Fn::GetAZs", "Fn::If", "Fn::ImportValue", "Fn::Join", "Fn::Length",
		"Fn::Select", "Fn::Split", "Fn::Sub", "Fn::ToJsonString",
	}
	boolFunctions      = []string{"Fn::And", "Fn::Equals", "Fn::Not", "Fn::Or"}
	conditionFunctions = slices.Concat(boolFunctions, []string{"Ref", "Fn::FindInMap", "Fn::If", "Fn::Join", "Fn::Select", "Fn::Split", "Fn::Sub", "Fn::Length"})
	ruleFunctions      = slices.Concat(conditionFunctions, []string{
		"Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn", "Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll",
	})
)

// supported is the list in the text CloudFormation gives for a function it does not know.
const supported = "Fn::Base64, Fn::GetAtt, Fn::GetAZs, Fn::ImportValue, Fn::Join, Fn::Split, Fn::FindInMap, Fn::Select, Ref, Fn::Equals, Fn::If, Fn::Not, " +
	"Condition, Fn::And, Fn::Or, Fn::Contains, Fn::EachMemberEquals, Fn::EachMemberIn, Fn::ValueOf, Fn::ValueOfAll, Fn::RefAll, Fn::Sub, Fn::Cidr"

// checkCalls checks that every function below n is allowed there and has arguments of the right shape.
func (t *Template) checkCalls(n *Node, allowed []string) error {
	if n == nil {
		return nil
	}
	if name, arg, ok := n.call(); ok {
		if name == "Fn::Transform" {
			return fail(n, "No transform named %s found.", transformName(arg)) // those there are have been expanded
		}
		if !slices.Contains(allowed, name) || (!t.extended && slices.Contains(extensionFunctions, name)) {
			return fail(n, "Template Error: Encountered unsupported function: %s Supported functions are: [%s]", name, supported)
		}
		if err := t.checkShape(name, arg); err != nil {
			return err
		}
	} else if n.Kind == Map {
		for _, e := range n.Entries {
			if strings.HasPrefix(e.Key, "Fn::") {
				return fail(n, "Template Error: Encountered unsupported function: %s Supported functions are: [%s]", e.Key, supported)
			}
		}
	}
	for _, item := range n.Items {
		if err := t.checkCalls(item, allowed); err != nil {
			return err
		}
	}
	for _, e := range n.Entries {
		if err := t.checkCalls(e.Value, allowed); err != nil {
			return err
		}
	}
	return nil
}

func transformName(arg *Node) string {
	if name := arg.Get("Name"); name != nil {
		return name.Text
	}
	return arg.Text
}
