package sigv4

import (
	"bufio"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func newReader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }

// FuzzParse feeds the parser of signatures; what it accepts must be complete
// and must not match by chance.
func FuzzParse(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKID/20261123/us-east-1/ecs/aws4_request, SignedHeaders=host;x-amz-date, Signature=00", "20261123T030405Z", "")
	f.Add("", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20261123%2Fr%2Fs3%2Faws4_request&X-Amz-Date=20261123T030405Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00")
	f.Fuzz(func(t *testing.T, authorization, date, query string) {
		r := &http.Request{Method: "GET", Host: "x", URL: &url.URL{Path: "/", RawQuery: query}, Header: http.Header{"Authorization": {authorization}, "X-Amz-Date": {date}}}
		a, err := Parse(r)
		if err != nil {
			return
		}
		if a.AccessKey == "" || a.Signature == "" || a.Region == "" || a.Service == "" || a.Time.IsZero() {
			t.Fatalf("accepted %+v", a)
		}
		if a.Matches(r, "secret", Unsigned) {
			t.Fatal("matched without the key")
		}
	})
}

// FuzzChunks feeds the decoder of aws-chunked bodies; unsigned data must come
// out whole or not at all, and signed data never without its signature.
func FuzzChunks(f *testing.F) {
	f.Add("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", false)
	f.Add("5;chunk-signature=00\r\nhello\r\n0;chunk-signature=00\r\n\r\n", true)
	f.Fuzz(func(t *testing.T, body string, signed bool) {
		payload := StreamingUnsignedTrailer
		if signed {
			payload = StreamingSigned
		}
		got, err := io.ReadAll(NewChunkReader(strings.NewReader(body), Auth{Service: "s3"}, "secret", payload))
		if signed && (err == nil || len(got) > 0) {
			t.Fatalf("unsigned chunk accepted: %q, %v", got, err)
		}
		if len(got) > len(body) {
			t.Fatal("more came out than went in")
		}
	})
}
