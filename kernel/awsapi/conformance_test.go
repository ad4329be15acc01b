package awsapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi/codec"
)

// TestEveryOperationRoundTrips sends generated values through client and server
// for every operation of every model, and wants the same values to arrive, in
// both directions.
func TestEveryOperationRoundTrips(t *testing.T) {
	p := newProving(t)
	for _, o := range operations {
		t.Run(o.service+"/"+o.name, func(t *testing.T) { p.prove(t, o) })
	}
}

// TestCloudWatchSpeaksThreeProtocols does the same for the protocols that the
// client does not choose by itself.
func TestCloudWatchSpeaksThreeProtocols(t *testing.T) {
	for _, protocol := range []string{"json", "query", "smithy-rpc-v2-cbor"} {
		p := newProving(t)
		p.client.service("cloudwatch").model.Metadata.Protocol = protocol
		p.client.service("cloudwatch").model.Metadata.JSONVersion = "1.0"
		for _, o := range operations {
			if o.service == "cloudwatch" {
				t.Run(protocol+"/"+o.name, func(t *testing.T) { p.prove(t, o) })
			}
		}
	}
}

// proving is a server that implements everything, and a client for it.
type proving struct {
	client   *Client
	services map[string]*Service
	mux      *Mux
	got      any // input that arrived last
	plan     *codec.Plan
	streamed string // and the body, when it is a stream
}

func newProving(t *testing.T) *proving {
	p := &proving{services: map[string]*Service{}}
	var all []*Service
	for _, name := range api.Names() {
		p.services[name] = NewService(name)
		p.services[name].unchecked = true
		all = append(all, p.services[name])
	}
	for _, o := range operations {
		s := p.services[o.service]
		s.handle(o.name, o.in, o.out, func(_ context.Context, in any) (any, error) {
			p.streamed = drain(reflect.ValueOf(in).Elem())
			p.got = in
			var plan *codec.Plan
			p.plan, plan = s.operations[o.name].plans()
			return generated(plan, o.out), nil
		})
	}
	p.mux = NewMux(testConfig(), all...)
	server := httptest.NewServer(p.mux)
	t.Cleanup(server.Close)
	p.client = NewClient(ClientConfig{Endpoint: server.URL, Region: testScope.Region, AccessKey: testKey, SecretKey: testSecret})
	return p
}

var testScope = arn.Scope{Account: "123456789012", Region: "eu-central-1"}

const testKey, testSecret = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

func testConfig() Config {
	return Config{
		DefaultScope: testScope,
		Credentials: func(id string) (Credential, bool) {
			c := Credential{AccessKey: testKey, SecretKey: testSecret, Account: testScope.Account, ARN: "arn:aws:iam::123456789012:root", UserID: "123456789012"}
			return c, id == testKey
		},
	}
}

func (p *proving) prove(t *testing.T, o modelled) {
	s := p.services[o.service]
	inPlan, outPlan := s.operations[o.name].plans()
	in, out := generated(inPlan, o.in), reflect.New(o.out).Interface()
	p.got, p.streamed = nil, ""
	if err := p.client.call(t.Context(), o.service, o.name, in, out); err != nil {
		t.Fatal(err)
	}
	same(t, "request", generated(inPlan, o.in), p.got, p.streamed)
	want := generated(outPlan, o.out)
	if head(s, o.name) {
		headersOnly(outPlan, want)
	}
	same(t, "answer", want, out, drain(reflect.ValueOf(out).Elem()))
}

// head reports whether the operation's answer cannot have a body.
func head(s *Service, op string) bool { return s.model.Operations[op].HTTP.Method == http.MethodHead }

func headersOnly(plan *codec.Plan, v any) {
	if plan == nil {
		return
	}
	for i := range plan.Fields {
		if plan.Fields[i].InBody() {
			plan.Fields[i].Value(reflect.ValueOf(v).Elem()).SetZero()
		}
	}
}

// same compares values whose streams were drained.
func same(t *testing.T, what string, want, got any, streamed string) {
	t.Helper()
	if got == nil {
		t.Fatalf("%s did not arrive", what)
	}
	if s := drain(reflect.ValueOf(want).Elem()); s != streamed {
		t.Errorf("%s: streamed %q, want %q", what, streamed, s)
	}
	if !reflect.DeepEqual(want, got) {
		t.Errorf("%s: %s", what, difference("", reflect.ValueOf(want), reflect.ValueOf(got)))
	}
}

// drain reads the stream of a struct, if it has one, and removes it.
func drain(v reflect.Value) string {
	for i := range v.NumField() {
		f := v.Field(i)
		if f.IsZero() {
			continue
		}
		if body, ok := f.Interface().(io.ReadCloser); ok {
			raw, err := io.ReadAll(body)
			body.Close()
			f.SetZero()
			if err != nil {
				return err.Error()
			}
			return string(raw)
		}
		if f.Kind() == reflect.Func {
			return drainEvents(f)
		}
	}
	return ""
}

// drainEvents pulls a sequence of events; the text names what came.
func drainEvents(f reflect.Value) string {
	var b strings.Builder
	yield := reflect.MakeFunc(f.Type().In(0), func(args []reflect.Value) []reflect.Value {
		if err, _ := args[1].Interface().(error); err != nil {
			b.WriteString("error " + err.Error())
		} else {
			for i := range args[0].NumField() {
				if !args[0].Field(i).IsNil() {
					b.WriteString(args[0].Type().Field(i).Name + " ")
				}
			}
		}
		return []reflect.Value{reflect.ValueOf(true)}
	})
	f.Call([]reflect.Value{yield})
	f.SetZero()
	return b.String()
}

// difference names the first place where two values differ.
func difference(path string, want, got reflect.Value) string {
	switch {
	case want.IsValid() != got.IsValid():
		return path + ": only one is there"
	case want.Type() == reflect.TypeFor[time.Time]():
		if !reflect.DeepEqual(want.Interface(), got.Interface()) {
			return path + ": want " + want.Interface().(time.Time).String() + ", got " + got.Interface().(time.Time).String()
		}
		return ""
	}
	switch want.Kind() {
	case reflect.Pointer, reflect.Interface:
		if want.IsNil() || got.IsNil() {
			if want.IsNil() != got.IsNil() {
				return path + ": one is nil"
			}
			return ""
		}
		return difference(path, want.Elem(), got.Elem())
	case reflect.Struct:
		for i := range want.NumField() {
			if d := difference(path+"."+want.Type().Field(i).Name, want.Field(i), got.Field(i)); d != "" {
				return d
			}
		}
		return ""
	case reflect.Slice:
		if want.Len() != got.Len() {
			return path + ": other length"
		}
		for i := range want.Len() {
			if d := difference(path+"[]", want.Index(i), got.Index(i)); d != "" {
				return d
			}
		}
	case reflect.Map:
		for _, k := range want.MapKeys() {
			if d := difference(path+"."+k.String(), want.MapIndex(k), got.MapIndex(k)); d != "" {
				return d
			}
		}
	}
	if !reflect.DeepEqual(want.Interface(), got.Interface()) {
		return path + ": want " + show(want) + ", got " + show(got)
	}
	return ""
}

func show(v reflect.Value) string {
	s := strings.TrimSpace(reflect.Indirect(v).String())
	return s
}

// generated makes a pointer to a t in which everything is set.
func generated(p *codec.Plan, t reflect.Type) any {
	v := reflect.New(t)
	if p != nil {
		generate(p, v.Elem(), nil, 6)
	}
	return v.Interface()
}

// generate sets v and reports whether it did: recursion ends at some depth.
func generate(p *codec.Plan, v reflect.Value, f *codec.Field, depth int) bool {
	if v.Kind() == reflect.Pointer {
		n := reflect.New(v.Type().Elem())
		if !generate(p, n.Elem(), f, depth) {
			return false
		}
		v.Set(n)
		return true
	}
	if depth == 0 && (p.Kind == codec.Struct || p.Kind == codec.List || p.Kind == codec.Map || p.Kind == codec.Document) {
		return false
	}
	switch p.Kind {
	case codec.Struct:
		return generateStruct(p, v, depth)
	case codec.List:
		s := reflect.MakeSlice(v.Type(), 2, 2)
		if !generate(p.Elem, s.Index(0), f, depth-1) || !generate(p.Elem, s.Index(1), f, depth-1) {
			return false
		}
		v.Set(s)
	case codec.Map:
		e := reflect.New(v.Type().Elem()).Elem()
		if !generate(p.Elem, e, f, depth-1) {
			return false
		}
		key := "k1"
		if len(p.Key.Shape.Enum) > 0 {
			key = p.Key.Shape.Enum[0]
		}
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf(key), e)
	case codec.String:
		v.SetString(sample(p, f))
	case codec.Int:
		v.SetInt(7)
		if f != nil && f.Ref.LocationName == "Content-Length" {
			v.SetInt(int64(len(streamText)))
		}
	case codec.Float:
		v.SetFloat(1.5)
	case codec.Bool:
		v.SetBool(true)
	case codec.Blob:
		v.SetBytes([]byte("\x00blob"))
	case codec.Time:
		v.Set(reflect.ValueOf(time.Unix(1700000000, 0).UTC()))
	case codec.Document:
		v.Set(reflect.ValueOf(map[string]any{"any": "thing"}))
	case codec.Stream:
		generateStream(v)
	}
	return true
}

func generateStruct(p *codec.Plan, v reflect.Value, depth int) bool {
	for i := range p.Fields {
		f := &p.Fields[i]
		if generate(f.Plan, f.Value(v), f, depth-1) && p.Shape.Union {
			return true
		}
	}
	return !p.Shape.Union
}

const streamText = "streamed \x00 bytes"

func generateStream(v reflect.Value) {
	if v.Type() == reflect.TypeFor[io.ReadCloser]() {
		v.Set(reflect.ValueOf(io.NopCloser(strings.NewReader(streamText))))
		return
	}
	v.Set(reflect.MakeFunc(v.Type(), func(args []reflect.Value) []reflect.Value {
		event := reflect.New(v.Type().In(0).In(0)).Elem()
		for i := range event.NumField() {
			event.SetZero()
			event.Field(i).Set(reflect.New(event.Field(i).Type().Elem()))
			args[0].Call([]reflect.Value{event, reflect.Zero(reflect.TypeFor[error]())})
		}
		event.SetZero()
		var err error = Errorf("SessionTimeoutException", 0, "over")
		args[0].Call([]reflect.Value{event, reflect.ValueOf(&err).Elem()})
		return nil
	}))
}

// sample is text that only its place keeps from being nasty.
func sample(p *codec.Plan, f *codec.Field) string {
	if len(p.Shape.Enum) > 0 {
		return p.Shape.Enum[0]
	}
	if f != nil {
		switch f.Ref.Location {
		case "uri":
			return "a b/é&+=?%"
		case "header", "headers":
			return "header value; with=signs"
		}
	}
	return "s&<é> \"x\"\n'y'"
}

func TestHandleRefusesWhatTheModelDoesNotHave(t *testing.T) {
	s := NewService("sts")
	type in struct{ A *string }
	for name, f := range map[string]func(){
		"unknown operation": func() { Handle(s, "Nope", func(context.Context, *in) (*in, error) { return nil, errors.New("") }) },
		"wrong type": func() {
			Handle(s, "AssumeRole", func(context.Context, *in) (*in, error) { return nil, errors.New("") })
		},
		"unknown service": func() { NewService("nope") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}
