package sigv4

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Auth is what a request says about its signature.
type Auth struct {
	AccessKey     string
	Date          string // yyyymmdd, of the credential scope
	Region        string
	Service       string
	SignedHeaders []string // lower case, sorted
	Signature     string
	Time          time.Time
	SessionToken  string
	Presigned     bool
	Expires       time.Duration // of a presigned URL
}

// ErrMissing is Parse's answer to a request that carries no signature.
var ErrMissing = errors.New("request is missing an authentication token")

// MalformedError says which part of a signature is missing or wrong, in AWS's
// words.
type MalformedError struct{ Message string }

func (e *MalformedError) Error() string { return e.Message }

func malformed(format string, args ...any) error {
	return &MalformedError{fmt.Sprintf(format, args...)}
}

// Parse reads the signature of a request from its Authorization header or its
// query.
func Parse(r *http.Request) (Auth, error) {
	if h := r.Header.Get("Authorization"); h != "" {
		return parseHeader(h, r.Header)
	}
	if strings.Contains(r.URL.RawQuery, "X-Amz-Algorithm=") {
		return parseQuery(r.URL.Query())
	}
	return Auth{}, ErrMissing
}

func parseHeader(h string, header http.Header) (Auth, error) {
	rest, ok := strings.CutPrefix(h, algorithm)
	if !ok {
		return Auth{}, malformed("Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	var a Auth
	var credential, signed string
	for part := range strings.SplitSeq(rest, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch k {
		case "Credential":
			credential = v
		case "SignedHeaders":
			signed = v
		case "Signature":
			a.Signature = v
		}
	}
	for _, p := range []struct{ name, value string }{{"Credential", credential}, {"Signature", a.Signature}, {"SignedHeaders", signed}} {
		if p.value == "" {
			return Auth{}, malformed("Authorization header requires '%s' parameter. Authorization=%s", p.name, "AWS4-HMAC-SHA256")
		}
	}
	if err := a.setCredential(credential); err != nil {
		return Auth{}, err
	}
	if err := a.setSigned(signed); err != nil {
		return Auth{}, err
	}
	a.SessionToken = header.Get("X-Amz-Security-Token")
	if d := header.Get("X-Amz-Date"); d != "" {
		return a, a.setTime(d, longDate)
	}
	if d := header.Get("Date"); d != "" {
		if strings.HasSuffix(d, "Z") {
			return a, a.setTime(d, longDate)
		}
		return a, a.setTime(d, http.TimeFormat)
	}
	return Auth{}, malformed("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=%s", "AWS4-HMAC-SHA256")
}

func parseQuery(q url.Values) (Auth, error) {
	if got := q.Get("X-Amz-Algorithm"); got != algorithm {
		return Auth{}, malformed("Unsupported AWS 'algorithm': '%s'", got)
	}
	a := Auth{Presigned: true, Signature: q.Get("X-Amz-Signature"), SessionToken: q.Get("X-Amz-Security-Token")}
	for _, name := range []string{"X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"} {
		if q.Get(name) == "" {
			return Auth{}, malformed("AWS query-string parameters must include '%s'. Re-examine the query-string parameters.", name)
		}
	}
	if err := a.setCredential(q.Get("X-Amz-Credential")); err != nil {
		return Auth{}, err
	}
	if err := a.setSigned(q.Get("X-Amz-SignedHeaders")); err != nil {
		return Auth{}, err
	}
	a.Expires = 15 * time.Minute
	if s := q.Get("X-Amz-Expires"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 || n > 7*24*3600 {
			return Auth{}, malformed("X-Amz-Expires must be less than a week (in seconds) that is 604800")
		}
		a.Expires = time.Duration(n) * time.Second
	}
	return a, a.setTime(q.Get("X-Amz-Date"), longDate)
}

// setCredential reads id/date/region/service/aws4_request. The id may contain
// slashes.
func (a *Auth) setCredential(s string) error {
	p := strings.Split(s, "/")
	n := len(p)
	if n < 5 {
		return malformed("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", s)
	}
	if p[n-1] != "aws4_request" {
		return malformed("Credential should be scoped with a valid terminator: 'aws4_request', not '%s'.", p[n-1])
	}
	a.AccessKey, a.Date, a.Region, a.Service = strings.Join(p[:n-4], "/"), p[n-4], p[n-3], p[n-2]
	if a.AccessKey == "" || a.Region == "" || a.Service == "" {
		return malformed("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", s)
	}
	return nil
}

func (a *Auth) setSigned(s string) error {
	a.SignedHeaders = strings.Split(s, ";")
	if !slices.Contains(a.SignedHeaders, "host") {
		return malformed("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	return nil
}

func (a *Auth) setTime(s, layout string) error {
	t, err := time.Parse(layout, s)
	if err != nil {
		return malformed("Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", s)
	}
	a.Time = t.UTC()
	if a.Time.Format(shortDate) != a.Date {
		return malformed("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.", a.Date, a.Time.Format(shortDate), s)
	}
	return nil
}

// Covers reports whether every header that steers the request is signed:
// X-Amz-Date and X-Amz-Target when present. Others are data, and AWS lets
// proxies add to them.
func (a Auth) Covers(header http.Header) bool {
	for _, name := range []string{"X-Amz-Date", "X-Amz-Target"} {
		if header.Get(name) != "" && !slices.Contains(a.SignedHeaders, strings.ToLower(name)) {
			return false
		}
	}
	return true
}
