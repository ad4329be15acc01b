package logs

import (
	"context"
	"encoding/base64"

	"github.com/slipway-dev/slipway/api/logsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	events "github.com/slipway-dev/slipway/telemetry/logs"
	"github.com/slipway-dev/slipway/telemetry/logs/pattern"
)

// scanBudget is how many events one FilterLogEvents looks at; with more it
// answers with what it found and a token, as AWS does.
const scanBudget = 100_000

// FilterLogEvents searches streams of a group, merged in order of time.
func (s *Service) FilterLogEvents(ctx context.Context, in *logsapi.FilterLogEventsInput) (*logsapi.FilterLogEventsOutput, error) {
	snap := s.store.Snapshot()
	g, err := s.group(ctx, snap, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	labels, err := chosen(snap, g, in.LogStreamNames, in.LogStreamNamePrefix)
	if err != nil {
		return nil, err
	}
	match, err := pattern.Parse(val(in.FilterPattern))
	if err != nil {
		return nil, errPattern(err)
	}
	q := events.Query{Group: g.ID, Streams: labels, From: max(val(in.StartTime), s.horizon(g))}
	if in.EndTime != nil {
		q.To = *in.EndTime + 1 // the end is part of the range here
	}
	if in.NextToken != nil {
		raw, err := base64.RawURLEncoding.DecodeString(*in.NextToken)
		if err == nil {
			q.After, err = events.ParsePos(string(raw))
		}
		if err != nil {
			return nil, errToken
		}
	}
	out := &logsapi.FilterLogEventsOutput{Events: []logsapi.FilteredLogEvent{}, SearchedLogStreams: []logsapi.SearchedLogStream{}}
	p := page{limit: limitOf(in.Limit)}
	last, more, looked := q.After, false, 0
	err = s.events.Scan(ctx, q, func(e events.Event) bool {
		if looked++; looked > scanBudget {
			more = true
			return false
		}
		if match.Match(e.Message) {
			if !p.fits(e) {
				more = true
				return false
			}
			out.Events = append(out.Events, logsapi.FilteredLogEvent{
				LogStreamName: new(streamName(e.Stream)), Timestamp: new(e.Timestamp), Message: new(e.Message),
				IngestionTime: new(e.Ingestion), EventId: new(e.ID()),
			})
		}
		last = e.Pos()
		return true
	})
	if err != nil {
		return nil, err
	}
	if more {
		out.NextToken = new(base64.RawURLEncoding.EncodeToString([]byte(last.String())))
	}
	return out, nil
}

// chosen are the labels of the streams to read.
func chosen(r store.Reader, g Group, names []string, prefix *string) ([]string, error) {
	labels := []string{}
	if len(names) > 0 {
		if prefix != nil {
			return nil, errPrefixNames
		}
		for _, n := range names {
			st, err := Streams.Get(r, g.Scope.Key(g.Name+":"+n))
			if err != nil {
				return nil, errNoStream
			}
			labels = append(labels, st.label())
		}
		return labels, nil
	}
	for st := range Streams.List(r, g.Scope.Key(g.Name+":"+val(prefix))) {
		labels = append(labels, st.label())
	}
	return labels, nil
}
