package template

// Texts CloudFormation gives for arguments of the wrong shape.
const (
	joinShape = "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or " +
		"a function that returns a list of strings (such as Fn::GetAZs) to be joined."
	splitShape = "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or " +
		"a function that returns a string to be split."
	selectShape = "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"
	findShape   = "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value"
	ifFirst     = "Template error: Fn::If requires a list argument with the first element being a condition"
	ifThree     = "Template error: Fn::If requires a list argument with three elements"
	equalsShape = "Template error: Fn::Equals requires a list argument with two elements"
	andShape    = "Template error: every Fn::And object requires a list of at least 2 and at most 10 boolean parameters."
	orShape     = "Template error: every Fn::Or object requires a list of at least 2 and at most 10 boolean parameters."
	notShape    = "Template error: Fn::Not requires a list argument with one function token"
	cidrShape   = "Template error: Fn::Cidr requires a list argument with two or three elements: an address block, a count and a number of bits"
	base64Shape = "Template error: every Fn::Base64 object must have a String-typed value."
	importShape = "Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, or Fn::GetAZs"
	azsShape    = "Template error: every Fn::GetAZs object requires a string-typed value, the name of a region"
)

// checkShape checks the arguments of one function as far as they are literal.
func (t *Template) checkShape(name string, arg *Node) error {
	items := -1
	if arg.Kind == List {
		items = len(arg.Items)
	}
	wrong := func(bad bool, text string) error {
		if bad {
			return fail(arg, "%s", text)
		}
		return nil
	}
	switch name {
	case "Ref":
		return wrong(arg.Kind != String, "Template error: All References must be of type string")
	case "Fn::Join":
		return wrong(items != 2 || arg.Items[0].Kind != String || (arg.Items[1].Kind != List && !isCall(arg.Items[1])), joinShape)
	case "Fn::Split":
		return wrong(items != 2 || arg.Items[0].Kind != String || (!arg.Items[1].scalar() && !isCall(arg.Items[1])), splitShape)
	case "Fn::Select":
		return wrong(items != 2 || (arg.Items[1].Kind != List && !isCall(arg.Items[1])), selectShape)
	case "Fn::FindInMap":
		return t.checkFind(arg)
	case "Fn::If":
		return t.checkIf(arg)
	case "Fn::Equals":
		return wrong(items != 2, equalsShape)
	case "Fn::And":
		return wrong(items < 2 || items > 10, andShape)
	case "Fn::Or":
		return wrong(items < 2 || items > 10, orShape)
	case "Fn::Not":
		return wrong(items != 1 || arg.Items[0].Kind != Map, notShape)
	case "Fn::Cidr":
		return wrong(items != 2 && items != 3, cidrShape)
	case "Fn::Base64":
		return wrong(!arg.scalar() && !isCall(arg), base64Shape)
	case "Fn::GetAZs":
		return wrong(arg.Kind != String && !isCall(arg), azsShape)
	case "Fn::ImportValue":
		return t.checkImport(arg)
	case "Fn::Sub":
		_, _, err := subParts(arg)
		return err
	case "Fn::GetAtt":
		_, _, err := getAttParts(arg)
		return err
	default:
		return nil
	}
}

func isCall(n *Node) bool {
	_, _, ok := n.call()
	return ok
}

func (t *Template) checkIf(arg *Node) error {
	switch {
	case arg.Kind != List || len(arg.Items) < 1 || arg.Items[0].Kind != String:
		return fail(arg, ifFirst)
	case len(arg.Items) != 3:
		return fail(arg, ifThree)
	case t.conditions[arg.Items[0].Text] == nil:
		return fail(arg, "Template error: unresolved condition dependency %s in Fn::If", arg.Items[0].Text)
	}
	return nil
}

func (t *Template) checkFind(arg *Node) error {
	if arg.Kind != List || len(arg.Items) < 3 || len(arg.Items) > 4 {
		return fail(arg, findShape)
	}
	if len(arg.Items) == 4 && (!t.extended || arg.Items[3].Get("DefaultValue") == nil) {
		return fail(arg, findShape)
	}
	if name := literal(arg.Items[0]); name != "" && t.mappings.Get(name) == nil && len(arg.Items) == 3 {
		return fail(arg, "Template error: Mapping named '%s' is not present in the 'Mappings' section of template.", name)
	}
	return nil
}

// checkImport: the imported name may be computed from parameters only.
func (t *Template) checkImport(arg *Node) error {
	if !arg.scalar() && !isCall(arg) {
		return fail(arg, importShape)
	}
	return references(arg, nil, func(r Reference) error {
		if t.byID[r.Name] != nil {
			return fail(arg, importShape)
		}
		return nil
	})
}
