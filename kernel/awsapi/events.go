package awsapi

import (
	"errors"
	"net/http"
	"reflect"

	"github.com/slipway-dev/slipway/kernel/awsapi/codec"
)

// replyEvents writes an answer whose member is a sequence of events, each as
// soon as the operation yields it. The sequence ends when the client leaves or
// with an error, which the client gets as an exception event.
func (m *Mux) replyEvents(x *exchange, plan *codec.Plan, v reflect.Value) error {
	field := plan.EventStream()
	seq := field.Value(v)
	if seq.IsNil() {
		return errors.New("the operation returned no event stream")
	}
	x.w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
	x.answered = true
	x.w.WriteHeader(http.StatusOK)
	send := func(frame []byte) bool {
		if _, err := x.w.Write(frame); err != nil {
			return false
		}
		return http.NewResponseController(x.w).Flush() == nil && x.r.Context().Err() == nil
	}
	if x.protocol == jsonRPC { // the other members, as JSON-RPC has no other place for them
		initial := codec.AppendJSON(nil, plan, v)
		if !send(codec.AppendEvent(nil, initial, ":event-type", "initial-response", ":content-type", "application/json", ":message-type", "event")) {
			return nil
		}
	}
	events := eventPlan(x.service, field, seq.Type())
	yield := reflect.MakeFunc(seq.Type().In(0), func(args []reflect.Value) []reflect.Value {
		frame := eventFrame(m, x, events, args[0], args[1])
		return []reflect.Value{reflect.ValueOf(send(frame) && args[1].IsNil())}
	})
	seq.Call([]reflect.Value{yield})
	return nil
}

// eventPlan is the plan of one event; seq is iter.Seq2[Event, error].
func eventPlan(s *Service, f *codec.Field, seq reflect.Type) *codec.Plan {
	return s.plans.For(f.Ref.Shape, seq.In(0).In(0))
}

// eventFrame encodes the event: the one field of the union that is set, or the
// error.
func eventFrame(m *Mux, x *exchange, plan *codec.Plan, event, failure reflect.Value) []byte {
	if err, ok := failure.Interface().(error); ok && err != nil {
		f := m.fault(x, err)
		return codec.AppendEvent(nil, f.json(false), ":exception-type", f.shape, ":content-type", "application/json", ":message-type", "exception")
	}
	for i := range plan.Fields {
		f := &plan.Fields[i]
		fv := f.Value(event)
		if fv.IsNil() {
			continue
		}
		payload := codec.AppendJSON(nil, f.Plan, fv)
		return codec.AppendEvent(nil, payload, ":event-type", f.Ref.Name, ":content-type", "application/json", ":message-type", "event")
	}
	return nil
}
