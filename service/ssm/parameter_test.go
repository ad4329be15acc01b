package ssm

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	api "github.com/slipway-dev/slipway/api/ssmapi"
)

func put(w *world, name, value string, change func(*api.PutParameterInput), code string) int64 {
	w.Helper()
	in := &api.PutParameterInput{Name: &name, Value: &value, Type: api.ParameterTypeString}
	if change != nil {
		change(in)
	}
	if out := call[api.PutParameterOutput](w, "PutParameter", in, code); out != nil {
		return val(out.Version)
	}
	return 0
}

func overwrite(in *api.PutParameterInput) { in.Type, in.Overwrite = "", new(true) }

func secure(in *api.PutParameterInput) { in.Type = api.ParameterTypeSecureString }

func get(w *world, name string, decrypt bool, code string) *api.Parameter {
	w.Helper()
	out := call[api.GetParameterOutput](w, "GetParameter", &api.GetParameterInput{Name: &name, WithDecryption: &decrypt}, code)
	if out == nil {
		return nil
	}
	return out.Parameter
}

func TestAParameterLives(t *testing.T) {
	w := newWorld(t)
	get(w, "/shop/url", false, "ParameterNotFound")
	if n := put(w, "/shop/url", "http://a", nil, ""); n != 1 {
		t.Errorf("version %d", n)
	}
	put(w, "/shop/url", "http://b", nil, "ParameterAlreadyExists")
	if n := put(w, "/shop/url", "http://b", overwrite, ""); n != 2 {
		t.Errorf("version %d", n)
	}
	for name, want := range map[string]string{
		"/shop/url": "http://b", "/shop/url:1": "http://a", "/shop/url:2": "http://b",
		"arn:aws:ssm:eu-central-1:123456789012:parameter/shop/url":   "http://b",
		"arn:aws:ssm:eu-central-1:123456789012:parameter/shop/url:1": "http://a",
	} {
		p := get(w, name, false, "")
		if *p.Value != want || *p.Name != "/shop/url" || *p.ARN != "arn:aws:ssm:eu-central-1:123456789012:parameter/shop/url" {
			t.Errorf("%s: %s %s %s", name, *p.Name, *p.Value, *p.ARN)
		}
	}
	get(w, "/shop/url:3", false, "ParameterVersionNotFound")
	get(w, "/shop/url:prod", false, "ParameterVersionNotFound")
	get(w, "arn:aws:ssm:eu-west-1:123456789012:parameter/shop/url", false, "ParameterNotFound")

	many := call[api.GetParametersOutput](w, "GetParameters", &api.GetParametersInput{Names: []string{"/shop/url:1", "/none", "/shop/url:9"}}, "")
	if len(many.Parameters) != 1 || *many.Parameters[0].Selector != ":1" || fmt.Sprint(many.InvalidParameters) != "[/none /shop/url:9]" {
		t.Errorf("%+v", many)
	}
	gone := call[api.DeleteParametersOutput](w, "DeleteParameters", &api.DeleteParametersInput{Names: []string{"/none", "/shop/url"}}, "")
	if fmt.Sprint(gone.DeletedParameters, gone.InvalidParameters) != "[/shop/url] [/none]" {
		t.Errorf("%+v", gone)
	}
	call[api.DeleteParameterOutput](w, "DeleteParameter", &api.DeleteParameterInput{Name: new("/shop/url")}, "ParameterNotFound")
	if n := put(w, "/shop/url", "again", nil, ""); n != 1 {
		t.Errorf("a parameter of a name that was deleted begins at version %d", n)
	}
}

func TestNamesAndValuesAreChecked(t *testing.T) {
	w := newWorld(t)
	for name, code := range map[string]string{
		"plain": "", "/a/b.c-d_e": "", "/" + strings.Repeat("a/", 14) + "a": "",
		"/" + strings.Repeat("a/", 15) + "a": "HierarchyLevelLimitExceededException",
		"/aws/mine":                          "AccessDeniedException", "awsome": "ValidationException", "/ssm-x": "ValidationException",
		"a/b": "ValidationException", "/a//b": "ValidationException", "/a/": "ValidationException", "/a b": "ValidationException", "/": "ValidationException",
		strings.Repeat("n", 1012): "ValidationException",
	} {
		put(w, name, "v", nil, code)
	}
	type c struct {
		what, value string
		change      func(*api.PutParameterInput)
		code        string
	}
	for _, c := range []c{
		{"no type", "v", func(in *api.PutParameterInput) { in.Type = "" }, "ValidationException"},
		{"empty", "", nil, "ValidationException"},
		{"nested", "{{ssm:x}}", nil, "ValidationException"},
		{"too long", strings.Repeat("x", 4097), nil, "ValidationException"},
		{"grows", strings.Repeat("x", 4097), func(in *api.PutParameterInput) { in.Tier = api.ParameterTierIntelligentTiering }, ""},
		{"much too long", strings.Repeat("x", 8193), func(in *api.PutParameterInput) { in.Tier = api.ParameterTierAdvanced }, "ValidationException"},
		{"pattern", "abc", func(in *api.PutParameterInput) { in.AllowedPattern = new(`^\d+$`) }, "ParameterPatternMismatchException"},
		{"bad pattern", "abc", func(in *api.PutParameterInput) { in.AllowedPattern = new(`(`) }, "InvalidAllowedPatternException"},
		{"list", "1,2,x", func(in *api.PutParameterInput) {
			in.Type, in.AllowedPattern = api.ParameterTypeStringList, new(`^\d+$`)
		}, "ParameterPatternMismatchException"},
		{"data type", "v", func(in *api.PutParameterInput) { in.DataType = new("Text") }, "ValidationException"},
		{"policies", "v", func(in *api.PutParameterInput) { in.Policies = new(`[{"Type":"Expiration"}]`) }, "ValidationException"},
		{"key", "v", func(in *api.PutParameterInput) { in.KeyId = new("alias/aws/ssm") }, "ValidationException"},
		{"other key", "v", func(in *api.PutParameterInput) { secure(in); in.KeyId = new("alias/mine") }, "InvalidKeyId"},
		{"tags and overwrite", "v", func(in *api.PutParameterInput) {
			in.Overwrite, in.Tags = new(true), []api.Tag{{Key: new("a"), Value: new("b")}}
		}, "ValidationException"},
	} {
		put(w, "/check/"+strings.ReplaceAll(c.what, " ", "-"), c.value, c.change, c.code)
	}
	put(w, "/check/grows", "small", func(in *api.PutParameterInput) { overwrite(in); in.Tier = api.ParameterTierStandard }, "ValidationException")
	put(w, "/check/grows", "small", func(in *api.PutParameterInput) { overwrite(in); in.Type = api.ParameterTypeStringList }, "HierarchyTypeMismatchException")
}

func TestASecretIsReadableForThoseWhoDecryptAlone(t *testing.T) {
	w := newWorld(t)
	const secret = "correct horse battery staple"
	put(w, "/db/password", secret, secure, "")
	if p := get(w, "/db/password", false, ""); strings.Contains(*p.Value, secret) || *p.Value == "" {
		t.Errorf("without decryption: %q", *p.Value)
	}
	if p := get(w, "/db/password", true, ""); *p.Value != secret || p.Type != api.ParameterTypeSecureString {
		t.Errorf("with decryption: %q", *p.Value)
	}
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	disk, err := os.ReadFile(w.file)
	if err != nil || !bytes.Contains(disk, []byte("/db/password")) || bytes.Contains(disk, []byte(secret)) {
		t.Errorf("on disk: name %v, value %v, %v", bytes.Contains(disk, []byte("/db/password")), bytes.Contains(disk, []byte(secret)), err)
	}
}
