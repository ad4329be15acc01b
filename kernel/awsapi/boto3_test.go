package awsapi

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/kernel/awsapi/codec"
)

// TestBotocoreRoundTrips has botocore call every operation but S3's, whose
// client rewrites requests, and those with event streams.
func TestBotocoreRoundTrips(t *testing.T) {
	python := botocore(t)
	p := newProving(t)
	names := map[string][]string{}
	for _, o := range operations {
		if o.service != "s3" && !streamed(o) {
			names[o.service] = append(names[o.service], o.name)
		}
	}
	list := filepath.Join(t.TempDir(), "operations.json")
	raw, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/_last" {
			_ = json.NewEncoder(w).Encode(p.last())
			return
		}
		p.mux.ServeHTTP(w, r)
	}))
	defer server.Close()
	out, err := exec.CommandContext(t.Context(), python, "testdata/boto3_conformance.py", server.URL, list, testKey, testSecret).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

// botocore is a Python that imports it. Without one the test cannot say
// anything, and says that.
func botocore(t *testing.T) string {
	if testing.Short() {
		t.Skip("SKIPPED: -short, botocore was not asked")
	}
	python, err := exec.LookPath("python3")
	if err == nil {
		err = exec.Command(python, "-c", "import botocore, boto3").Run()
	}
	if err != nil {
		t.Skipf("SKIPPED: no python3 with boto3 on this machine, so real clients were NOT tried: %v", err)
	}
	return python
}

func streamed(o modelled) bool {
	for _, typ := range []reflect.Type{o.in, o.out} {
		for i := range typ.NumField() {
			if k := typ.Field(i).Type.Kind(); k == reflect.Func {
				return true
			}
		}
	}
	return false
}

// last is the input that arrived last, by member name.
func (p *proving) last() any {
	if p.got == nil || p.plan == nil {
		return map[string]any{}
	}
	return dump(p.plan, reflect.ValueOf(p.got))
}

func dump(p *codec.Plan, v reflect.Value) any {
	v = reflect.Indirect(v)
	switch p.Kind {
	case codec.Struct:
		m := map[string]any{}
		for i := range p.Fields {
			if fv := p.Fields[i].Value(v); !fv.IsZero() {
				m[p.Fields[i].Ref.Name] = dump(p.Fields[i].Plan, fv)
			}
		}
		return m
	case codec.List:
		l := make([]any, v.Len())
		for i := range l {
			l[i] = dump(p.Elem, v.Index(i))
		}
		return l
	case codec.Map:
		m := map[string]any{}
		for _, k := range v.MapKeys() {
			m[k.String()] = dump(p.Elem, v.MapIndex(k))
		}
		return m
	case codec.Blob:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	case codec.Time:
		return v.Interface().(time.Time).Unix()
	case codec.Document:
		return v.Interface()
	}
	return v.Interface()
}

// TestBotocoreOnS3 puts, lists, reads and presigns with boto3, and follows an
// event stream: what the generated calls leave out.
func TestBotocoreOnS3(t *testing.T) {
	python := botocore(t)
	server := httptest.NewServer(newBuckets())
	defer server.Close()
	out, err := exec.CommandContext(t.Context(), python, "testdata/boto3_s3.py", server.URL, testKey, testSecret).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "all well") {
		t.Errorf("%v\n%s", err, out)
	}
}
