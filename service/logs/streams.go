package logs

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/slipway-dev/slipway/api/logsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// sequenceToken is what clients that still ask for one are given; it is not
// looked at.
const sequenceToken = "49039859564563963696369636963696369636963696369636963696"

func (s *Service) newStream(g Group, name, id string) Stream {
	return Stream{Scope: g.Scope, Group: g.Name, Name: name, ID: id, CreatedAt: s.now().UnixMilli()}
}

// streamID makes the id of a new stream.
func streamID(ctx context.Context) string { return awsapi.NewID(ctx, "s", 16) }

// CreateLogStream makes an empty stream.
func (s *Service) CreateLogStream(ctx context.Context, in *logsapi.CreateLogStreamInput) (*logsapi.CreateLogStreamOutput, error) {
	id := streamID(ctx)
	err := s.store.Update(func(tx *store.Tx) error {
		g, err := s.group(ctx, tx, in.LogGroupName, nil)
		if err != nil {
			return err
		}
		return Streams.Create(tx, s.newStream(g, val(in.LogStreamName), id))
	})
	if errors.Is(err, store.ErrExists) {
		return nil, errStreamExists
	}
	return &logsapi.CreateLogStreamOutput{}, err
}

// DeleteLogStream removes a stream with its events.
func (s *Service) DeleteLogStream(ctx context.Context, in *logsapi.DeleteLogStreamInput) (*logsapi.DeleteLogStreamOutput, error) {
	var group Group
	var gone Stream
	err := s.store.Update(func(tx *store.Tx) error {
		g, err := s.group(ctx, tx, in.LogGroupName, nil)
		if err != nil {
			return err
		}
		st, err := Streams.Get(tx, g.Scope.Key(g.Name+":"+val(in.LogStreamName)))
		if err != nil {
			return errNoStream
		}
		Streams.Delete(tx, Streams.Key(st))
		group, gone = g, st
		return nil
	})
	if err != nil {
		return nil, err
	}
	// The loop does it too, in case this process ends first.
	if err := s.events.RemoveStreams(group.ID, func(l string) bool { return l == gone.label() }); err != nil {
		s.log.Warn("remove events of a deleted log stream", "group", group.Name, "stream", gone.Name, "err", err)
	}
	return &logsapi.DeleteLogStreamOutput{}, nil
}

// DescribeLogStreams lists streams by name or by their latest event.
func (s *Service) DescribeLogStreams(ctx context.Context, in *logsapi.DescribeLogStreamsInput) (*logsapi.DescribeLogStreamsOutput, error) {
	byTime := in.OrderBy == logsapi.OrderByLastEventTime
	if byTime && val(in.LogStreamNamePrefix) != "" {
		return nil, errOrderPrefix
	}
	snap := s.store.Snapshot()
	g, err := s.group(ctx, snap, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	stats := s.events.Streams(g.ID)
	streams := slices.Collect(Streams.List(snap, g.Scope.Key(g.Name+":"+val(in.LogStreamNamePrefix))))
	if byTime {
		slices.SortStableFunc(streams, func(a, b Stream) int {
			return cmp.Compare(stats[a.label()].Last, stats[b.label()].Last)
		})
	}
	if val(in.Descending) {
		slices.Reverse(streams)
	}
	page, next, err := awsapi.Page(streams, Streams.Key, in.NextToken, int(val(in.Limit)), 50)
	if err != nil {
		return nil, errToken
	}
	out := &logsapi.DescribeLogStreamsOutput{LogStreams: []logsapi.LogStream{}, NextToken: next}
	for _, st := range page {
		d := logsapi.LogStream{
			LogStreamName: new(st.Name), CreationTime: new(st.CreatedAt), Arn: new(st.ARN()),
			UploadSequenceToken: new(sequenceToken), StoredBytes: new(int64(0)), // always 0 since June 2019, says the API reference
		}
		if e, ok := stats[st.label()]; ok {
			d.FirstEventTimestamp, d.LastEventTimestamp, d.LastIngestionTime = new(e.First), new(e.Last), new(e.LastIngestion)
		}
		out.LogStreams = append(out.LogStreams, d)
	}
	return out, nil
}
