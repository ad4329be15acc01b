package sigv4

import (
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// canonical is the canonical request: method, path, query, signed headers and
// payload hash, in the one form that both sides compute.
func canonical(r *http.Request, a Auth, payloadHash string) []byte {
	b := make([]byte, 0, 1024)
	b = append(append(b, r.Method...), '\n')
	b = append(appendPath(b, r.URL.EscapedPath(), a.Service != "s3"), '\n')
	b = append(appendQuery(b, r.URL.RawQuery), '\n')
	for _, name := range a.SignedHeaders {
		b = append(append(b, name...), ':')
		b = append(appendHeader(b, r, name), '\n')
	}
	b = append(b, '\n')
	for i, name := range a.SignedHeaders {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, name...)
	}
	b = append(b, '\n')
	return append(b, payloadHash...)
}

// appendPath writes the path as it was sent; every service but S3 escapes it
// a second time.
func appendPath(b []byte, path string, twice bool) []byte {
	if path == "" {
		path = "/"
	}
	if !twice {
		return append(b, path...)
	}
	return appendEscaped(b, path, true)
}

// appendQuery writes the parameters sorted by name and value, escaped anew, and
// without the signature of a presigned URL.
func appendQuery(b []byte, raw string) []byte {
	if raw == "" {
		return b
	}
	var pairs [][2]string
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		k, v, _ := strings.Cut(part, "=")
		k, v = reescape(k), reescape(v)
		if k != "X-Amz-Signature" {
			pairs = append(pairs, [2]string{k, v})
		}
	}
	slices.SortFunc(pairs, func(x, y [2]string) int {
		if c := strings.Compare(x[0], y[0]); c != 0 {
			return c
		}
		return strings.Compare(x[1], y[1])
	})
	for i, p := range pairs {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(append(append(b, p[0]...), '='), p[1]...)
	}
	return b
}

// reescape brings one part of a query into RFC 3986's form.
func reescape(s string) string {
	plain, err := url.QueryUnescape(s)
	if err != nil {
		plain = s
	}
	return string(appendEscaped(nil, plain, false))
}

func appendEscaped(b []byte, s string, slash bool) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			c == '-' || c == '_' || c == '.' || c == '~' || slash && c == '/' {
			b = append(b, c)
			continue
		}
		b = append(b, '%', hex[c>>4], hex[c&15])
	}
	return b
}

// appendHeader writes a header's values joined by commas, with runs of spaces
// made one.
func appendHeader(b []byte, r *http.Request, name string) []byte {
	switch name {
	case "host":
		if r.Host != "" {
			return append(b, r.Host...)
		}
		return append(b, r.URL.Host...)
	case "content-length":
		return strconv.AppendInt(b, r.ContentLength, 10)
	case "transfer-encoding":
		return append(b, strings.Join(r.TransferEncoding, ",")...)
	}
	for i, v := range r.Header[textproto.CanonicalMIMEHeaderKey(name)] {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTrimmed(b, v)
	}
	return b
}

func appendTrimmed(b []byte, v string) []byte {
	v = strings.TrimSpace(v)
	if !strings.Contains(v, "  ") {
		return append(b, v...)
	}
	space := false
	for i := range len(v) {
		if v[i] == ' ' && space {
			continue
		}
		space = v[i] == ' '
		b = append(b, v[i])
	}
	return b
}
