package awsapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/slipway-dev/slipway/kernel/awsapi/codec"
)

// response reads an answer into out, or returns the *Error it carries.
func (e *encoding) response(resp *http.Response, out any) error {
	if resp.StatusCode >= 300 {
		body, err := readAnswer(resp)
		if err != nil {
			return err
		}
		return e.failure(resp, body)
	}
	if e.out == nil {
		_, err := readAnswer(resp)
		return err
	}
	if field := e.out.EventStream(); field != nil {
		return e.events(resp, field, out)
	}
	if e.protocol == restJSON || e.protocol == restXML {
		return e.restResponse(resp, out)
	}
	body, err := readAnswer(resp)
	if err != nil {
		return err
	}
	tree, err := e.tree(body)
	if err != nil {
		return err
	}
	return codec.Bind(e.out, e.answerNames(), tree, out)
}

// answerNames is the family of names in answers: both query protocols answer
// in XML.
func (e *encoding) answerNames() codec.Protocol {
	if e.protocol == query || e.protocol == ec2Query {
		return codec.XML
	}
	return e.protocol.names()
}

// tree parses the part of an answer that holds the output's members.
func (e *encoding) tree(body []byte) (any, error) {
	switch e.protocol {
	case jsonRPC, restJSON:
		return codec.ParseJSON(body)
	case cborRPC:
		return codec.ParseCBOR(body)
	}
	root, err := codec.ParseXML(body)
	if err != nil || root == nil {
		return nil, err
	}
	if e.protocol == query {
		wrapper := e.operation.Output.ResultWrapper
		if wrapper == "" {
			wrapper = e.operation.Name + "Result"
		}
		if root = root.Child(wrapper); root == nil {
			return nil, nil
		}
	}
	return root, nil
}

func (e *encoding) restResponse(resp *http.Response, out any) error {
	if err := codec.BindHeaders(e.out, resp.Header, resp.StatusCode, out); err != nil {
		return err
	}
	payload := e.out.Payload()
	if payload != nil && payload.Plan.Kind == codec.Stream {
		payload.Value(reflect.ValueOf(out).Elem()).Set(reflect.ValueOf(resp.Body))
		return nil
	}
	body, err := readAnswer(resp)
	if err != nil {
		return err
	}
	if payload == nil {
		tree, err := e.tree(body)
		if err != nil {
			return err
		}
		if root, ok := tree.(*codec.Element); ok && e.protocol == restXML && rootOf(e.operation) == unwrapped {
			tree = &codec.Element{Children: []*codec.Element{root}}
		}
		return codec.Bind(e.out, e.answerNames(), tree, out)
	}
	v := payload.Value(reflect.ValueOf(out).Elem())
	switch payload.Plan.Kind {
	case codec.Blob:
		v.SetBytes(body)
		return nil
	case codec.String:
		return codec.BindValue(payload.Plan, codec.XML, string(body), v)
	}
	if len(body) == 0 {
		return nil
	}
	tree, err := e.tree(body)
	if err != nil {
		return err
	}
	return codec.BindValue(payload.Plan, e.answerNames(), tree, v)
}

// failure reads an error answer. One that is in no known shape becomes an Error
// with the status as code.
func (e *encoding) failure(resp *http.Response, body []byte) error {
	err := &Error{Status: resp.StatusCode}
	switch e.protocol {
	case query, ec2Query, restXML:
		err.fromXML(body)
	case cborRPC:
		if tree, parseErr := codec.ParseCBOR(body); parseErr == nil {
			err.fromTree(tree)
		}
	default:
		var tree any
		if json.Unmarshal(body, &tree) == nil {
			err.fromTree(tree)
		}
		if t := resp.Header.Get("X-Amzn-Errortype"); err.Code == "" {
			err.Code, _, _ = strings.Cut(t, ":")
		}
	}
	if err.Code == "" {
		err.Code = http.StatusText(resp.StatusCode)
		err.Message = strings.TrimSpace(string(bytes.ToValidUTF8(body[:min(len(body), 512)], nil)))
	}
	return err
}

func (e *Error) fromXML(body []byte) {
	root, parseErr := codec.ParseXML(body)
	if parseErr != nil || root == nil {
		return
	}
	if root.Name == "Response" {
		root = root.Child("Errors")
	}
	if root != nil && root.Name != "Error" {
		root = root.Child("Error")
	}
	if code := root.Child("Code"); code != nil {
		e.Code = code.Text
	}
	if m := root.Child("Message"); m != nil {
		e.Message = m.Text
	}
}

func (e *Error) fromTree(tree any) {
	m, ok := tree.(map[string]any)
	if !ok {
		return
	}
	code, _ := m["__type"].(string)
	e.Code = code[strings.LastIndexByte(code, '#')+1:]
	for _, k := range []string{"message", "Message", "errorMessage"} {
		if s, ok := m[k].(string); ok {
			e.Message = s
		}
	}
	for k, v := range m {
		if k != "__type" && !strings.EqualFold(k, "message") {
			if e.Fields == nil {
				e.Fields = map[string]any{}
			}
			e.Fields[k] = v
		}
	}
}

// events makes the sequence of events in an answer. Reading it to its end, or
// stopping early, closes the connection.
func (e *encoding) events(resp *http.Response, field *codec.Field, out any) error {
	target := field.Value(reflect.ValueOf(out).Elem())
	seq := target.Type()
	plan := eventPlan(e.service, field, seq)
	target.Set(reflect.MakeFunc(seq, func(args []reflect.Value) []reflect.Value {
		defer resp.Body.Close()
		for {
			event, err := e.event(resp.Body, plan)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err == nil && !event.IsValid() {
				continue // initial-response
			}
			failure := reflect.Zero(reflect.TypeFor[error]())
			if err != nil {
				event, failure = reflect.Zero(plan.Type), reflect.ValueOf(&err).Elem()
			}
			if goOn := args[0].Call([]reflect.Value{event, failure}); err != nil || !goOn[0].Bool() {
				return nil
			}
		}
	}))
	return nil
}

// event reads one event; the zero Value for one that the union does not have.
func (e *encoding) event(r io.Reader, plan *codec.Plan) (reflect.Value, error) {
	frame, err := codec.ReadEvent(r)
	if err != nil {
		return reflect.Value{}, err
	}
	tree, err := codec.ParseJSON(frame.Payload)
	if err != nil {
		return reflect.Value{}, fmt.Errorf("read event: %w", err)
	}
	if frame.Headers[":message-type"] == "exception" {
		failure := new(Error)
		failure.fromTree(tree)
		failure.Code = frame.Headers[":exception-type"]
		return reflect.Value{}, failure
	}
	for i := range plan.Fields {
		f := &plan.Fields[i]
		if f.Ref.Name != frame.Headers[":event-type"] {
			continue
		}
		event := reflect.New(plan.Type).Elem()
		return event, codec.BindValue(f.Plan, codec.JSON, tree, f.Value(event))
	}
	return reflect.Value{}, nil
}
