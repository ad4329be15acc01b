package logs

import (
	"context"
	"errors"

	"github.com/slipway-dev/slipway/api/logsapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
)

// logStreamProps is AWS::Logs::LogStream.
type logStreamProps struct {
	LogStreamName string `cfn:"id,createOnly"`
	LogGroupName  string `cfn:"required,createOnly"`
}

type logStreams struct{ s *Service }

func (h logStreams) Create(ctx context.Context, p *logStreamProps) error {
	req, _ := cfn.From(ctx)
	name := p.LogStreamName
	if name == "" {
		name = req.Name(512)
	}
	_, err := h.s.CreateLogStream(ctx, &logsapi.CreateLogStreamInput{LogGroupName: new(p.LogGroupName), LogStreamName: new(name)})
	if errors.Is(err, errStreamExists) && awsapi.Token(ctx) != "" {
		// Ours when it has the id that this token makes.
		st, serr := Streams.Get(h.s.store.Snapshot(), awsapi.CallerOf(ctx).Key(p.LogGroupName+":"+name))
		if serr == nil && st.ID == streamID(awsapi.WithToken(ctx, awsapi.Token(ctx))) {
			err = nil
		}
	}
	if err == nil {
		p.LogStreamName = name
	}
	return err
}

func (h logStreams) Read(ctx context.Context, p *logStreamProps) error {
	_, err := Streams.Get(h.s.store.Snapshot(), awsapi.CallerOf(ctx).Key(p.LogGroupName+":"+p.LogStreamName))
	return err
}

func (h logStreams) Delete(ctx context.Context, p *logStreamProps) error {
	_, err := h.s.DeleteLogStream(ctx, &logsapi.DeleteLogStreamInput{LogGroupName: new(p.LogGroupName), LogStreamName: new(p.LogStreamName)})
	if errors.Is(err, errNoStream) || errors.Is(err, errNoGroup) {
		return nil
	}
	return err
}
