package logs

import (
	"context"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/slipway-dev/slipway/api/logsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
	events "github.com/slipway-dev/slipway/telemetry/logs"
)

// Limits of PutLogEvents (API reference).
const (
	maxBatch      = 1 << 20 // bytes of a batch, and of an event, overhead included
	eventOverhead = 26
	maxMessage    = maxBatch - eventOverhead
	maxSpan       = 24 * time.Hour
	maxAhead      = 2 * time.Hour
	maxAge        = 14 * 24 * time.Hour
)

// Write appends events to a stream, which is made when missing, and so is the
// group when createGroup is set; otherwise a missing group is
// ResourceNotFoundException. It is the agent's way in: batches of any size,
// longer lines parted as the awslogs driver does.
func (s *Service) Write(ctx context.Context, scope arn.Scope, group, stream string, createGroup bool, es []events.Event) error {
	snap := s.store.Snapshot()
	g, err := Groups.Get(snap, scope.Key(group))
	st, err2 := Streams.Get(snap, scope.Key(group+":"+stream))
	if err != nil || err2 != nil {
		fresh, id := s.newGroup(ctx, scope, group), streamID(ctx)
		err := s.store.Update(func(tx *store.Tx) error {
			var err error
			if g, err = Groups.Get(tx, scope.Key(group)); err != nil {
				if !createGroup {
					return errNoGroup
				}
				g = fresh
				Groups.Put(tx, g)
			}
			if st, err = Streams.Get(tx, scope.Key(group+":"+stream)); err != nil {
				st = s.newStream(g, stream, id)
				Streams.Put(tx, st)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return s.events.Append(g.ID, st.label(), cut(es))
}

// cut parts messages that are longer than an event may be.
func cut(es []events.Event) []events.Event {
	long := func(e events.Event) bool { return len(e.Message) > maxMessage }
	if !slices.ContainsFunc(es, long) {
		return es
	}
	var out []events.Event
	for _, e := range es {
		for long(e) {
			n := maxMessage
			for n > maxMessage-utf8.UTFMax && !utf8.RuneStart(e.Message[n]) {
				n--
			}
			head := e
			head.Message = e.Message[:n]
			out = append(out, head)
			e.Message = e.Message[n:]
		}
		out = append(out, e)
	}
	return out
}

// PutLogEvents appends a batch. Events too old, too new or past the retention
// are left out and told of.
func (s *Service) PutLogEvents(ctx context.Context, in *logsapi.PutLogEventsInput) (*logsapi.PutLogEventsOutput, error) {
	snap := s.store.Snapshot()
	g, err := s.group(ctx, snap, in.LogGroupName, nil)
	if err != nil {
		return nil, err
	}
	st, err := Streams.Get(snap, g.Scope.Key(g.Name+":"+val(in.LogStreamName)))
	if err != nil {
		return nil, errNoStream
	}
	if err := checkBatch(in.LogEvents); err != nil {
		return nil, err
	}
	accepted, rejected := s.sift(g, in.LogEvents)
	if err := s.events.Append(g.ID, st.label(), accepted); err != nil {
		return nil, err
	}
	return &logsapi.PutLogEventsOutput{NextSequenceToken: new(sequenceToken), RejectedLogEventsInfo: rejected}, nil
}

func checkBatch(batch []logsapi.InputLogEvent) error {
	total := 0
	for i, e := range batch {
		size := len(val(e.Message)) + eventOverhead
		if size > maxBatch {
			return errTooLarge("Log event too large", size)
		}
		total += size
		if i > 0 && val(e.Timestamp) < val(batch[i-1].Timestamp) {
			return errOrder
		}
	}
	if total > maxBatch {
		return errTooLarge("Upload too large", total)
	}
	if n := len(batch); n > 0 && val(batch[n-1].Timestamp)-val(batch[0].Timestamp) > maxSpan.Milliseconds() {
		return errSpan
	}
	return nil
}

// sift parts a batch, which is in order of time, into what is taken and what
// is not.
func (s *Service) sift(g Group, batch []logsapi.InputLogEvent) ([]events.Event, *logsapi.RejectedLogEventsInfo) {
	now := s.now()
	newest, oldest := now.Add(maxAhead).UnixMilli(), now.Add(-maxAge).UnixMilli()
	expired := s.horizon(g)
	var out []events.Event
	var old, gone, ahead int
	ahead = len(batch)
	for i, e := range batch {
		t := val(e.Timestamp)
		switch {
		case t > newest:
			ahead = min(ahead, i)
		case t < expired:
			gone = i + 1
		case t < oldest:
			old = i + 1
		default:
			out = append(out, events.Event{Timestamp: t, Message: val(e.Message)})
		}
	}
	if old == 0 && gone == 0 && ahead == len(batch) {
		return out, nil
	}
	info := &logsapi.RejectedLogEventsInfo{}
	if old > 0 {
		info.TooOldLogEventEndIndex = new(int32(old))
	}
	if gone > 0 {
		info.ExpiredLogEventEndIndex = new(int32(gone))
	}
	if ahead < len(batch) {
		info.TooNewLogEventStartIndex = new(int32(ahead))
	}
	return out, info
}

// horizon is the time in milliseconds before which a group keeps no events; 0
// for one that keeps all.
func (s *Service) horizon(g Group) int64 {
	if g.Retention == 0 {
		return 0
	}
	return s.now().AddDate(0, 0, -g.Retention).UnixMilli()
}
