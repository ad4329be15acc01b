package engine

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/kernel/store"
)

// Rows are kept as JSON: a field that does not come back as it was written is
// lost with the next restart. So every row type is filled in full, written
// and read back.
func TestEveryRowSurvivesARestart(t *testing.T) {
	for _, table := range tables() {
		t.Run(table.Name(), func(t *testing.T) {
			for _, loss := range losses(t, store.RowType(table)) {
				t.Error(loss)
			}
		})
	}
}

// The check itself: of two embedded fields of one name JSON writes neither.
func TestLossesAreSeen(t *testing.T) {
	type Place struct{ Region, Zone string }
	type Home struct{ Region string }
	type row struct {
		Place
		Items []struct {
			Kept string
			Lost string `json:"-"`
		}
		Double struct {
			Place
			Home
		}
	}
	var got []string
	for _, loss := range losses(t, reflect.TypeFor[row]()) {
		field, _, _ := strings.Cut(loss, ":")
		got = append(got, field)
	}
	want := []string{"row.Items", "row.Double.Place.Region", "row.Double.Home.Region"}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// losses names the fields of a row type that do not come back.
func losses(t *testing.T, row reflect.Type) []string {
	wrote, read := reflect.New(row), reflect.New(row)
	fill(t, wrote.Elem(), row.Name(), nil)
	doc, err := json.Marshal(wrote.Interface())
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(doc, read.Interface()); err != nil {
		t.Fatalf("%v\n%s", err, doc)
	}
	return differences(row.Name(), wrote.Elem(), read.Elem())
}

// fill gives every field a value that is not its zero value. Types that hold
// themselves are filled twice deep.
func fill(t *testing.T, v reflect.Value, path string, above []reflect.Type) {
	switch v.Addr().Interface().(type) {
	case *time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)))
		return
	case *netip.Addr:
		v.Set(reflect.ValueOf(netip.MustParseAddr("10.1.2.3")))
		return
	case *netip.Prefix:
		v.Set(reflect.ValueOf(netip.MustParsePrefix("10.1.2.0/24")))
		return
	case *json.RawMessage:
		v.SetBytes([]byte(`{"a":["b"]}`))
		return
	}
	seen := 0
	for _, ty := range above {
		if ty == v.Type() {
			seen++
		}
	}
	if seen > 1 {
		return
	}
	above = append(above[:len(above):len(above)], v.Type())
	switch v.Kind() {
	case reflect.String:
		v.SetString("text of " + path)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(len(path)))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(len(path)))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), path, above)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0), path+"[0]", above)
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i), fmt.Sprintf("%s[%d]", path, i), above)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key, path+" key", above)
		fill(t, value, path+" value", above)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Interface:
		if v.NumMethod() > 0 {
			t.Fatalf("%s is an interface: it cannot be read back", path)
		}
		v.Set(reflect.ValueOf(map[string]any{"text": "of " + path, "list": []any{true, 0.5}}))
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				t.Fatalf("%s.%s is not exported: it is not written", path, f.Name)
			}
			fill(t, v.Field(i), path+"."+f.Name, above)
		}
	default:
		t.Fatalf("%s is a %s: it cannot be a part of a row", path, v.Type())
	}
}

// differences names the fields that did not come back.
func differences(path string, want, got reflect.Value) (found []string) {
	if want.Kind() == reflect.Pointer && !want.IsNil() && !got.IsNil() {
		want, got = want.Elem(), got.Elem()
	}
	if want.Kind() != reflect.Struct || want.Type() == reflect.TypeFor[time.Time]() {
		if !reflect.DeepEqual(want.Interface(), got.Interface()) {
			found = append(found, fmt.Sprintf("%s: wrote %v, read %v", path, want, got))
		}
		return found
	}
	for i := range want.NumField() {
		found = append(found, differences(path+"."+want.Type().Field(i).Name, want.Field(i), got.Field(i))...)
	}
	return found
}
