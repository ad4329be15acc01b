// Package logs is Amazon CloudWatch Logs: log groups, streams and events.
//
// Groups and streams are rows; events lie in telemetry/logs, below names that
// a group and a stream get when they are made and that are never used again.
// So a deleted group or stream is out of sight at once, and a loop removes its
// bytes; one made anew under the same name begins empty.
package logs

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
	events "github.com/slipway-dev/slipway/telemetry/logs"
)

// Config of a Service.
type Config struct {
	Store  *store.Store
	Events *events.Store
	Log    *slog.Logger // default: slog.Default()
	// KeyAllowed says whether CloudWatch Logs may use a KMS key for a log
	// group; nil allows none.
	KeyAllowed func(ctx context.Context, scope arn.Scope, key, groupARN string) bool
	Now        func() time.Time // default time.Now
}

// Service implements the operations of CloudWatch Logs.
type Service struct {
	store      *store.Store
	events     *events.Store
	log        *slog.Logger
	keyAllowed func(ctx context.Context, scope arn.Scope, key, groupARN string) bool
	now        func() time.Time
}

// New makes the service.
func New(cfg Config) *Service {
	s := &Service{store: cfg.Store, events: cfg.Events, log: cfg.Log, keyAllowed: cfg.KeyAllowed, now: cfg.Now}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.keyAllowed == nil {
		s.keyAllowed = func(context.Context, arn.Scope, string, string) bool { return false }
	}
	return s
}

// Groups are keyed by scope and name.
var Groups = store.NewTable("logs/group", func(g Group) string { return g.Scope.Key(g.Name) },
	store.Index("id", func(g Group) []string { return []string{g.ID} }))

// Streams are keyed by scope and group:stream.
var Streams = store.NewTable("logs/stream", func(s Stream) string { return s.Scope.Key(s.Group + ":" + s.Name) })

// Tables are the tables of CloudWatch Logs.
func Tables() []store.Schema { return []store.Schema{Groups, Streams} }

// Group is a log group.
type Group struct {
	Scope     arn.Scope
	Name      string
	ID        string // of its events in telemetry/logs
	CreatedAt int64  // milliseconds since 1970
	Retention int    // days; 0 keeps events for ever
	KMSKey    string
	Class     string // STANDARD, INFREQUENT_ACCESS, DELIVERY
	Protected bool   // from deletion
	Tags      map[string]string
}

// ARN of the group, without ":*".
func (g Group) ARN() string { return g.Scope.ARN("logs", "log-group:"+g.Name) }

// Stream is a log stream.
type Stream struct {
	Scope     arn.Scope
	Group     string
	Name      string
	ID        string // unique among all streams there ever were
	CreatedAt int64
}

// ARN of the stream.
func (s Stream) ARN() string {
	return s.Scope.ARN("logs", "log-group:"+s.Group+":log-stream:"+s.Name)
}

// label names the stream to telemetry/logs; its id goes first.
func (s Stream) label() string { return s.ID + "/" + s.Name }

// streamName is the name in a label.
func streamName(label string) string {
	_, name, _ := strings.Cut(label, "/")
	return name
}

// API lists the operations for the endpoint.
func (s *Service) API() *awsapi.Service {
	a := awsapi.NewService("logs")
	awsapi.Handle(a, "CreateLogGroup", s.CreateLogGroup)
	awsapi.Handle(a, "DeleteLogGroup", s.DeleteLogGroup)
	awsapi.Handle(a, "DescribeLogGroups", s.DescribeLogGroups)
	awsapi.Handle(a, "CreateLogStream", s.CreateLogStream)
	awsapi.Handle(a, "DeleteLogStream", s.DeleteLogStream)
	awsapi.Handle(a, "DescribeLogStreams", s.DescribeLogStreams)
	awsapi.Handle(a, "PutLogEvents", s.PutLogEvents)
	awsapi.Handle(a, "GetLogEvents", s.GetLogEvents)
	awsapi.Handle(a, "FilterLogEvents", s.FilterLogEvents)
	awsapi.Handle(a, "StartLiveTail", s.StartLiveTail)
	awsapi.Handle(a, "PutRetentionPolicy", s.PutRetentionPolicy)
	awsapi.Handle(a, "DeleteRetentionPolicy", s.DeleteRetentionPolicy)
	awsapi.Handle(a, "TagResource", s.TagResource)
	awsapi.Handle(a, "UntagResource", s.UntagResource)
	awsapi.Handle(a, "ListTagsForResource", s.ListTagsForResource)
	awsapi.Handle(a, "TagLogGroup", s.TagLogGroup)
	awsapi.Handle(a, "UntagLogGroup", s.UntagLogGroup)
	awsapi.Handle(a, "ListTagsLogGroup", s.ListTagsLogGroup)
	return a
}

// Resources lists the CloudFormation resource types.
func (s *Service) Resources() []cfn.Type {
	return []cfn.Type{
		cfn.Of("AWS::Logs::LogGroup", logGroups{s}),
		cfn.Of("AWS::Logs::LogStream", logStreams{s}),
	}
}

func val[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
