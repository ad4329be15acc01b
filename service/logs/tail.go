package logs

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/logsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	events "github.com/slipway-dev/slipway/telemetry/logs"
	"github.com/slipway-dev/slipway/telemetry/logs/pattern"
)

// Limits of a live tail session (CloudWatch Logs user guide, Live Tail).
const (
	tailEvery   = time.Second
	tailUpdate  = 500 // events in one update; with more it is a sample
	tailSession = 3 * time.Hour
)

// StartLiveTail streams the events of up to ten groups as they come in, once
// a second, for at most three hours.
func (s *Service) StartLiveTail(ctx context.Context, in *logsapi.StartLiveTailInput) (*logsapi.StartLiveTailOutput, error) {
	match, err := pattern.Parse(val(in.LogEventFilterPattern))
	if err != nil {
		return nil, errPattern(err)
	}
	if len(in.LogGroupIdentifiers) > 1 && len(in.LogStreamNames)+len(in.LogStreamNamePrefixes) > 0 {
		return nil, errInvalid("Log streams can be given for a single log group only.")
	}
	snap := s.store.Snapshot()
	arns := map[string]string{}
	var ids []string
	for _, id := range in.LogGroupIdentifiers {
		g, err := s.group(ctx, snap, nil, &id)
		if err != nil {
			return nil, err
		}
		arns[g.ID] = strings.TrimPrefix(g.Scope.Account+":"+g.Name, ":")
		ids = append(ids, g.ID)
	}
	wanted := func(e events.Tailed) bool {
		name := streamName(e.Stream)
		if len(in.LogStreamNames) > 0 && !slices.Contains(in.LogStreamNames, name) {
			return false
		}
		if len(in.LogStreamNamePrefixes) > 0 &&
			!slices.ContainsFunc(in.LogStreamNamePrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			return false
		}
		return match.Match(e.Message)
	}
	start := &logsapi.LiveTailSessionStart{
		RequestId: new(awsapi.RequestID(ctx)), SessionId: new(awsapi.NewID(ctx, "", 32)),
		LogGroupIdentifiers: in.LogGroupIdentifiers, LogStreamNames: in.LogStreamNames,
		LogStreamNamePrefixes: in.LogStreamNamePrefixes, LogEventFilterPattern: in.LogEventFilterPattern,
	}
	stream := func(yield func(logsapi.StartLiveTailResponseStream, error) bool) {
		tail := s.events.Follow(ids...)
		defer tail.Close()
		if !yield(logsapi.StartLiveTailResponseStream{SessionStart: start}, nil) {
			return
		}
		tick := time.NewTicker(tailEvery)
		defer tick.Stop()
		end := time.NewTimer(tailSession)
		defer end.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-end.C:
				yield(logsapi.StartLiveTailResponseStream{}, awsapi.Errorf("SessionTimeoutException", 400, "The session has ended after three hours."))
				return
			case <-tick.C:
				if !yield(logsapi.StartLiveTailResponseStream{SessionUpdate: update(tail, arns, wanted)}, nil) {
					return
				}
			}
		}
	}
	return &logsapi.StartLiveTailOutput{ResponseStream: stream}, nil
}

// update is what came in since the last one.
func update(tail *events.Tail, groups map[string]string, wanted func(events.Tailed) bool) *logsapi.LiveTailSessionUpdate {
	came, sampled := tail.Take()
	out := &logsapi.LiveTailSessionUpdate{SessionResults: []logsapi.LiveTailSessionLogEvent{}}
	for _, e := range came {
		if !wanted(e) {
			continue
		}
		if len(out.SessionResults) == tailUpdate {
			sampled = true
			break
		}
		out.SessionResults = append(out.SessionResults, logsapi.LiveTailSessionLogEvent{
			LogGroupIdentifier: new(groups[e.Group]), LogStreamName: new(streamName(e.Stream)),
			Message: new(e.Message), Timestamp: new(e.Timestamp), IngestionTime: new(e.Ingestion),
		})
	}
	out.SessionMetadata = &logsapi.LiveTailSessionMetadata{Sampled: new(sampled)}
	return out
}
