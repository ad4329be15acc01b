package awsapi

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What the engine offers besides AWS's APIs answers who signs as for AWS, and
// nobody else: no page in a browser, no program without the keys.
func TestOnlySignedJSONIsLetThrough(t *testing.T) {
	b := newBench(func(c *Config) { c.Now = nil })
	server := httptest.NewServer(b.mux.Guard(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(append([]byte(`{"caller":"`+CallerOf(r.Context()).Account+`","sent":`), append(body, '}')...))
	}))
	defer server.Close()
	ask := func(key, secret string) (out struct{ Caller, Sent string }, err error) {
		c := NewClient(ClientConfig{Endpoint: server.URL, Region: "us-east-1", AccessKey: key, SecretKey: secret})
		return out, c.Post(t.Context(), "/_slipway/x", "hello", &out)
	}
	if out, err := ask(testKey, testSecret); err != nil || out.Sent != "hello" || out.Caller == "" {
		t.Errorf("signed: %+v, %v", out, err)
	}
	for what, key := range map[string][2]string{"another secret": {testKey, "nonsense"}, "an unknown key": {"AKIAUNKNOWN", "nonsense"}, "no signature": {}} {
		if out, err := ask(key[0], key[1]); err == nil || strings.Contains(err.Error(), "no JSON") {
			t.Errorf("with %s: %+v, %v", what, out, err)
		}
	}
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", ""} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, bytes.NewReader([]byte("{}")))
		req.Header.Set("Content-Type", kind)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("as %q: %s", kind, resp.Status)
		}
	}
}
