package awsapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/kernel/awsapi/codec"
	"github.com/slipway-dev/slipway/kernel/awsapi/sigv4"
)

// decode reads the operation's input out of the request and validates it.
func decode(x *exchange, secret string, limit int64) (any, error) {
	in := x.operation.newIn()
	plan, _ := x.operation.plans()
	if !x.streams() && x.body == nil { // AnyAuth, or unsigned: not read yet
		var err error
		if x.body, err = readAll(x.w, x.r, limit); err != nil {
			return nil, err
		}
	}
	if err := intact(x); err != nil {
		return nil, err
	}
	if plan == nil {
		return in, nil
	}
	if err := inflate(x, limit); err != nil {
		return nil, err
	}
	err := bindBody(x, plan, in, secret)
	if err == nil && (x.protocol == restJSON || x.protocol == restXML) {
		describe(x.r)
		err = codec.BindRequest(plan, x.labels, x.r.URL.Query(), x.r.Header, in)
	}
	if err != nil {
		return nil, unreadable(x, err)
	}
	if x.service.unchecked {
		return in, nil
	}
	if found := codec.Validate(plan, in); len(found) > 0 {
		return nil, invalid(x.service, found)
	}
	return in, nil
}

// describe makes the headers tell of the body that the operation reads: net/http
// keeps its length out of them, and aws-chunked is no encoding of the contents.
func describe(r *http.Request) {
	if r.ContentLength > 0 {
		r.Header.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	if decoded := r.Header.Get("X-Amz-Decoded-Content-Length"); decoded != "" {
		r.Header.Set("Content-Length", decoded)
	}
	if encoding := r.Header.Get("Content-Encoding"); strings.Contains(encoding, "aws-chunked") {
		kept := slices.DeleteFunc(strings.Split(encoding, ","), func(s string) bool { return strings.TrimSpace(s) == "aws-chunked" })
		if r.Header.Del("Content-Encoding"); len(kept) > 0 {
			r.Header.Set("Content-Encoding", strings.TrimSpace(strings.Join(kept, ",")))
		}
	}
}

// inflate unpacks a gzip body, within the same limit. The signature covered the
// packed bytes.
func inflate(x *exchange, limit int64) error {
	if x.r.Header.Get("Content-Encoding") != "gzip" || x.streams() || x.protocol == restXML {
		return nil
	}
	zr, err := gzip.NewReader(bytes.NewReader(x.body))
	if err != nil {
		return unreadable(x, &codec.DecodeError{Message: "the body is not gzip"})
	}
	x.body, err = io.ReadAll(io.LimitReader(zr, limit+1))
	if err != nil {
		return unreadable(x, &codec.DecodeError{Message: "the body is not gzip"})
	}
	if int64(len(x.body)) > limit {
		return tooLarge(limit)
	}
	return nil
}

func bindBody(x *exchange, plan *codec.Plan, in any, secret string) error {
	switch x.protocol {
	case jsonRPC:
		tree, err := codec.ParseJSON(x.body)
		if err != nil {
			return err
		}
		return codec.Bind(plan, codec.JSON, tree, in)
	case cborRPC:
		tree, err := codec.ParseCBOR(x.body)
		if err != nil {
			return err
		}
		return codec.Bind(plan, codec.CBOR, tree, in)
	case query, ec2Query:
		tree, err := codec.ParseForm(x.form)
		if err != nil {
			return err
		}
		return codec.Bind(plan, x.protocol.names(), tree, in)
	}
	return bindREST(x, plan, in, secret)
}

// bindREST reads a body that is one member of the input, or all of them.
func bindREST(x *exchange, plan *codec.Plan, in any, secret string) error {
	payload := plan.Payload()
	if payload == nil {
		tree, err := parse(x.protocol, x.body)
		if err != nil || tree == nil {
			return err
		}
		return codec.Bind(plan, x.protocol.names(), tree, in)
	}
	v := payload.Value(reflect.ValueOf(in).Elem())
	switch payload.Plan.Kind {
	case codec.Stream:
		v.Set(reflect.ValueOf(bodyStream(x, secret)))
		return nil
	case codec.Blob:
		v.SetBytes(x.body)
		return nil
	case codec.String:
		return codec.BindValue(payload.Plan, codec.XML, string(x.body), v)
	}
	if len(x.body) == 0 {
		return nil
	}
	tree, err := parse(x.protocol, x.body)
	if err != nil {
		return err
	}
	return codec.BindValue(payload.Plan, x.protocol.names(), tree, v)
}

// parse makes a tree of a REST body, nil when it is empty XML.
func parse(p protocol, body []byte) (any, error) {
	if p == restJSON {
		return codec.ParseJSON(body)
	}
	root, err := codec.ParseXML(body)
	if err != nil || root == nil {
		return nil, err
	}
	return root, nil
}

// bodyStream is the body as the operation reads it: decoded from aws-chunked,
// and with an error in place of its end when it is not what was signed.
func bodyStream(x *exchange, secret string) io.ReadCloser {
	payload := x.r.Header.Get("X-Amz-Content-Sha256")
	switch payload {
	case sigv4.StreamingSigned, sigv4.StreamingSignedTrailer, sigv4.StreamingUnsignedTrailer:
		if secret == "" { // AnyAuth: no key to check the chunks with
			payload = sigv4.StreamingUnsignedTrailer
		}
		return &chunked{Closer: x.r.Body, chunks: sigv4.NewChunkReader(x.r.Body, x.auth, secret, payload), want: decodedLength(x.r)}
	case sigv4.Unsigned, "":
		return x.r.Body
	}
	return stream{&hashed{src: x.r.Body, sum: sha256.New(), want: payload}, x.r.Body}
}

type stream struct {
	io.Reader
	io.Closer
}

// chunked words the errors of a chunked body, and sees to it that what was
// announced has come.
type chunked struct {
	io.Closer
	chunks    *sigv4.ChunkReader
	want, got int64 // bytes decoded; want is negative when none were announced
}

// decodedLength is negative when the header is missing or no number.
func decodedLength(r *http.Request) int64 {
	n, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func (c *chunked) Read(p []byte) (int, error) {
	n, err := c.chunks.Read(p)
	c.got += int64(n)
	if errors.Is(err, sigv4.ErrChunkSignature) {
		return n, Errorf("SignatureDoesNotMatch", http.StatusForbidden, "%s", noMatchS3)
	}
	ended := errors.Is(err, io.EOF)
	if err != nil && !ended {
		return n, incomplete()
	}
	if c.want >= 0 && (c.got > c.want || ended && c.got < c.want) {
		return n, incomplete()
	}
	return n, err
}

func incomplete() error {
	return Errorf("IncompleteBody", http.StatusBadRequest, "You did not provide the number of bytes specified by the Content-Length HTTP header")
}

// Trailer is the trailing headers of a streamed request body that was read to
// its end, such as x-amz-checksum-crc32. It is nil when the body has none.
func Trailer(body io.Reader) http.Header {
	if c, ok := body.(*chunked); ok {
		return c.chunks.Trailer
	}
	return nil
}

// hashed compares a streamed body with its announced hash.
type hashed struct {
	src  io.Reader
	sum  hash.Hash
	want string
}

func (h *hashed) Read(p []byte) (int, error) {
	n, err := h.src.Read(p)
	h.sum.Write(p[:n])
	if errors.Is(err, io.EOF) && hex.EncodeToString(h.sum.Sum(nil)) != h.want {
		w := refusals[restXML][bodyMismatch]
		return n, Errorf(w.code, w.status, "%s", w.message)
	}
	return n, err
}
