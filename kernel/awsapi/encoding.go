package awsapi

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/api/model"
	"github.com/slipway-dev/slipway/kernel/awsapi/codec"
)

// encoding is one call of a Client: how its request is written and its answer
// read.
type encoding struct {
	service   *Service
	operation *model.Operation
	protocol  protocol
	in, out   *codec.Plan // nil where the model has none

	body   []byte
	stream io.Reader // instead of body
}

// request makes the HTTP request, not signed yet.
func (e *encoding) request(ctx context.Context, endpoint string, v reflect.Value) (*http.Request, error) {
	method, path, values, header := http.MethodPost, "/", url.Values{}, http.Header{}
	meta := e.service.model.Metadata
	switch e.protocol {
	case jsonRPC:
		header.Set("Content-Type", "application/x-amz-json-"+meta.JSONVersion)
		header.Set("X-Amz-Target", meta.TargetPrefix+"."+e.operation.Name)
		e.body = []byte("{}")
		if e.in != nil {
			e.body = codec.AppendJSON(nil, e.in, v)
		}
	case cborRPC:
		header.Set("Content-Type", "application/cbor")
		header.Set("Smithy-Protocol", "rpc-v2-cbor")
		header.Set("Accept", "application/cbor")
		path = "/service/" + meta.TargetPrefix + "/operation/" + e.operation.Name
		if e.in != nil {
			e.body = codec.AppendCBOR(nil, e.in, v)
		}
	case query, ec2Query:
		header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		form := url.Values{"Action": {e.operation.Name}, "Version": {meta.APIVersion}}
		if e.in != nil {
			codec.EncodeForm(form, e.protocol.names(), e.in, v)
		}
		e.body = []byte(form.Encode())
	default:
		method = e.operation.HTTP.Method
		path = e.rest(v, values, header)
	}
	target := strings.TrimSuffix(endpoint, "/") + path
	if len(values) > 0 {
		target += "?" + strings.ReplaceAll(values.Encode(), "+", "%20")
	}
	var body io.Reader = bytes.NewReader(e.body)
	if e.stream != nil {
		body = e.stream
	}
	r, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	for k, values := range header {
		r.Header[http.CanonicalHeaderKey(k)] = values
	}
	if n, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil {
		r.ContentLength = n
	}
	return r, nil
}

// rest spreads the input over path, query, headers and body.
func (e *encoding) rest(v reflect.Value, values url.Values, header http.Header) (path string) {
	path, fixed, _ := strings.Cut(e.operation.HTTP.RequestURI, "?")
	for part := range strings.SplitSeq(fixed, "&") {
		if k, val, _ := strings.Cut(part, "="); k != "" {
			values.Set(k, val)
		}
	}
	if e.in == nil {
		return path
	}
	path = codec.RequestPath(path, e.in, v, values)
	codec.SetHeaders(e.in, v, header)
	payload := e.in.Payload()
	if payload == nil {
		e.members(v, header)
		return path
	}
	pv := payload.Value(v)
	switch payload.Plan.Kind {
	case codec.Stream:
		if body, ok := pv.Interface().(io.ReadCloser); ok {
			e.stream = body
		}
	case codec.Blob:
		e.body = pv.Bytes()
	case codec.String:
		if pv = reflect.Indirect(pv); pv.IsValid() {
			e.body = []byte(pv.String())
		}
	default:
		e.document(payload, pv, header)
	}
	return path
}

// members writes a body of all members that belong there.
func (e *encoding) members(v reflect.Value, header http.Header) {
	body := false
	for i := range e.in.Fields {
		body = body || e.in.Fields[i].InBody()
	}
	if !body {
		return
	}
	if e.protocol == restJSON {
		header.Set("Content-Type", "application/json")
		e.body = codec.AppendJSON(nil, e.in, v)
		return
	}
	name := e.operation.Input.LocationName
	if name == "" {
		name = e.in.Shape.Name
	}
	header.Set("Content-Type", "application/xml")
	e.body = codec.AppendXML(nil, name, e.in, v, "")
}

// document writes a body that is one structure.
func (e *encoding) document(payload *codec.Field, v reflect.Value, header http.Header) {
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return
	}
	if e.protocol == restJSON {
		header.Set("Content-Type", "application/json")
		e.body = codec.AppendJSON(nil, payload.Plan, v)
		return
	}
	name := payload.Ref.LocationName
	if name == "" {
		name = payload.Plan.Shape.Name
	}
	header.Set("Content-Type", "application/xml")
	e.body = codec.AppendXML(nil, name, payload.Plan, v, "")
}
