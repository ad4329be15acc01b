package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// The ways to smuggle a request, and other malformed heads, each with the
// status it is refused with; 0 is accepted.
func TestRequestHeads(t *testing.T) {
	for name, c := range map[string]struct {
		head string
		want int
	}{
		"plain":                     {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0},
		"HTTP/1.0 without Host":     {"GET / HTTP/1.0\r\n\r\n", 0},
		"absolute form":             {"GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n", 0},
		"asterisk":                  {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 0},
		"IPv6 host":                 {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0},
		"value with tab":            {"GET / HTTP/1.1\r\nHost: a\r\nX: a\tb\r\n\r\n", 0},
		"no Host":                   {"GET / HTTP/1.1\r\n\r\n", 400},
		"two Hosts":                 {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
		"bad Host":                  {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
		"CL and TE":                 {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		"TE and CL":                 {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400},
		"two equal lengths":         {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", 400},
		"list of lengths":           {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\n", 400},
		"signed length":             {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n", 400},
		"hex length":                {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\n", 400},
		"huge length":               {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
		"empty length":              {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400},
		"two codings":               {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		"gzip, chunked":             {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
		"identity":                  {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 501},
		"xchunked":                  {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 501},
		"chunked in HTTP/1.0":       {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		"vertical tab coding":       {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\vchunked\r\n\r\n", 400},
		"space before colon":        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
		"folded line":               {"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400},
		"bare LF":                   {"GET / HTTP/1.1\nHost: a\n\n", 400},
		"bare LF in header":         {"GET / HTTP/1.1\r\nHost: a\r\nX: a\nY: b\r\n\r\n", 400},
		"bare CR in value":          {"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400},
		"NUL in value":              {"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400},
		"empty name":                {"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400},
		"bad name":                  {"GET / HTTP/1.1\r\nHost: a\r\nX(y): b\r\n\r\n", 400},
		"no colon":                  {"GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n", 400},
		"two spaces":                {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"trailing space":            {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
		"no version":                {"GET /\r\nHost: a\r\n\r\n", 400},
		"lower-case version":        {"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
		"HTTP/2.0":                  {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
		"HTTP/1.2":                  {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
		"relative target":           {"GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"other scheme":              {"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"control in target":         {"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"CONNECT":                   {"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"TRACE":                     {"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405},
		"unknown expectation":       {"GET / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n", 417},
		"field above 16 K":          {"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", maxLine) + "\r\n\r\n", 400},
		"request line above 16 K":   {"GET /" + strings.Repeat("x", maxLine) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
		"more than a thousand":      {"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", maxFields) + "\r\n", 400},
		"CL hidden behind obs-fold": {"POST / HTTP/1.1\r\nHost: a\r\nX: y\r\n Content-Length: 3\r\n\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			r := &request{}
			r.reset()
			f := parseRequest([]byte(c.head), r)
			got := 0
			if f != nil {
				got = f.status
			}
			if got != c.want {
				t.Errorf("got %d (%v), want %d", got, f, c.want)
			}
		})
	}
}

// Whatever this parser accepts, net/http accepts too and frames alike: the
// same method, path, host and body length. (The other direction does not
// hold: net/http is more lenient.)
func FuzzRequestAgainstNetHTTP(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /x?y=z HTTP/1.1\r\nHost: a:80\r\nContent-Length: 3\r\nConnection: close, X-Y\r\nX-Y: 1\r\n\r\nabc",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n3;e=\"f\"\r\nabc\r\n0\r\nX: y\r\n\r\n",
		"GET http://b/c HTTP/1.0\r\nCookie: a=b; c=d\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: [::1]\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		end, _ := headEnd(in, 0)
		if end < 0 {
			return
		}
		r := &request{}
		r.reset()
		if parseRequest(in[:end], r) != nil {
			return
		}
		theirs, err := http.ReadRequest(bufio.NewReaderSize(bytes.NewReader(in), 128<<10))
		if err != nil {
			// What net/http refuses and this does not: targets it cannot
			// parse as URL. The framing is the same whatever they hold.
			if strings.Contains(err.Error(), "parse ") || strings.Contains(err.Error(), "invalid URI") {
				return
			}
			t.Fatalf("accepted what net/http refuses: %v\n%q", err, in)
		}
		if theirs.Method != string(r.method) || theirs.Host != string(r.host) && len(r.host) > 0 {
			t.Fatalf("%s %s against %s %s\n%q", r.method, r.host, theirs.Method, theirs.Host, in)
		}
		if theirs.ContentLength != r.length {
			t.Fatalf("length %d against %d\n%q", r.length, theirs.ContentLength, in)
		}
		want, errTheirs := io.ReadAll(theirs.Body)
		got, ok := decode(in[end:], r.length)
		if ok && errTheirs != nil {
			t.Fatalf("accepted a body that net/http refuses: %v\n%q", errTheirs, in)
		}
		if ok && !bytes.Equal(got, want) {
			t.Fatalf("body %q against %q\n%q", got, want, in)
		}
	})
}

// decode reads a whole body; false when it is malformed or incomplete.
func decode(in []byte, length int64) ([]byte, bool) {
	s := &source{buf: in, w: len(in)}
	b := newBody(length)
	var out []byte
	for {
		data, trailer, p, f := b.next(s)
		out = append(out, data...)
		switch {
		case f != nil || p == dry:
			return nil, false
		case p == done:
			if len(trailer) > 2 {
				if _, f := parseFields(trailer, nil); f != nil {
					return nil, false
				}
			}
			return out, true
		}
	}
}

// The parser sees a message the same way however it is cut into reads.
func FuzzChunkedInPieces(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\n\r\n"), uint8(1))
	f.Add([]byte("A;x=y\r\n0123456789\r\n0\r\nT: u\r\n\r\n"), uint8(3))
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		whole, ok := decode(in, chunked)
		if !ok {
			return
		}
		s := &source{buf: append([]byte{}, in...)}
		b := newBody(chunked)
		var out []byte
		for {
			data, _, p, f := b.next(s)
			out = append(out, data...)
			if f != nil {
				t.Fatalf("in pieces of %d: %v", step, f)
			}
			if p == done {
				break
			}
			if p == dry {
				if s.w == len(in) {
					t.Fatal("starved")
				}
				s.w = min(len(in), s.w+int(step)+1)
			}
		}
		if !bytes.Equal(out, whole) {
			t.Fatalf("%q in pieces, %q whole", out, whole)
		}
	})
}

func TestChunks(t *testing.T) {
	for name, c := range map[string]struct {
		in string
		ok bool
	}{
		"plain":               {"3\r\nabc\r\n0\r\n\r\n", true},
		"extension":           {"3;a=b\r\nabc\r\n0\r\n\r\n", true},
		"trailer":             {"0\r\nX: y\r\n\r\n", true},
		"no size":             {"\r\nabc\r\n0\r\n\r\n", false},
		"bare LF":             {"3\nabc\n0\n\n", false},
		"data too long":       {"3\r\nabcd\r\n0\r\n\r\n", false},
		"signed":              {"+3\r\nabc\r\n0\r\n\r\n", false},
		"0x":                  {"0x3\r\nabc\r\n0\r\n\r\n", false},
		"space before size":   {" 3\r\nabc\r\n0\r\n\r\n", false},
		"space after size":    {"3 \r\nabc\r\n0\r\n\r\n", false},
		"sixteen digits":      {"0000000000000003\r\nabc\r\n0\r\n\r\n", false},
		"CR in extension":     {"3;a\rb\r\nabc\r\n0\r\n\r\n", false},
		"folded trailer":      {"0\r\nX: y\r\n z\r\n\r\n", false},
		"bare LF in trailer":  {"0\r\nX: y\n\r\n\r\n", false},
		"bare LF in data end": {"3\r\nabc\n0\r\n\r\n", false},
	} {
		if _, ok := decode([]byte(c.in), chunked); ok != c.ok {
			t.Errorf("%s: accepted = %t", name, ok)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"/payment/*", "/payment/x", true},
		{"/payment/*", "/payment", false},
		{"*.example.com", "a.b.example.com", true},
		{"*.example.com", "example.com", false},
		{"/a?c", "/abc", true},
		{"/a?c", "/ac", false},
		{"*", "", true},
		{"?", "", false},
		{"/*/b/*/d", "/x/b/y/z/d", true},
		{"a*a*a*a*b", strings.Repeat("a", 5000), false},
	} {
		p := compilePattern(c.pattern)
		if glob(c.pattern, []byte(c.s), false) != c.want || p.match([]byte(c.s), false) != c.want {
			t.Errorf("%s matches %s: want %t", c.pattern, c.s, c.want)
		}
	}
}

func TestHistogramIsRightWithinAnEighth(t *testing.T) {
	for us := int64(1); us < 1<<33; us = us*9/8 + 1 {
		b := bucketOf(us)
		if up := upper(b); b < buckets-1 && (us >= up || us < up*8/9-1) {
			t.Fatalf("%d us lies in bucket %d, which ends at %d", us, b, up)
		}
	}
}
