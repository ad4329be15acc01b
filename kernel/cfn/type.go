package cfn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// Type is a resource type whose property struct is erased: what the stack engine works with. Properties go in as decoded JSON with every intrinsic
// function resolved; state comes out as an Instance.
type Type struct {
	name    string
	schema  *schema
	handler handler
}

// Instance is a resource that exists: its physical id and its P as JSON.
type Instance struct {
	ID    string
	State json.RawMessage
}

// handler is a Resource[P] with *P hidden in an any.
type handler interface {
	fresh() any
	create(ctx context.Context, p any) error
	read(ctx context.Context, p any) error
	remove(ctx context.Context, p any) error
	update(ctx context.Context, before, after any) error
	settled(ctx context.Context, p any) (bool, error)
	remains(ctx context.Context, p any) (bool, error)
	updatable() bool
	intangible() bool
}

// Of describes the resource type typeName ("AWS::Logs::LogGroup") handled by r. It panics when P's tags are wrong: a programming error.
func Of[P any](typeName string, r Resource[P]) Type {
	s, err := schemaOf(reflect.TypeFor[P]())
	if err != nil {
		panic(fmt.Sprintf("cfn: resource type %s: %v", typeName, err))
	}
	return Type{name: typeName, schema: s, handler: erased[P]{r}}
}

// Name is the type's name, "AWS::Logs::LogGroup".
func (t Type) Name() string { return t.name }

// Updatable reports whether a change can be made in place.
func (t Type) Updatable() bool { return t.handler.updatable() }

// Taggable reports whether the type has a Tags property, which the stack's tags are propagated to.
func (t Type) Taggable() bool {
	f, ok := t.schema.byName["Tags"]
	return ok && !f.readOnly
}

// Create makes a resource. On failure the instance has an id if something was made that the caller must delete; a name that the
// template gave is not enough, since it may be somebody else's (see HalfMade).
func (t Type) Create(ctx context.Context, properties map[string]any) (Instance, error) {
	p := t.handler.fresh()
	if err := t.decode(properties, p); err != nil {
		return Instance{}, err
	}
	given, _ := t.instance(p)
	err := t.handler.create(ctx, p)
	in, encErr := t.instance(p)
	if half := (*halfMade)(nil); err != nil && in.ID == given.ID && !errors.As(err, &half) {
		in.ID = ""
	}
	if err == nil {
		err = encErr
	}
	if err == nil && in.ID == "" {
		err = fmt.Errorf("%s: creation gave no physical id", t.name)
	}
	return in, err
}

// Existing is an instance that was not made here, as far as its id and the properties that a template gives tell: what Read begins with.
func (t Type) Existing(id string, properties map[string]any) (Instance, error) {
	p := t.handler.fresh()
	if err := t.decode(properties, p); err != nil {
		return Instance{}, err
	}
	v := t.schema.id.value(reflect.ValueOf(p).Elem())
	if name := v.String(); t.schema.id.writable() && name != "" && name != id {
		return Instance{}, &PropertyError{Message: fmt.Sprintf("The identifier %s is not the %s of the template, %s", id, t.schema.id.name, name)}
	}
	v.SetString(id)
	return t.instance(p)
}

// Read refreshes an instance.
func (t Type) Read(ctx context.Context, in Instance) (Instance, error) {
	p, err := t.load(in)
	if err != nil {
		return in, err
	}
	if err := t.handler.read(ctx, p); err != nil {
		return in, err
	}
	return t.instance(p)
}

// Update changes an instance in place to the new properties. The type must be Updatable.
func (t Type) Update(ctx context.Context, in Instance, properties map[string]any) (Instance, error) {
	before, err := t.load(in)
	if err != nil {
		return in, err
	}
	after := t.handler.fresh()
	if err := t.decode(properties, after); err != nil {
		return in, err
	}
	t.schema.carryOver(reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem(), properties)
	if err := t.handler.update(ctx, before, after); err != nil {
		return in, err
	}
	return t.instance(after)
}

// Delete removes an instance; one that is gone already is no error.
func (t Type) Delete(ctx context.Context, in Instance) error {
	p, err := t.load(in)
	if err != nil {
		return err
	}
	return t.handler.remove(ctx, p)
}

// Settled reports whether the last Create or Update is complete, with the attributes known by now.
func (t Type) Settled(ctx context.Context, in Instance) (bool, Instance, error) {
	p, err := t.load(in)
	if err != nil {
		return false, in, err
	}
	done, err := t.handler.settled(ctx, p)
	if err != nil {
		return false, in, err
	}
	out, err := t.instance(p)
	return done, out, err
}

// Remains reports whether an instance that was deleted is still going away.
func (t Type) Remains(ctx context.Context, in Instance) (bool, error) {
	p, err := t.load(in)
	if err != nil {
		return false, err
	}
	return t.handler.remains(ctx, p)
}

func (t Type) load(in Instance) (any, error) {
	p := t.handler.fresh()
	if len(in.State) > 0 {
		if err := json.Unmarshal(in.State, p); err != nil {
			return nil, fmt.Errorf("%s: state of %s: %w", t.name, in.ID, err)
		}
	}
	t.schema.id.value(reflect.ValueOf(p).Elem()).SetString(in.ID)
	return p, nil
}

// instance is what is kept of p: everything but writeOnly fields.
func (t Type) instance(p any) (Instance, error) {
	kept := reflect.New(reflect.TypeOf(p).Elem())
	kept.Elem().Set(reflect.ValueOf(p).Elem())
	for _, f := range t.schema.fields {
		if f.writeOnly {
			f.value(kept.Elem()).SetZero()
		}
	}
	state, err := json.Marshal(kept.Interface())
	if err != nil {
		return Instance{}, fmt.Errorf("%s: state: %w", t.name, err)
	}
	return Instance{ID: t.schema.id.value(kept.Elem()).String(), State: state}, nil
}

type erased[P any] struct{ r Resource[P] }

func (e erased[P]) fresh() any { return new(P) }

func (e erased[P]) create(ctx context.Context, p any) error { return e.r.Create(ctx, p.(*P)) }

func (e erased[P]) read(ctx context.Context, p any) error { return e.r.Read(ctx, p.(*P)) }

func (e erased[P]) remove(ctx context.Context, p any) error { return e.r.Delete(ctx, p.(*P)) }

func (e erased[P]) updatable() bool {
	_, ok := e.r.(Updater[P])
	return ok
}

func (e erased[P]) intangible() bool {
	_, ok := e.r.(Intangible)
	return ok
}

func (e erased[P]) update(ctx context.Context, before, after any) error {
	u, ok := e.r.(Updater[P])
	if !ok {
		return fmt.Errorf("update of %T: not supported in place", before)
	}
	return u.Update(ctx, before.(*P), after.(*P))
}

func (e erased[P]) settled(ctx context.Context, p any) (bool, error) {
	s, ok := e.r.(Settler[P])
	if !ok {
		return true, nil
	}
	return s.Settled(ctx, p.(*P))
}

func (e erased[P]) remains(ctx context.Context, p any) (bool, error) {
	r, ok := e.r.(Remover[P])
	if !ok {
		return false, nil
	}
	return r.Remains(ctx, p.(*P))
}
