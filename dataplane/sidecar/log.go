package sidecar

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/slipway-dev/slipway/api/xdsapi"
	"github.com/slipway-dev/slipway/dataplane/accesslog"
	"github.com/slipway-dev/slipway/dataplane/proxy"
)

// logs are the files of access logs. Once opened they stay so.
type logs struct {
	mu     sync.Mutex
	stdout io.Writer // nil: lines that go there are dropped
	files  map[string]io.Writer
}

// to finds the file that lines are appended to.
func (l *logs) to(path string) (func(line []byte), error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.files[path]
	switch {
	case w != nil:
	case path == "/dev/stdout":
		w = l.stdout
	case path == "/dev/stderr":
		w = os.Stderr
	default:
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // as Envoy makes it, for whoever reads logs
		if err != nil {
			return nil, fmt.Errorf("access log: %w", err)
		}
		w = f
		l.files[path] = f
	}
	return func(line []byte) {
		if w != nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			_, _ = w.Write(line)
		}
	}, nil
}

// log makes the access log of a connection manager, of which there may be one.
func (t *translation) log(list []*xdsapi.AccessLog) (*proxy.Log, error) {
	switch len(list) {
	case 0:
		return nil, nil
	case 1:
	default:
		return nil, errors.New("several access logs of one listener, which this proxy does not do")
	}
	var file xdsapi.FileAccessLog
	if err := xdsapi.Unpack(list[0].GetTypedConfig(), &file); err != nil {
		return nil, fmt.Errorf("access log %s: %w", list[0].GetName(), err)
	}
	format, err := formatOf(file.GetLogFormat())
	if err != nil {
		return nil, fmt.Errorf("access log %s: %w", file.GetPath(), err)
	}
	write, err := t.logs.to(file.GetPath())
	return &proxy.Log{Format: format, Write: write}, err
}

// formatOf is Envoy's own format when none is given.
func formatOf(f *xdsapi.SubstitutionFormatString) (*accesslog.Format, error) {
	switch {
	case f.GetJsonFormat() != nil:
		members := map[string]string{}
		for key, v := range f.GetJsonFormat().GetFields() {
			text, ok := v.GetKind().(*structpb.Value_StringValue)
			if !ok {
				return nil, fmt.Errorf("%s is not a string, and this proxy takes no other members", key)
			}
			members[key] = text.StringValue
		}
		return accesslog.JSON(members)
	case f.GetTextFormatSource() != nil:
		return accesslog.Text(f.GetTextFormatSource().GetInlineString())
	}
	return accesslog.Default(), nil
}
