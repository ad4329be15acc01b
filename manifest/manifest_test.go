package manifest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"
)

func parse(t *testing.T, text string) *Manifest {
	t.Helper()
	m, err := Parse("slipway.yaml", []byte(text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestReferenceManifestSaysThePlatformInSixtyLines(t *testing.T) {
	data, err := os.ReadFile("../slipway.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(data, []byte("\n")); lines > 60 {
		t.Errorf("%d lines", lines)
	}
	m, err := Load("..", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if m.StackName() != "TapStackdev" || m.Name != "microservices" || len(m.Services) != 3 {
		t.Errorf("%s, %s, %d services", m.StackName(), m.Name, len(m.Services))
	}
	for i, want := range []struct {
		name string
		port int
	}{{"payment", 8080}, {"order", 8081}, {"notification", 8082}} {
		s := m.Services[i]
		paths := []string{"/" + want.name, "/" + want.name + "/*"}
		if s.Name != want.name || s.Port != want.port || s.Priority != 10+i || !slices.Equal(s.Paths, paths) || s.DNS != want.name {
			t.Errorf("service %d: %+v", i, s)
		}
		if s.CPU != 512 || s.Memory != 1024 || s.Desired != 2 || s.Min != 2 || s.Max != 10 || s.Grace != Duration(time.Minute) || !s.ReadOnlyRoot {
			t.Errorf("settings of %s: %+v", s.Name, s.Settings)
		}
	}
}

func TestServicesStartFromTheDefaultsWhereverTheyStand(t *testing.T) {
	m := parse(t, `
version: 1
name: shop
services:
  web: {image: nginx, port: 80, health: {path: /up}, env: {B: 2}}
  api: {image: nginx, port: 81}
defaults: {cpu: 1024, env: {A: 1}, health: {interval: 30s}}
`)
	web, api := m.Services[0], m.Services[1]
	if web.CPU != 1024 || web.Memory != 2048 || web.Health.Path != "/up" || web.Health.Interval.Seconds() != 30 {
		t.Errorf("web: %+v", web.Settings)
	}
	if !reflect.DeepEqual(web.Env, map[string]string{"A": "1", "B": "2"}) || !reflect.DeepEqual(api.Env, map[string]string{"A": "1"}) {
		t.Errorf("variables leak: web %v, api %v, defaults %v", web.Env, api.Env, m.Defaults.Env)
	}
}

func TestNumbersNobodyWroteFitThoseSomebodyDid(t *testing.T) {
	m := parse(t, `
version: 1
name: shop
services:
  one: {image: nginx, port: 80, desired: 1}
  many: {image: nginx, port: 80, desired: 30}
  least: {image: nginx, port: 80, min: 4}
  most: {image: nginx, port: 80, max: 1}
  none: {image: nginx, port: 80, min: 0, desired: 0}
`)
	got := map[string][3]int{}
	for _, s := range m.Services {
		got[s.Name] = [3]int{s.Min, s.Desired, s.Max}
	}
	want := map[string][3]int{"one": {1, 1, 10}, "many": {2, 30, 30}, "least": {4, 4, 10}, "most": {1, 1, 1}, "none": {0, 0, 10}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("min, desired, max: %v, want %v", got, want)
	}
}

func TestAnEmptyListOfPathsKeepsAServicePrivate(t *testing.T) {
	m := parse(t, "version: 1\nname: shop\nservices:\n  api: {image: nginx, port: 80, paths: []}\n  worker: {image: nginx}\n")
	if m.Services[0].Public() || m.Services[1].Public() {
		t.Error("public")
	}
}

func TestEnvironmentIsOverridden(t *testing.T) {
	text := []byte("version: 1\nname: shop\nenvironment: dev\nservices: {web: {image: nginx, port: 80}}\n")
	m, err := Parse("slipway.yaml", text, Options{Environment: "qa"})
	if err != nil || m.StackName() != "Shopqa" {
		t.Errorf("%v %v", m, err)
	}
	_, err = Parse("slipway.yaml", text, Options{Environment: "Q A"})
	var list Errors
	if !errors.As(err, &list) || list[0].Error() != `slipway.yaml: environment: "Q A" does not fit; want up to 12 small letters, digits and dashes, no dash at an end` {
		t.Error(err)
	}
}

func TestAliasesAreReadWhereTheyStand(t *testing.T) {
	m := parse(t, "version: 1\nname: shop\nservices:\n  web: {image: nginx, port: 80, health: &h {path: /up}}\n  api: {image: nginx, port: 81, health: *h}\n")
	if m.Services[1].Health.Path != "/up" {
		t.Errorf("%+v", m.Services[1].Health)
	}
}

func TestPositionsAreThoseOfTheFile(t *testing.T) {
	m := parse(t, "version: 1\nname: shop\nservices:\n  web:\n    image: nginx\n    port: 80\n")
	for path, want := range map[string]Position{
		"services.web.image": {5, 12}, "services.web": {4, 3}, "services.web.cpu": {4, 3}, "network.zones": {1, 1},
	} {
		if got := m.Position(path); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

func TestLoadSaysWhatToDoWithoutAManifest(t *testing.T) {
	_, err := Load(t.TempDir(), Options{})
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "slipway init") {
		t.Error(err)
	}
	big := filepath.Join(t.TempDir(), File)
	if err := os.WriteFile(big, bytes.Repeat([]byte("#\n"), MaxBytes), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(big, Options{}); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Error(err)
	}
}

func TestTheScaffoldIsAManifest(t *testing.T) {
	for folder, name := range map[string]string{
		"shop": "shop", "My Shop (new)": "my-shop-new", "": "platform", "9lives": "lives", "internal-tools": "platform",
		strings.Repeat("a-", 40): "a-a-a-a-a-a-a-a-a-a",
	} {
		m := parse(t, Scaffold(folder))
		if m.Name != name || m.Services[0].Paths[0] != "/*" {
			t.Errorf("%q gave the name %q, want %q", folder, m.Name, name)
		}
	}
}

// Every default must satisfy its own rules, and every pattern needs words for people.
func TestTagsAreConsistent(t *testing.T) {
	var walk func(t *testing.T, at reflect.Type)
	walk = func(t *testing.T, at reflect.Type) {
		for _, f := range fieldsOf(at) {
			if f.tag.Get("doc") == "" {
				t.Errorf("%s.%s has no doc", at.Name(), f.name)
			}
			if p := f.tag.Get("pattern"); p != "" && (f.tag.Get("say") == "" || regexp.MustCompile(p) == nil) {
				t.Errorf("%s.%s has a pattern and no words for it", at.Name(), f.name)
			}
			switch inner := f.typ; {
			case inner.Kind() == reflect.Struct:
				walk(t, inner)
			case f.tag.Get("keyed") != "":
				walk(t, inner.Elem())
			case f.tag.Get("default") != "" && inner.Kind() != reflect.Slice:
				d := newDecoder("tag", nil)
				var n yaml.Node
				if err := yaml.Unmarshal([]byte(f.tag.Get("default")), &n); err != nil {
					t.Fatal(err)
				}
				if d.value(n.Content[0], reflect.New(inner).Elem(), f.name, f.tag); len(d.errs) > 0 {
					t.Errorf("default of %s.%s: %v", at.Name(), f.name, d.errs)
				}
			}
		}
	}
	walk(t, reflect.TypeFor[Manifest]())
}

func FuzzParse(f *testing.F) {
	for _, file := range []string{"../slipway.yaml", "scaffold.yaml"} {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	archive, err := txtar.ParseFile("testdata/errors.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range archive.Files {
		f.Add(c.Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse("slipway.yaml", data, Options{})
		var list Errors
		switch {
		case err == nil:
			if len(m.Services) == 0 || m.StackName() == "" {
				t.Errorf("accepted without services or name: %+v", m)
			}
		case !errors.As(err, &list) || len(list) == 0:
			t.Errorf("no list of errors: %v", err)
		default:
			_ = list.Detail()
			lines := 1 + bytes.Count(data, []byte("\n"))
			for _, e := range list {
				if e.Line < 0 || e.Line > lines+1 || e.Message == "" {
					t.Errorf("%v of a file of %d lines", e, lines)
				}
			}
		}
	})
}

func BenchmarkParseReference(b *testing.B) {
	data, err := os.ReadFile("../slipway.yaml")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Parse("slipway.yaml", data, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
