package codec

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
)

// Bind fills dst, a pointer to the plan's struct, from a tree that one of the
// parsers made. Members that the model does not know are ignored, as AWS does.
// It does not validate; see Validate.
func Bind(p *Plan, proto Protocol, tree, dst any) error {
	if tree == nil {
		return nil
	}
	return bind(p, proto, tree, reflect.ValueOf(dst).Elem())
}

// BindValue is Bind for one value of any kind, such as a payload member.
func BindValue(p *Plan, proto Protocol, tree any, dst reflect.Value) error {
	if tree == nil {
		return nil
	}
	return bind(p, proto, tree, dst)
}

func bind(p *Plan, proto Protocol, node any, v reflect.Value) error {
	switch p.Kind {
	case Struct:
		return bindStruct(p, proto, node, settle(v))
	case List:
		return bindList(p, proto, node, v)
	case Map:
		return bindMap(p, proto, node, v)
	case Document:
		v.Set(reflect.ValueOf(node))
		return nil
	case Stream:
		return nil
	}
	return bindScalar(p, node, settle(v))
}

// settle allocates what a nil pointer shall point at.
func settle(v reflect.Value) reflect.Value {
	if v.Kind() != reflect.Pointer {
		return v
	}
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
	}
	return v.Elem()
}

func bindStruct(p *Plan, proto Protocol, node any, v reflect.Value) error {
	var member func(f *Field) any
	switch n := node.(type) {
	case map[string]any:
		member = func(f *Field) any { return n[f.wire[proto]] }
	case *Element:
		member = func(f *Field) any { return n.member(f) }
	case string: // an empty structure in a form or in XML
		if n != "" || proto == JSON || proto == CBOR {
			return mismatch(p, node)
		}
		return nil
	default:
		return mismatch(p, node)
	}
	for i := range p.Fields {
		f := &p.Fields[i]
		if !f.InBody() {
			continue
		}
		child := member(f)
		if child == nil {
			continue
		}
		if err := bind(f.Plan, proto, child, f.Value(v)); err != nil {
			return under(err, f.Ref.Name)
		}
	}
	return nil
}

func bindList(p *Plan, proto Protocol, node any, v reflect.Value) error {
	items, err := listItems(p, proto, node)
	if err != nil {
		return err
	}
	out := reflect.MakeSlice(v.Type(), 0, len(items))
	out = out.Slice(0, len(items))
	n := 0
	for i, item := range items {
		if item == nil {
			continue // null in a list that does not allow it: dropped, as AWS does
		}
		if err := bind(p.Elem, proto, item, out.Index(n)); err != nil {
			return under(err, strconv.Itoa(i+1))
		}
		n++
	}
	v.Set(out.Slice(0, n))
	return nil
}

// listItems takes the elements of a list out of whatever form they have.
func listItems(p *Plan, proto Protocol, node any) ([]any, error) {
	switch n := node.(type) {
	case []any:
		return n, nil
	case elements:
		return n.items(), nil
	case *Element:
		return n.list(p), nil
	case map[string]any:
		if proto == Query || proto == EC2 {
			return formItems(p, proto, n)
		}
	case string: // "Tags=" is an empty list
		if n == "" && (proto == Query || proto == EC2) {
			return nil, nil
		}
		if proto == XML { // a header that lists values
			return []any{n}, nil
		}
	}
	return nil, mismatch(p, node)
}

func bindMap(p *Plan, proto Protocol, node any, v reflect.Value) error {
	var entries map[string]any
	switch n := node.(type) {
	case map[string]any:
		entries = n
		if proto == Query || proto == EC2 {
			var err error
			if entries, err = formEntries(p, n); err != nil {
				return err
			}
		}
	case *Element:
		entries = n.entries(p)
	case elements:
		entries = n.entries(p)
	case string:
		if n != "" || proto == JSON || proto == CBOR {
			return mismatch(p, node)
		}
	default:
		return mismatch(p, node)
	}
	out := reflect.MakeMapWithSize(v.Type(), len(entries))
	for k, child := range entries {
		if child == nil {
			continue
		}
		e := reflect.New(v.Type().Elem()).Elem()
		if err := bind(p.Elem, proto, child, e); err != nil {
			return under(err, k)
		}
		out.SetMapIndex(reflect.ValueOf(k).Convert(v.Type().Key()), e)
	}
	v.Set(out)
	return nil
}

// under puts a member's name before the path of an error from below.
func under(err error, name string) error {
	e, ok := errors.AsType[*DecodeError](err)
	if !ok {
		return err
	}
	if e.Path != "" {
		name += "." + e.Path
	}
	return &DecodeError{Path: name, Message: e.Message}
}

// mismatch words a value of the wrong type the way AWS's JSON services do.
func mismatch(p *Plan, node any) error {
	want := map[Kind]string{
		String: "a String", Int: "an Integer", Float: "a Double", Bool: "a Boolean",
		Blob: "a Blob", Time: "a Timestamp", Struct: "a Structure", List: "a List", Map: "a Map",
	}[p.Kind]
	switch node.(type) {
	case map[string]any, *Element:
		return &DecodeError{Message: "Start of structure or map found where not expected"}
	case []any:
		return &DecodeError{Message: "Start of list found where not expected"}
	}
	return &DecodeError{Message: fmt.Sprintf("%s can not be converted to %s", tokenName(node), want)}
}
