package sigv4

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"pgregory.net/rapid"
)

var when = time.Date(2026, 11, 23, 3, 4, 5, 0, time.UTC)

// TestVerifiesWhatTheSDKSigns draws requests, has the AWS SDK sign them, sends
// them through net/http's own writer and parser, and wants them to verify, and
// not to verify under another secret.
func TestVerifiesWhatTheSDKSigns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		service := rapid.SampledFrom([]string{"ecs", "ec2", "s3", "appmesh"}).Draw(t, "service")
		presigned := rapid.Bool().Draw(t, "presigned")
		r, body := drawRequest(t)
		sdk := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
		creds := aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: rapid.SampledFrom([]string{"", "to/ken+=="}).Draw(t, "token")}
		hash := Hash(body)
		if presigned {
			signed, headers, err := sdk.PresignHTTP(context.Background(), creds, r, hash, service, "eu-central-1", when)
			if err != nil {
				t.Fatal(err)
			}
			r.URL, err = url.Parse(signed)
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range headers {
				r.Header[k] = v
			}
		} else if err := sdk.SignHTTP(context.Background(), creds, r, hash, service, "eu-central-1", when); err != nil {
			t.Fatal(err)
		}
		got := overTheWire(t, r)
		a, err := Parse(got)
		if err != nil {
			t.Fatal(err)
		}
		if !a.Matches(got, "secret", hash) {
			t.Fatalf("the SDK's signature does not verify:\n%s", canonical(got, a, hash))
		}
		if a.Matches(got, "Secret", hash) {
			t.Fatal("a wrong secret verifies")
		}
		if a.SessionToken != creds.SessionToken || a.AccessKey != creds.AccessKeyID || a.Service != service || a.Region != "eu-central-1" || !a.Time.Equal(when) {
			t.Fatalf("read %+v", a)
		}
	})
}

func drawRequest(t *rapid.T) (*http.Request, []byte) {
	text := rapid.StringOfN(rapid.RuneFrom([]rune("ab /é&=+%?~*!'()$,;:@._-")), 0, 8, -1)
	u := &url.URL{Scheme: "http", Host: "127.0.0.1:4566", Path: "/" + strings.TrimLeft(text.Draw(t, "path"), "/")}
	q := url.Values{}
	for range rapid.IntRange(0, 3).Draw(t, "parameters") {
		q.Add("k"+text.Draw(t, "name"), text.Draw(t, "value"))
	}
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
	body := rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, "body")
	r, err := http.NewRequest(rapid.SampledFrom([]string{"GET", "POST", "PUT"}).Draw(t, "method"), u.String(), bytes.NewReader(body))
	if err != nil {
		t.Skip("not a URL")
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("User-Agent", "test")
	if rapid.Bool().Draw(t, "target") {
		r.Header.Set("X-Amz-Target", "Some.Target")
	}
	value := rapid.SampledFrom([]string{"one", "  two   words ", "a,b", "x  y  z"}).Draw(t, "header")
	r.Header.Add("X-Amz-Meta-Note", value)
	if rapid.Bool().Draw(t, "twice") {
		r.Header.Add("X-Amz-Meta-Note", "again")
	}
	return r, body
}

// overTheWire writes the request and reads it back as a server does.
func overTheWire(t *rapid.T, r *http.Request) *http.Request {
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	got, err := http.ReadRequest(newReader(&wire))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestSignedHereVerifiesHere(t *testing.T) {
	key := Key{AccessKey: "AKID", Secret: "secret", SessionToken: "token"}
	for _, service := range []string{"ecs", "s3"} {
		body := []byte("{}")
		r, _ := http.NewRequest("POST", "http://localhost:4566/a%20b/c?x=1&x=0", bytes.NewReader(body))
		r.Header.Set("X-Amz-Target", "T.Op")
		Sign(r, key, service, "us-east-1", Hash(body), when)
		a, err := Parse(r)
		if err != nil || !a.Matches(r, "secret", Hash(body)) || !a.Covers(r.Header) {
			t.Fatalf("%s: %v", service, err)
		}
		r.Header.Set("X-Amz-Target", "T.Other")
		if a.Matches(r, "secret", Hash(body)) {
			t.Fatal("a changed target verifies")
		}
		p, _ := http.NewRequest("GET", "http://localhost:4566/b/k?list-type=2", http.NoBody)
		Presign(p, key, service, "us-east-1", when, time.Minute)
		hash := Hash(nil)
		if service == "s3" {
			hash = Unsigned
		}
		a, err = Parse(p)
		if err != nil || !a.Presigned || a.Expires != time.Minute || !a.Matches(p, "secret", hash) {
			t.Fatalf("presigned %s: %v", service, err)
		}
	}
}

// TestChunksOfTheDocumentation decodes the example of
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html, whose
// signatures AWS computed.
func TestChunksOfTheDocumentation(t *testing.T) {
	const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	a := Auth{
		AccessKey: "AKIAIOSFODNN7EXAMPLE", Date: "20130524", Region: "us-east-1", Service: "s3",
		Time:      time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC),
		Signature: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
	}
	first, second := strings.Repeat("a", 65536), strings.Repeat("a", 1024)
	body := "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + first + "\r\n" +
		"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + second + "\r\n" +
		"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
	got, err := io.ReadAll(NewChunkReader(strings.NewReader(body), a, secret, StreamingSigned))
	if err != nil || string(got) != first+second {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	for name, bad := range map[string]string{
		"changed byte": strings.Replace(body, "aaaa", "aaba", 1),
		"cut":          body[:66000],
		"no signature": strings.Replace(body, ";chunk-signature=", ";x=", 1),
	} {
		if _, err := io.ReadAll(NewChunkReader(strings.NewReader(bad), a, secret, StreamingSigned)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestTrailers(t *testing.T) {
	body := "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
	c := NewChunkReader(strings.NewReader(body), Auth{}, "", StreamingUnsignedTrailer)
	got, err := io.ReadAll(c)
	if err != nil || string(got) != "hello" || c.Trailer.Get("X-Amz-Checksum-Crc32") != "NhCmhg==" {
		t.Fatalf("%q, %v, %v", got, err, c.Trailer)
	}
	_, err = io.ReadAll(NewChunkReader(strings.NewReader("5\r\nhello\r\n0\r\nx-a:b\r\n\r\n"), Auth{}, "s", StreamingSignedTrailer))
	if err == nil {
		t.Error("an unsigned trailer was accepted")
	}
}

func TestMalformed(t *testing.T) {
	good := "AWS4-HMAC-SHA256 Credential=AKID/20261123/us-east-1/ecs/aws4_request, SignedHeaders=host;x-amz-date, Signature=00"
	cases := map[string]string{
		"other scheme":     "Basic abc",
		"no credential":    strings.Replace(good, "Credential", "X", 1),
		"no signature":     strings.Replace(good, "Signature=", "X=", 1),
		"short credential": strings.Replace(good, "/ecs", "", 1),
		"terminator":       strings.Replace(good, "aws4_request", "aws5", 1),
		"host unsigned":    strings.Replace(good, "host;", "", 1),
		"date differs":     strings.Replace(good, "20261123", "20261124", 1),
	}
	for name, h := range cases {
		r, _ := http.NewRequest("POST", "http://x/", http.NoBody)
		r.Header.Set("Authorization", h)
		r.Header.Set("X-Amz-Date", "20261123T030405Z")
		if _, err := Parse(r); err == nil || errors.Is(err, ErrMissing) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r, _ := http.NewRequest("POST", "http://x/", http.NoBody)
	if _, err := Parse(r); !errors.Is(err, ErrMissing) {
		t.Errorf("no signature at all: %v", err)
	}
}
