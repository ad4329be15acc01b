package cloudformation

import (
	"context"
	"strings"

	"github.com/slipway-dev/slipway/kernel/cfn"
)

// unowned holds a change set with ImportExistingResources, which the CDK's bootstrap always asks for, to what this engine can do: resources with names of
// their own that are not there yet are made; one that is there already would have to be imported, and is refused.
func (s *Service) unowned(ctx context.Context, changes []Change) error {
	var there []string
	for _, c := range changes {
		t, ok := s.types[c.Type]
		if c.Action != "Add" || c.Named == "" || !ok || t.Intangible() {
			continue
		}
		_, err := t.Read(ctx, cfn.Instance{ID: c.Named})
		switch {
		case err == nil:
			there = append(there, c.LogicalID+" ("+c.Named+")")
		case !gone(err):
			return err
		}
	}
	if len(there) > 0 {
		return invalid("Import of existing resources is not implemented by this engine. Delete these first, or leave out ImportExistingResources: [%s]", strings.Join(there, ", "))
	}
	return nil
}

// named is the name that a template gives a resource which is not there yet; empty when it gives none, or none that is known before it is made.
func (s *Service) named(typ string, props map[string]any) string {
	t := s.types[typ]
	if !t.CustomNamed(props) {
		return ""
	}
	name, _ := props[t.IDProperty()].(string)
	return name
}
