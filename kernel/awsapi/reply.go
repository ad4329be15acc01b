package awsapi

import (
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/slipway-dev/slipway/kernel/awsapi/codec"
)

// identify sets the headers that carry the request's id.
func (m *Mux) identify(x *exchange) {
	if x.protocol == restXML {
		x.w.Header().Set("X-Amz-Request-Id", x.id)
		x.w.Header().Set("X-Amz-Id-2", x.id)
		return
	}
	x.w.Header().Set("X-Amzn-Requestid", x.id)
}

// reply writes the answer of an operation. An error is returned only while
// nothing has been written.
func (m *Mux) reply(x *exchange, out any) error {
	_, plan := x.operation.plans()
	v := reflect.ValueOf(out).Elem()
	m.identify(x)
	if plan != nil && plan.EventStream() != nil {
		return m.replyEvents(x, plan, v)
	}
	v = full(plan, v)
	header, status := x.w.Header(), http.StatusOK
	var body []byte
	switch x.protocol {
	case jsonRPC:
		header.Set("Content-Type", "application/x-amz-json-"+x.jsonVersion)
		if plan != nil {
			body = codec.AppendJSON(make([]byte, 0, 1024), plan, v)
		}
	case cborRPC:
		header.Set("Content-Type", "application/cbor")
		header.Set("Smithy-Protocol", "rpc-v2-cbor")
		if plan != nil {
			body = codec.AppendCBOR(make([]byte, 0, 1024), plan, v)
		}
	case query:
		header.Set("Content-Type", "text/xml")
		body = queryBody(x, plan, v)
	case ec2Query:
		header.Set("Content-Type", "text/xml;charset=UTF-8")
		body = ec2Body(x, plan, v)
	default:
		return m.replyREST(x, plan, v)
	}
	m.write(x, status, body)
	return nil
}

// full is the answer with its lists made where there are none. AWS sends them
// empty, so code that indexes an answer (boto3's "Vpcs") relies on them; inside
// of a list's entries services differ, and operations say what is there.
func full(plan *codec.Plan, v reflect.Value) reflect.Value {
	if plan == nil {
		return v
	}
	c := reflect.New(v.Type()).Elem()
	c.Set(v) // an operation may keep what it returned
	for i := range plan.Fields {
		f := &plan.Fields[i]
		if f.Plan.Kind != codec.List || !f.InBody() {
			continue
		}
		if fv := f.Value(c); fv.IsNil() {
			fv.Set(reflect.MakeSlice(fv.Type(), 0, 0))
		}
	}
	return c
}

func (m *Mux) write(x *exchange, status int, body []byte) {
	x.answered = true
	if header := x.w.Header(); x.r.Method != http.MethodHead || header.Get("Content-Length") == "" {
		header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(body) // the client may be gone
	}
}

// queryBody is <XResponse><XResult>members</XResult><ResponseMetadata>.
func queryBody(x *exchange, plan *codec.Plan, v reflect.Value) []byte {
	op := x.operation.model
	b := append(make([]byte, 0, 1024), "<"+op.Name+`Response xmlns="`+x.service.model.Metadata.XMLNamespace+`">`...)
	if plan != nil {
		wrapper := op.Output.ResultWrapper
		if wrapper == "" {
			wrapper = op.Name + "Result"
		}
		b = append(b, "<"+wrapper+">"...)
		b = codec.AppendXMLMembers(b, plan, v)
		b = append(b, "</"+wrapper+">"...)
	}
	return append(b, "<ResponseMetadata><RequestId>"+x.id+"</RequestId></ResponseMetadata></"+op.Name+"Response>"...)
}

func ec2Body(x *exchange, plan *codec.Plan, v reflect.Value) []byte {
	name := x.operation.model.Name
	b := append(make([]byte, 0, 1024), declaration+"<"+name+`Response xmlns="`+x.service.model.Metadata.XMLNamespace+`/"><requestId>`+x.id+"</requestId>"...)
	if plan != nil {
		b = codec.AppendXMLMembers(b, plan, v)
	}
	return append(b, "</"+name+"Response>"...)
}

// replyREST writes headers, status and a body that is one member or all.
func (m *Mux) replyREST(x *exchange, plan *codec.Plan, v reflect.Value) error {
	header, status := x.w.Header(), http.StatusOK
	if s := x.operation.model.HTTP.ResponseCode; s != 0 {
		status = s
	}
	if plan == nil {
		m.write(x, status, nil)
		return nil
	}
	if s := codec.SetHeaders(plan, v, header); s != 0 {
		status = s
	}
	if header.Get("Content-Range") != "" {
		status = http.StatusPartialContent
	}
	payload := plan.Payload()
	if payload == nil {
		m.write(x, status, restBody(x, plan, v))
		return nil
	}
	pv := payload.Value(v)
	switch payload.Plan.Kind {
	case codec.Stream:
		return m.copy(x, status, pv)
	case codec.Blob:
		m.write(x, status, pv.Bytes())
		return nil
	case codec.String:
		body := ""
		if pv = reflect.Indirect(pv); pv.IsValid() {
			body = pv.String()
		}
		m.write(x, status, []byte(body))
		return nil
	}
	if pv.Kind() == reflect.Pointer && pv.IsNil() {
		m.write(x, status, nil)
		return nil
	}
	if x.protocol == restJSON {
		header.Set("Content-Type", "application/json")
		m.write(x, status, codec.AppendJSON(make([]byte, 0, 1024), payload.Plan, pv))
		return nil
	}
	header.Set("Content-Type", "application/xml")
	name := payload.Ref.LocationName
	if name == "" {
		name = payload.Plan.Shape.Name
	}
	body := codec.AppendXML([]byte(declaration), name, payload.Plan, pv, "")
	m.write(x, status, slices.Insert(body, len(declaration)+1+len(name), []byte(s3Namespace)...))
	return nil
}

// restBody is a body of all members; in XML none at all when no member belongs
// there.
func restBody(x *exchange, plan *codec.Plan, v reflect.Value) []byte {
	if x.protocol == restJSON {
		x.w.Header().Set("Content-Type", "application/json")
		return codec.AppendJSON(make([]byte, 0, 1024), plan, v)
	}
	members := false
	for i := range plan.Fields {
		members = members || plan.Fields[i].InBody()
	}
	if !members {
		return nil
	}
	x.w.Header().Set("Content-Type", "application/xml")
	name := rootOf(x.operation.model)
	if name == unwrapped {
		member := plan.Fields[0].Ref.Name
		return []byte(declaration + "<" + member + s3Namespace + ">" + escape(plan.Fields[0].Value(v).String()) + "</" + member + ">")
	}
	b := append([]byte(declaration), "<"+name+s3Namespace+">"...)
	return append(codec.AppendXMLMembers(b, plan, v), "</"+name+">"...)
}

// copy streams a body that the operation opened.
func (m *Mux) copy(x *exchange, status int, v reflect.Value) error {
	body, ok := v.Interface().(io.ReadCloser)
	if !ok {
		m.write(x, status, nil)
		return nil
	}
	defer body.Close()
	x.answered = true
	x.w.WriteHeader(status)
	if _, err := io.Copy(x.w, body); err != nil && x.r.Context().Err() == nil {
		m.config.Log.Warn("answer cut short", "operation", x.name, "request", x.id, "error", err)
		panic(http.ErrAbortHandler) // the length announced cannot be met
	}
	return nil
}
