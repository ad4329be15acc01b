package manifest

import (
	_ "embed"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

//go:generate go test -run TestSchemaIsInSync -update .

//go:embed schema.json
var schema []byte

// SchemaURL is where the schema is published, for the first line of manifests outside this repository.
const SchemaURL = "https://raw.githubusercontent.com/slipway-dev/slipway/main/manifest/schema.json"

// Schema is the JSON Schema (draft 2020-12) of the manifest, for editors: completion, descriptions, errors while typing. It is made from the
// same struct tags that the parser follows; what only the parser can see (references between services, Fargate's sizes) it leaves open.
func Schema() []byte { return slices.Clone(schema) }

// object is one JSON object of the schema; encoding/json sorts its keys.
type object = map[string]any

func generateSchema() []byte {
	root := schemaOf(reflect.TypeFor[Manifest](), "")
	maps.Copy(root, object{"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SchemaURL, "title": "Slipway manifest"})
	data, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // texts, numbers and maps only
	}
	return append(data, '\n')
}

func schemaOf(t reflect.Type, tag reflect.StructTag) object {
	out := object{}
	switch {
	case t == durationType:
		out = object{"type": "string", "pattern": "^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$"}
	case t.Kind() == reflect.Struct:
		out = structSchema(t)
	case t.Kind() == reflect.Map:
		out = object{"type": "object", "additionalProperties": object{"type": []string{"string", "number", "boolean"}}}
		if tag.Get("envnames") != "" {
			out["propertyNames"] = object{"pattern": envName.String()}
		}
	case tag.Get("keyed") != "":
		out = object{
			"type": "object", "minProperties": 1, "additionalProperties": false,
			"patternProperties": object{"^(" + tag.Get("keyed") + ")$": schemaOf(t.Elem(), "")},
		}
	case t.Kind() == reflect.Slice:
		out = object{"type": "array", "items": schemaOf(t.Elem(), reflect.StructTag(`enum:"`+tag.Get("items")+`"`))}
	case t.Kind() == reflect.Int:
		out["type"] = "integer"
	case t.Kind() == reflect.Bool:
		out["type"] = "boolean"
	case tag.Get("number") != "":
		out["type"] = []string{"string", "integer"}
	default:
		out["type"] = "string"
	}
	annotate(out, t, tag)
	return out
}

// annotate adds what the tag says: bounds, choices, default, description.
func annotate(out object, t reflect.Type, tag reflect.StructTag) {
	value := func(text string) any {
		switch {
		case t.Kind() == reflect.Int:
			i, _ := strconv.Atoi(text)
			return i
		case t.Kind() == reflect.Bool:
			return text == "true"
		case t.Kind() == reflect.Slice:
			return strings.Split(text, "|")
		}
		return text
	}
	if t == durationType {
		value = func(text string) any { return text }
	}
	if low, ok := limit(tag, "min"); ok {
		out["minimum"] = low
	}
	if high, ok := limit(tag, "max"); ok {
		out["maximum"] = high
	}
	if choices := enum(tag); choices != nil {
		var list []any
		for _, c := range choices {
			list = append(list, value(c))
		}
		out["enum"] = list
	}
	if text := tag.Get("default"); text != "" {
		out["default"] = value(text)
	}
	if text := tag.Get("example"); text != "" {
		out["examples"] = []any{value(text)}
	}
	if text := tag.Get("pattern"); text != "" {
		out["pattern"] = "^(" + text + ")$"
	}
	if text := tag.Get("doc"); text != "" {
		out["description"] = text
	}
}

func structSchema(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, f := range fieldsOf(t) {
		properties[f.name] = schemaOf(f.typ, f.tag)
		if f.tag.Get("required") != "" {
			required = append(required, f.name)
		}
	}
	out := object{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	if t == reflect.TypeFor[Service]() {
		out["oneOf"] = []any{object{"required": []string{"build"}}, object{"required": []string{"dockerfile"}}, object{"required": []string{"image"}}}
	}
	return out
}
