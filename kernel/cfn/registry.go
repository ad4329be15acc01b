package cfn

import (
	"encoding/json"
	"reflect"
)

// Schema is a resource type in the terms of AWS's resource type schema (CloudFormation CLI user guide, "Resource type schema"): what this engine takes,
// which may be fewer properties than AWS has.
type Schema struct {
	TypeName             string              `json:"typeName"`
	Description          string              `json:"description"`
	Properties           map[string]Property `json:"properties"`
	AdditionalProperties bool                `json:"additionalProperties"`
	Required             []string            `json:"required,omitempty"`
	// The rest are JSON pointers, "/properties/Name".
	CreateOnly        []string `json:"createOnlyProperties,omitempty"`
	ReadOnly          []string `json:"readOnlyProperties,omitempty"`
	WriteOnly         []string `json:"writeOnlyProperties,omitempty"`
	PrimaryIdentifier []string `json:"primaryIdentifier"`
	Tagging           Tagging  `json:"tagging"`
}

// Property is the JSON schema of a value.
type Property struct {
	Type       string              `json:"type,omitempty"` // "" takes any value
	Items      *Property           `json:"items,omitempty"`
	Properties map[string]Property `json:"properties,omitempty"`
	Required   []string            `json:"required,omitempty"`
	// Additional says what the keys of a map hold; false that there are none but Properties.
	Additional any `json:"additionalProperties,omitempty"`
}

// Tagging says whether a type takes tags.
type Tagging struct {
	Taggable bool `json:"taggable"`
}

// Schema describes the type. Names in it are in the order of the struct's fields.
func (t Type) Schema() Schema {
	s := Schema{
		TypeName: t.name, Description: "Resource Type definition for " + t.name, Properties: map[string]Property{}, Tagging: Tagging{Taggable: t.Taggable()},
		PrimaryIdentifier: []string{address(t.schema.id)}, AdditionalProperties: t.schema.rest != nil,
	}
	for _, f := range t.schema.fields {
		if f.kept || f.open {
			continue
		}
		s.Properties[f.name] = propertyOf(f.typ, nil)
		if f.required {
			s.Required = append(s.Required, f.name)
		}
		switch {
		case f.readOnly:
			s.ReadOnly = append(s.ReadOnly, address(f))
		case f.create, !t.Updatable():
			s.CreateOnly = append(s.CreateOnly, address(f))
		}
		if f.writeOnly {
			s.WriteOnly = append(s.WriteOnly, address(f))
		}
	}
	return s
}

// Mutable reports whether some property can be changed without a new resource.
func (t Type) Mutable() bool {
	for _, f := range t.schema.fields {
		if t.Updatable() && f.writable() && !f.create {
			return true
		}
	}
	return false
}

func address(f *field) string { return "/properties/" + f.name }

func propertyOf(t reflect.Type, seen []reflect.Type) Property {
	switch t.Kind() {
	case reflect.Pointer:
		return propertyOf(t.Elem(), seen)
	case reflect.Slice:
		if t == reflect.TypeFor[json.RawMessage]() {
			return Property{}
		}
		items := propertyOf(t.Elem(), seen)
		return Property{Type: "array", Items: &items}
	case reflect.Map:
		return Property{Type: "object", Additional: propertyOf(t.Elem(), seen)}
	case reflect.Struct:
		return objectOf(t, seen)
	case reflect.Interface:
		return Property{}
	case reflect.String:
		return Property{Type: "string"}
	case reflect.Bool:
		return Property{Type: "boolean"}
	case reflect.Float32, reflect.Float64:
		return Property{Type: "number"}
	default:
		return Property{Type: "integer"}
	}
}

// objectOf is the schema of a nested struct; one within itself is just an object there.
func objectOf(t reflect.Type, seen []reflect.Type) Property {
	for _, s := range seen {
		if s == t {
			return Property{Type: "object"}
		}
	}
	p := Property{Type: "object", Properties: map[string]Property{}, Additional: false}
	s, err := fieldsOf(t, nil)
	if err != nil {
		return Property{Type: "object"}
	}
	for _, f := range s.fields {
		p.Properties[f.name] = propertyOf(f.typ, append(seen[:len(seen):len(seen)], t))
		if f.required {
			p.Required = append(p.Required, f.name)
		}
	}
	return p
}
