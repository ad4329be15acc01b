package logs

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/logsapi"
	events "github.com/slipway-dev/slipway/telemetry/logs"
)

// Limits of an answer with events (API reference).
const (
	maxEvents = 10_000
	maxAnswer = 1 << 20 // bytes of messages and overhead
)

// cursor is a token of GetLogEvents: f/<place>/s reads on behind a place,
// b/<place>/s back from before it.
type cursor struct {
	forward bool
	at      events.Pos
}

func (c cursor) String() string {
	if c.forward {
		return "f/" + c.at.String() + "/s"
	}
	return "b/" + c.at.String() + "/s"
}

func parseCursor(s string) (cursor, error) {
	direction, rest, _ := strings.Cut(s, "/")
	place, tail, _ := strings.Cut(rest, "/")
	at, err := events.ParsePos(place)
	if err != nil || tail != "s" || direction != "f" && direction != "b" {
		return cursor{}, errToken
	}
	return cursor{direction == "f", at}, nil
}

// GetLogEvents reads one stream in order of time: from its end unless
// StartFromHead, or on from a token. At an end the token comes back unchanged.
func (s *Service) GetLogEvents(ctx context.Context, in *logsapi.GetLogEventsInput) (*logsapi.GetLogEventsOutput, error) {
	snap := s.store.Snapshot()
	g, err := s.group(ctx, snap, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	st, err := Streams.Get(snap, g.Scope.Key(g.Name+":"+val(in.LogStreamName)))
	if err != nil {
		return nil, errNoStream
	}
	q := events.Query{
		Group: g.ID, Streams: []string{st.label()},
		From: max(val(in.StartTime), s.horizon(g)), To: val(in.EndTime),
	}
	cur := cursor{forward: val(in.StartFromHead), at: events.Pos{Timestamp: q.From}}
	if in.NextToken != nil {
		if cur, err = parseCursor(*in.NextToken); err != nil {
			return nil, err
		}
		if cur.forward {
			q.After = cur.at
		} else {
			q.Before = cur.at
		}
	}
	q.Reverse = !cur.forward
	var found []events.Event
	p := page{limit: limitOf(in.Limit)}
	err = s.events.Scan(ctx, q, func(e events.Event) bool {
		if !p.fits(e) {
			return false
		}
		found = append(found, e)
		return true
	})
	if err != nil {
		return nil, err
	}
	if q.Reverse {
		slices.Reverse(found)
	}
	out := &logsapi.GetLogEventsOutput{Events: []logsapi.OutputLogEvent{}}
	forward, backward := cur.around()
	if len(found) > 0 {
		forward, backward = cursor{true, found[len(found)-1].Pos()}, cursor{false, found[0].Pos()}
	}
	out.NextForwardToken, out.NextBackwardToken = new(forward.String()), new(backward.String())
	for _, e := range found {
		out.Events = append(out.Events, logsapi.OutputLogEvent{Timestamp: new(e.Timestamp), Message: new(e.Message), IngestionTime: new(e.Ingestion)})
	}
	return out, nil
}

// around are the tokens of an answer without events: the one asked with, and
// one the other way that misses nothing.
func (c cursor) around() (forward, backward cursor) {
	forward, backward = cursor{true, c.at}, cursor{false, c.at}
	switch {
	case c.forward && c.at.Seq < math.MaxUint64:
		backward.at.Seq++
	case !c.forward && c.at.Seq > 0:
		forward.at.Seq--
	}
	return forward, backward
}

func limitOf(limit *int32) int {
	if n := int(val(limit)); n > 0 && n < maxEvents {
		return n
	}
	return maxEvents
}

// page bounds an answer by events and bytes.
type page struct{ limit, events, bytes int }

// fits takes an event in, or says that the page is full. The first one fits
// always.
func (p *page) fits(e events.Event) bool {
	size := len(e.Message) + eventOverhead
	if p.events == p.limit || p.events > 0 && p.bytes+size > maxAnswer {
		return false
	}
	p.events++
	p.bytes += size
	return true
}
