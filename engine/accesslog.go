package engine

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/slipway-dev/slipway/kernel/arn"
)

// accessLog keeps the access logs of load balancers that ask for them in
// files of the state directory, <name>.log, and the file before in
// <name>.log.1. There is no S3 yet to take them.
type accessLog struct {
	dir   string
	log   *slog.Logger
	lines chan accessLine
}

type accessLine struct {
	balancer string
	line     []byte
}

const (
	accessLogBytes = 16 << 20 // of a file
	accessLogQueue = 4096     // lines that may wait for the disk
)

func newAccessLog(dir string, log *slog.Logger) *accessLog {
	return &accessLog{dir: dir, log: log, lines: make(chan accessLine, accessLogQueue)}
}

// write takes a line; it drops lines rather than hold up requests, as the
// load balancers of AWS do (their access logs are "best effort").
func (a *accessLog) write(balancerARN string, line []byte) {
	select {
	case a.lines <- accessLine{balancerARN, line}:
	default:
	}
}

// run writes the lines until ctx ends.
func (a *accessLog) run(ctx context.Context) error {
	files := map[string]*os.File{}
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case l := <-a.lines:
			if err := a.append(files, l); err != nil {
				a.log.Warn("access log", "balancer", l.balancer, "err", err)
			}
		}
	}
}

func (a *accessLog) append(files map[string]*os.File, l accessLine) (err error) {
	f := files[l.balancer]
	if f == nil {
		if f, err = a.open(l.balancer); err != nil {
			return err
		}
		files[l.balancer] = f
	}
	if _, err := f.Write(l.line); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if st, err := f.Stat(); err == nil && st.Size() > accessLogBytes {
		delete(files, l.balancer)
		f.Close()
		return os.Rename(f.Name(), f.Name()+".1")
	}
	return nil
}

// open names the file after the load balancer: app/<name>/<id> in its ARN.
func (a *accessLog) open(balancerARN string) (*os.File, error) {
	parsed, err := arn.Parse(balancerARN)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return nil, err
	}
	name := filepath.Base(filepath.Dir(parsed.Resource))
	return os.OpenFile(filepath.Join(a.dir, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
}
