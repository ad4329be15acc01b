package s3

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/kernel/awsapi/checksum"
)

// S3's inputs and outputs share many members, which the generated types repeat.
// These functions move them by name.

// fill sets the fields of the struct to that are empty and that from has under
// the same name and type.
func fill(to, from any) {
	dst, src := reflect.ValueOf(to).Elem(), reflect.Indirect(reflect.ValueOf(from))
	for i := range dst.NumField() {
		f := src.FieldByName(dst.Type().Field(i).Name)
		if f.IsValid() && f.Type() == dst.Field(i).Type() && dst.Field(i).IsZero() {
			dst.Field(i).Set(f)
		}
	}
}

// setChecksum sets the member Checksum<algorithm> of an output, and
// ChecksumType where there is one.
func setChecksum(out any, c Checksum) {
	if c.Value == "" {
		return
	}
	v := reflect.ValueOf(out).Elem()
	if f := v.FieldByName("Checksum" + c.Algorithm); f.IsValid() {
		f.Set(reflect.ValueOf(&c.Value))
	}
	if f := v.FieldByName("ChecksumType"); f.IsValid() && c.Type != "" {
		f.SetString(c.Type)
	}
}

// givenChecksum is the checksum whose member in an input is set; the zero value
// when none is.
func givenChecksum(in any) (c Checksum, several bool) {
	v := reflect.Indirect(reflect.ValueOf(in))
	for _, name := range checksum.Names {
		if f := v.FieldByName("Checksum" + name); f.IsValid() && !f.IsNil() {
			if c.Algorithm != "" {
				return c, true
			}
			c = Checksum{Algorithm: name, Value: f.Elem().String()}
		}
	}
	return c, false
}

// member reads a member of an input that may not have it, as a string.
func member(in any, name string) string {
	f := reflect.Indirect(reflect.ValueOf(in)).FieldByName(name)
	if !f.IsValid() {
		return ""
	}
	if f.Kind() == reflect.Pointer {
		if f.IsNil() {
			return ""
		}
		f = f.Elem()
	}
	if f.Kind() != reflect.String {
		return ""
	}
	return f.String()
}

// has says whether a member is there and set.
func has(in any, name string) bool {
	f := reflect.Indirect(reflect.ValueOf(in)).FieldByName(name)
	return f.IsValid() && !f.IsZero()
}

func val[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// opt is a pointer to s, nil when it is empty.
func opt(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// memberTrue reads a boolean member by name.
func memberTrue(in any, name string) bool {
	f := reflect.Indirect(reflect.ValueOf(in)).FieldByName(name)
	b, _ := reflect.TypeAssert[*bool](f)
	return b != nil && *b
}

func lower(s string) string { return strings.ToLower(s) }
