package model

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Members are the members of a structure in the model's order, which is the
// order of elements in XML responses.
type Members []*Ref

// member is the pruned form of one member: the reference with its name inside,
// which parses in one pass where botocore's object needs two.
type member struct {
	Name string `json:"name"`
	Ref
}

// MarshalJSON writes the pruned form, an array.
func (m Members) MarshalJSON() ([]byte, error) {
	list := make([]member, len(m))
	for i, r := range m {
		list[i] = member{Name: r.Name, Ref: *r}
	}
	return json.Marshal(list)
}

// UnmarshalJSON reads the pruned form, an array, or botocore's, an object.
func (m *Members) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return m.unmarshalObject(data)
	}
	var list []member
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	*m = make(Members, len(list))
	for i := range list {
		(*m)[i] = &list[i].Ref
		(*m)[i].Name = list[i].Name
	}
	return nil
}

func (m *Members) unmarshalObject(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok {
			return fmt.Errorf("member name is %v", t)
		}
		r := &Ref{Name: name}
		if err := d.Decode(r); err != nil {
			return fmt.Errorf("member %s: %w", name, err)
		}
		r.Name = name
		*m = append(*m, r)
	}
	return nil
}

// Get finds a member by name; nil when there is none.
func (m Members) Get(name string) *Ref {
	for _, r := range m {
		if r.Name == name {
			return r
		}
	}
	return nil
}

func (m Members) refs() []*Ref { return append(make([]*Ref, 0, len(m)+3), m...) }
