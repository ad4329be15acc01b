package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/model"
)

// exported makes a Go identifier of a shape or member name. Package codec of
// kernel/awsapi finds fields by the same rule.
func exported(s string) string {
	s = strings.NewReplacer("-", "", ".", "", "_", "", ":", "").Replace(s)
	return strings.ToUpper(s[:1]) + s[1:]
}

// nameShapes gives every shape its Go name: inputs and outputs are named by
// their operation, the others by themselves.
func nameShapes(m *model.Service) map[string]string {
	names, taken := map[string]string{}, map[string]bool{}
	uses := map[string]int{}
	for _, op := range m.Operations {
		for _, r := range []*model.Ref{op.Input, op.Output} {
			if r != nil {
				uses[r.ShapeName]++
			}
		}
		taken[op.Name+"Input"], taken[op.Name+"Output"] = true, true
	}
	nested := nestedShapes(m)
	for _, opName := range m.OperationNames() {
		op := m.Operations[opName]
		for r, suffix := range map[*model.Ref]string{op.Input: "Input", op.Output: "Output"} {
			if r != nil && uses[r.ShapeName] == 1 && !nested[r.ShapeName] {
				names[r.ShapeName] = opName + suffix
			}
		}
	}
	for _, shape := range slices.Sorted(maps.Keys(m.Shapes)) {
		if names[shape] != "" {
			continue
		}
		name := exported(shape)
		for taken[name] {
			name += "Shape"
		}
		taken[name], names[shape] = true, name
	}
	return names
}

// nestedShapes are those used inside other shapes.
func nestedShapes(m *model.Service) map[string]bool {
	nested := map[string]bool{}
	for _, s := range m.Shapes {
		for _, r := range append(slices.Clone(s.Members), s.Member, s.Key, s.Value) {
			if r != nil {
				nested[r.ShapeName] = true
			}
		}
	}
	return nested
}

// constant names one value of an enumeration: LaunchType and "FARGATE_SPOT"
// give LaunchTypeFargateSpot.
func constant(typeName, value string) string {
	words := strings.FieldsFunc(value, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	})
	var b strings.Builder
	b.WriteString(typeName)
	for _, w := range words {
		if strings.ToUpper(w) == w {
			w = strings.ToLower(w)
		}
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return b.String()
}
