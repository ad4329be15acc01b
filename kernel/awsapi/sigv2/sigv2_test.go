package sigv2_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/kernel/awsapi/sigv2"
)

// The example of the user guide: "Query string request authentication
// alternative".
func TestTheUserGuidesExampleMatches(t *testing.T) {
	const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	r := request(t, "https://johnsmith.s3.amazonaws.com/photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620")
	a, ok := sigv2.Parse(r)
	if !ok || a.AccessKey != "AKIAIOSFODNN7EXAMPLE" || a.Expires.Unix() != 1175139620 {
		t.Fatalf("%+v %v", a, ok)
	}
	if !a.Matches(r, secret, "johnsmith") {
		t.Error("the signature does not match")
	}
	if a.Matches(r, secret+"x", "johnsmith") || a.Matches(r, secret, "another") {
		t.Error("another key or bucket matches")
	}
}

func TestWhatIsSignedCannotBeChanged(t *testing.T) {
	signed := func() *http.Request {
		r := request(t, "http://h/b/k?response-content-type=text%2Fplain&versionId=1&x-amz-security-token=t")
		sigv2.Sign(r, "AK", "secret", "", time.Unix(1_800_000_000, 0))
		return r
	}
	for name, change := range map[string]func(r *http.Request){
		"nothing":     func(*http.Request) {},
		"method":      func(r *http.Request) { r.Method = "PUT" },
		"path":        func(r *http.Request) { r.URL.Path = "/b/other" },
		"version":     func(r *http.Request) { set(r, "versionId", "2") },
		"expiry":      func(r *http.Request) { set(r, "Expires", "1900000000") },
		"a header":    func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") },
		"the token":   func(r *http.Request) { set(r, "x-amz-security-token", "u") },
		"an override": func(r *http.Request) { set(r, "response-content-type", "text/html") },
	} {
		r := signed()
		change(r)
		a, ok := sigv2.Parse(r)
		if got := ok && a.Matches(r, "secret", ""); got != (name == "nothing") {
			t.Errorf("changed %s: %v", name, got)
		}
	}
	if _, ok := sigv2.Parse(request(t, "http://h/b/k?AWSAccessKeyId=AK&Signature=x&Expires=soon")); ok {
		t.Error("an expiry that is no number is taken")
	}
}

func set(r *http.Request, name, value string) {
	q := r.URL.Query()
	q.Set(name, value)
	r.URL.RawQuery = q.Encode()
}

func request(t *testing.T, url string) *http.Request {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
