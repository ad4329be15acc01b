package template

// CheckAttributes asks known for every Fn::GetAtt, and ${A.B} in Fn::Sub, whose attribute is written out, with the type of the resource named.
func (t *Template) CheckAttributes(known func(logicalID, resourceType, attribute string) error) error {
	visit := func(r Reference) error {
		if res := t.byID[r.Name]; res != nil && r.GetAtt && r.Attribute != "" {
			return known(r.Name, res.Type, r.Attribute)
		}
		return nil
	}
	for _, r := range t.Resources {
		if err := references(r.Properties, nil, visit); err != nil {
			return err
		}
	}
	for _, o := range t.Outputs {
		if err := references(o.Value, nil, visit); err != nil {
			return err
		}
	}
	return nil
}

// ParameterIn is the first parameter that the active part of a value names, or "".
func (b *Bound) ParameterIn(n *Node) string {
	found := ""
	_ = references(n, b.Holds, func(r Reference) error { // shapes were checked by Parse
		if found == "" && b.parameters[r.Name] != nil {
			found = r.Name
		}
		return nil
	})
	return found
}
