package awsapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/slipway-dev/slipway/kernel/awsapi/codec"
)

// fault is an error as the protocol needs it: the model may give an error one
// name as a shape and another on the wire of the query protocols.
type fault struct {
	shape, code, message string
	status               int
	sender               bool // the client's doing, not ours
	fields               map[string]any
}

// fail writes an error in the shape of the protocol.
func (m *Mux) fail(x *exchange, err error) {
	f := m.fault(x, err)
	if x.answered {
		panic(http.ErrAbortHandler) // the connection ends, so the client notices
	}
	header := x.w.Header()
	m.identify(x)
	var body []byte
	switch x.protocol {
	case jsonRPC:
		header.Set("Content-Type", "application/x-amz-json-"+x.jsonVersion)
		body = f.json(true)
	case restJSON:
		header.Set("Content-Type", "application/json")
		header.Set("X-Amzn-Errortype", f.shape)
		body = f.json(false)
	case cborRPC:
		header.Set("Content-Type", "application/cbor")
		header.Set("Smithy-Protocol", "rpc-v2-cbor")
		body = codec.CBORError(f.shape, f.message)
	case restXML:
		header.Set("Content-Type", "application/xml")
		body = f.xml(x)
	default:
		header.Set("Content-Type", "text/xml")
		body = f.xml(x)
	}
	if x.queryMode && (x.protocol == jsonRPC || x.protocol == cborRPC) {
		header.Set("X-Amzn-Query-Error", f.code+";"+f.side())
	}
	if f.status == http.StatusNotModified {
		header.Del("Content-Type")
		x.w.WriteHeader(f.status)
		return
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(f.status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(body) // the client may be gone
	}
}

// fault translates any error into what the client sees. What is not an *Error
// is ours to answer for: logged in full, told in general.
func (m *Mux) fault(x *exchange, err error) fault {
	if errors.Is(err, ErrInvalidToken) && x.service != nil {
		t := x.service.words.Token
		err = Errorf(t.Code, http.StatusBadRequest, "%s", t.Message)
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		code := "InternalFailure"
		if x.service != nil {
			code = x.service.words.Internal
		}
		if !errors.Is(err, context.Canceled) {
			m.config.Log.Error("operation failed", "operation", x.name, "request", x.id, "error", err)
		}
		e = Errorf(code, http.StatusInternalServerError, "An internal error occurred. Request %s.", x.id)
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			e.Message = "The engine cannot write: no space is left on its disk. Nothing that was acknowledged is lost; free space and try again. Request " + x.id + "."
		}
	}
	f := fault{shape: e.Code, code: e.Code, message: e.Message, status: e.Status, sender: true, fields: e.Fields}
	if x.service != nil {
		f.consult(x.service)
	}
	if f.status == 0 {
		f.status = http.StatusBadRequest
	}
	f.sender = f.sender && f.status < 500
	return f
}

// consult takes names, status and side from the model's error shape.
func (f *fault) consult(s *Service) {
	shape := s.faults()[f.code]
	if shape == nil {
		return
	}
	f.shape, f.sender = shape.Name, !shape.Fault
	if shape.Error == nil {
		return
	}
	if shape.Error.Code != "" {
		f.code = shape.Error.Code
	}
	if f.status == 0 {
		f.status = shape.Error.HTTPStatusCode
	}
}

func (f *fault) side() string {
	if f.sender {
		return "Sender"
	}
	return "Receiver"
}

func (f *fault) json(named bool) []byte {
	b := []byte{'{'}
	if named {
		b = append(codec.AppendJSONString(append(b, `"__type":`...), f.shape), ',')
	}
	b = codec.AppendJSONString(append(b, `"message":`...), f.message)
	for _, k := range slices.Sorted(maps.Keys(f.fields)) {
		raw, err := json.Marshal(f.fields[k])
		if err != nil {
			continue
		}
		b = append(codec.AppendJSONString(append(b, ','), k), ':')
		b = append(b, raw...)
	}
	return append(b, '}')
}

func (f *fault) xml(x *exchange) []byte {
	var fields strings.Builder
	for _, k := range slices.Sorted(maps.Keys(f.fields)) {
		fmt.Fprintf(&fields, "<%s>%s</%s>", k, escape(fmt.Sprint(f.fields[k])), k)
	}
	code, message := escape(f.code), escape(f.message)
	switch x.protocol {
	case ec2Query:
		return fmt.Appendf(nil, "%s<Response><Errors><Error><Code>%s</Code><Message>%s</Message>%s</Error></Errors><RequestID>%s</RequestID></Response>",
			declaration, code, message, fields.String(), x.id)
	case restXML:
		return fmt.Appendf(nil, "%s<Error><Code>%s</Code><Message>%s</Message>%s<Resource>%s</Resource><RequestId>%s</RequestId><HostId>%s</HostId></Error>",
			declaration, code, message, fields.String(), escape(x.r.URL.Path), x.id, x.id)
	}
	namespace := ""
	if x.service != nil {
		namespace = x.service.model.Metadata.XMLNamespace
	}
	return fmt.Appendf(nil, "<ErrorResponse xmlns=\"%s\"><Error><Type>%s</Type><Code>%s</Code><Message>%s</Message>%s</Error><RequestId>%s</RequestId></ErrorResponse>",
		namespace, f.side(), code, message, fields.String(), x.id)
}

const declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

func escape(s string) string { return string(codec.AppendXMLText(nil, s)) }
