package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds the values that are read, so that aliases of aliases cannot multiply.
const maxNodes = 20_000

// decoder walks a YAML tree and a Go type together, sets defaults, and collects errors instead of stopping at the first.
type decoder struct {
	manifest *Manifest
	file     string
	lines    []string
	data     []byte
	at       map[string]Position
	errs     Errors
	nodes    int
	broken   []string // paths of what could not be read: checks that look at it would only repeat it
}

func newDecoder(file string, data []byte) *decoder {
	return &decoder{file: file, data: data, lines: strings.Split(string(data), "\n"), at: map[string]Position{}}
}

// document reads the one document of the file into m.
func (d *decoder) document(m *Manifest) {
	root := reflect.ValueOf(m).Elem()
	d.manifest = m
	setDefaults(root)
	if len(d.data) > MaxBytes {
		d.errorf(Position{}, "", "%d bytes; at most %d are read", len(d.data), MaxBytes)
		return
	}
	in := yaml.NewDecoder(bytes.NewReader(d.data))
	var doc yaml.Node
	switch err := in.Decode(&doc); {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0:
		d.errorf(Position{1, 1}, "", "the manifest is empty; it needs version, name and services (slipway init writes one)")
		return
	case err != nil:
		d.syntax(err)
		return
	}
	var second yaml.Node
	if err := in.Decode(&second); err == nil {
		d.errorf(position(&second), "", "a second document begins here; a manifest is one document")
	} else if !errors.Is(err, io.EOF) {
		d.syntax(err)
		return
	}
	d.value(doc.Content[0], root, "", "")
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

// syntax reports an error of the YAML parser, whose messages name a line but no column.
func (d *decoder) syntax(err error) {
	message, at := strings.TrimPrefix(err.Error(), "yaml: "), Position{1, 1}
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		at.Line, _ = strconv.Atoi(m[1])
		message = strings.Replace(message, m[0], "", 1)
		if source := d.source(at.Line); source != "" {
			at.Column = 1 + len(source) - len(strings.TrimLeft(source, " \t"))
		}
	}
	d.errorf(at, "", "not valid YAML: %s", message)
}

// value reads one node into v, following the rules in tag.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	if d.nodes++; d.nodes > maxNodes {
		if d.nodes == maxNodes+1 {
			d.errorf(position(n), path, "more than %d values (aliases count each time)", maxNodes)
		}
		return
	}
	at := position(n)
	for depth := 0; n.Kind == yaml.AliasNode; depth++ {
		if n = n.Alias; n == nil || depth > 8 {
			d.errorf(at, path, "the alias refers to itself")
			return
		}
	}
	d.at[path] = at
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		d.errorf(at, path, "has no value; want %s (or leave the key out)", describe(v.Type(), tag))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.object(n, v, path)
	case reflect.Map:
		d.table(n, v, path, tag)
	case reflect.Slice:
		if tag.Get("keyed") != "" {
			d.keyed(n, v, path, tag)
			return
		}
		d.list(n, v, path, tag)
	default:
		d.scalar(n, v, path, tag, at)
	}
}

// entries iterates over a mapping's keys, having refused what is no mapping, repeated keys and merge keys.
func (d *decoder) entries(n *yaml.Node, path string, each func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.errorf(position(n), path, "want a mapping (key: value lines), this is %s", kind(n))
		return
	}
	seen := map[string]Position{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		for depth := 0; key.Kind == yaml.AliasNode && key.Alias != nil && depth < 8; depth++ {
			key = key.Alias
		}
		at := position(n.Content[i])
		switch first, again := seen[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			d.errorf(at, path, "a key must be a word, this is %s", kind(key))
		case key.ShortTag() == "!!merge":
			d.errorf(at, path, "merge keys are not read; put shared settings of services under defaults")
		case again:
			d.errorf(at, join(path, key.Value), "given twice, first on line %d", first.Line)
		default:
			seen[key.Value] = at
			each(n.Content[i], n.Content[i+1])
		}
	}
}

func (d *decoder) object(n *yaml.Node, v reflect.Value, path string) {
	fields := fieldsOf(v.Type())
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	given := map[string]*yaml.Node{}
	d.entries(n, path, func(key, value *yaml.Node) {
		if slices.Contains(names, key.Value) {
			given[key.Value] = value
			return
		}
		d.errorf(position(key), join(path, key.Value), "unknown key%s; allowed here: %s", suggest(key.Value, names), strings.Join(names, ", "))
	})
	for _, f := range fields { // in the order of the type: defaults are read before the services that start from them
		if value := given[f.name]; value != nil {
			d.value(value, v.FieldByIndex(f.index), join(path, f.name), f.tag)
		} else if f.tag.Get("required") != "" && n.Kind == yaml.MappingNode {
			d.errorf(position(n), join(path, f.name), "is missing. %s", f.tag.Get("doc"))
		}
	}
}

// table reads a map of strings; scalars of any kind count as the text that is written.
func (d *decoder) table(n *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	out := map[string]string{}
	for k, s := range v.Seq2() { // on top of the defaults, which must stay as they are
		out[k.String()] = s.String()
	}
	d.entries(n, path, func(key, value *yaml.Node) {
		at := join(path, key.Value)
		for depth := 0; value.Kind == yaml.AliasNode && value.Alias != nil && depth < 8; depth++ {
			value = value.Alias
		}
		d.at[at] = position(value)
		switch {
		case value.Kind != yaml.ScalarNode || value.ShortTag() == "!!null":
			d.errorf(position(value), at, "want a text, this is %s; \"\" is the empty one", kind(value))
		case tag.Get("envnames") != "" && !envName.MatchString(key.Value):
			d.errorf(position(key), at, "no name of an environment variable: letters, digits and _ only, no digit first")
		default:
			out[key.Value] = value.Value
		}
	})
	v.Set(reflect.ValueOf(out))
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	if n.Kind != yaml.SequenceNode {
		d.errorf(position(n), path, "want a list, as in [a, b], this is %s", kind(n))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	item := reflect.StructTag(`enum:"` + tag.Get("items") + `"`)
	for i, c := range n.Content {
		d.value(c, out.Index(i), fmt.Sprintf("%s[%d]", path, i), item)
	}
	v.Set(out)
}

// keyed reads a mapping into a slice of structs in the order of the file; each struct's key field gets the key.
func (d *decoder) keyed(n *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	want := regexp.MustCompile("^(" + tag.Get("keyed") + ")$")
	out := reflect.MakeSlice(v.Type(), 0, len(n.Content)/2)
	d.entries(n, path, func(key, value *yaml.Node) {
		at := join(path, key.Value)
		if !want.MatchString(key.Value) {
			d.errorf(position(key), at, "no name of a service: up to 20 small letters, digits and dashes, a letter first")
			return
		}
		one := reflect.New(v.Type().Elem()).Elem()
		setDefaults(one)
		one.FieldByName("Settings").Set(reflect.ValueOf(d.manifest.Defaults))
		one.FieldByName("Name").SetString(key.Value)
		d.value(value, one, at, "")
		d.at[at] = position(key)
		out = reflect.Append(out, one)
	})
	v.Set(out)
}

func position(n *yaml.Node) Position { return Position{n.Line, n.Column} }

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
