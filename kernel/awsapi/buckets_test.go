package awsapi

import (
	"bytes"
	"context"
	"io"
	"iter"
	"strings"
	"sync"

	"github.com/slipway-dev/slipway/api/logsapi"
	"github.com/slipway-dev/slipway/api/s3api"
)

// newBuckets is a Mux with the least of S3 that a client can store with, and a
// live tail.
func newBuckets() *Mux {
	var mu sync.Mutex
	objects := map[string][]byte{}
	meta := map[string]map[string]string{}
	s3, logs := NewService("s3"), NewService("logs")
	Handle(s3, "PutObject", func(_ context.Context, in *s3api.PutObjectInput) (*s3api.PutObjectOutput, error) {
		var body []byte
		if in.Body != nil {
			var err error
			if body, err = io.ReadAll(in.Body); err != nil {
				return nil, err
			}
		}
		mu.Lock()
		defer mu.Unlock()
		objects[*in.Key], meta[*in.Key] = body, in.Metadata
		return &s3api.PutObjectOutput{ETag: new(`"etag"`)}, nil
	})
	Handle(s3, "GetObject", func(_ context.Context, in *s3api.GetObjectInput) (*s3api.GetObjectOutput, error) {
		mu.Lock()
		defer mu.Unlock()
		body, ok := objects[*in.Key]
		if !ok {
			return nil, Errorf("NoSuchKey", 404, "The specified key does not exist.")
		}
		return &s3api.GetObjectOutput{Body: io.NopCloser(bytes.NewReader(body)), ContentLength: new(int64(len(body))), Metadata: meta[*in.Key]}, nil
	})
	Handle(s3, "HeadObject", func(_ context.Context, in *s3api.HeadObjectInput) (*s3api.HeadObjectOutput, error) {
		mu.Lock()
		defer mu.Unlock()
		body, ok := objects[*in.Key]
		if !ok {
			return nil, Errorf("NoSuchKey", 404, "The specified key does not exist.")
		}
		return &s3api.HeadObjectOutput{ContentLength: new(int64(len(body)))}, nil
	})
	Handle(s3, "ListObjectsV2", func(_ context.Context, in *s3api.ListObjectsV2Input) (*s3api.ListObjectsV2Output, error) {
		mu.Lock()
		defer mu.Unlock()
		out := &s3api.ListObjectsV2Output{Name: in.Bucket, IsTruncated: new(false), KeyCount: new(int32(len(objects)))}
		for k, v := range objects {
			out.Contents = append(out.Contents, s3api.Object{Key: &k, Size: new(int64(len(v)))})
		}
		return out, nil
	})
	Handle(logs, "StartLiveTail", func(_ context.Context, in *logsapi.StartLiveTailInput) (*logsapi.StartLiveTailOutput, error) {
		return &logsapi.StartLiveTailOutput{ResponseStream: tail(in.LogGroupIdentifiers)}, nil
	})
	return NewMux(testConfig(), s3, logs)
}

// tail is a session of one start, two updates and an error.
func tail(groups []string) iter.Seq2[logsapi.StartLiveTailResponseStream, error] {
	return func(yield func(logsapi.StartLiveTailResponseStream, error) bool) {
		start := logsapi.StartLiveTailResponseStream{SessionStart: &logsapi.LiveTailSessionStart{LogGroupIdentifiers: groups}}
		if !yield(start, nil) {
			return
		}
		for _, line := range strings.Fields("one two") {
			update := &logsapi.LiveTailSessionUpdate{SessionResults: []logsapi.LiveTailSessionLogEvent{{Message: &line}}}
			if !yield(logsapi.StartLiveTailResponseStream{SessionUpdate: update}, nil) {
				return
			}
		}
		yield(logsapi.StartLiveTailResponseStream{}, Errorf("SessionTimeoutException", 0, "over"))
	}
}
