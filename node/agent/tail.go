package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	tailChunk    = 64 << 10
	tailBatch    = 1 << 20 // bytes that are written at once, as PutLogEvents takes them
	tailPause    = 25 * time.Millisecond
	tailIdle     = time.Second // until a multi-line event counts as complete
	punchStep    = 1 << 20
	keptLines    = 100
	keptLineSize = 4 << 10
)

type tailConfig struct {
	id, path  string
	offset    string     // file that remembers how much was written
	stream    *LogStream // nil: keep the last lines only
	multiline *regexp.Regexp
}

// tail carries one container's log file to its stream. What was written is
// remembered after each write and punched out of the file; a crash between a
// write and its note repeats that write, and nothing is left out.
type tail struct {
	tailConfig
	writer LogWriter
	log    *slog.Logger
	woken  chan struct{}
	ended  chan struct{} // closed when the container has ended
	done   chan struct{}
	end    sync.Once
	cancel context.CancelFunc

	mu   sync.Mutex
	last []string
}

// wake says that the file has grown, or may have.
func (t *tail) wake() {
	select {
	case t.woken <- struct{}{}:
	default:
	}
}

// finish says that the container has ended.
func (t *tail) finish() { t.end.Do(func() { close(t.ended) }) }

// run reads until the container has ended and all of it is written.
func (t *tail) run(ctx context.Context) {
	defer close(t.done)
	defer t.cancel()
	f, err := t.open(ctx)
	if err != nil {
		if ctx.Err() == nil {
			t.log.Warn("log file cannot be read", "file", t.path, "err", err)
		}
		return
	}
	defer f.Close()
	r := &reading{tail: t, file: f, frame: framer{start: t.multiline}, at: t.restore(f)}
	r.punched = r.at
	for {
		ended := isClosed(t.ended) // before the read: nothing is written after it
		if r.readAll(ctx) != nil {
			return
		}
		if ended {
			_ = r.deliver(ctx, r.frame.flush(true))
			return
		}
		var idle <-chan time.Time
		if len(r.frame.event) > 0 {
			idle = time.After(tailIdle)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.ended:
		case <-idle:
			if r.deliver(ctx, r.frame.flush(false)) != nil {
				return
			}
		case <-t.woken:
			select { // let more come together
			case <-time.After(tailPause):
			case <-t.ended:
			case <-ctx.Done():
				return
			}
		}
	}
}

// open opens the file, which the launcher may not have made yet.
func (t *tail) open(ctx context.Context) (*os.File, error) {
	for {
		f, err := os.OpenFile(t.path, os.O_RDWR, 0)
		if !errors.Is(err, os.ErrNotExist) {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-t.ended:
			f, err := os.OpenFile(t.path, os.O_RDWR, 0)
			return f, err
		case <-t.woken:
		}
	}
}

// restore is the offset up to which the file was written before.
func (t *tail) restore(f *os.File) int64 {
	b, err := os.ReadFile(t.offset)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return 0
	}
	if st, err := f.Stat(); err != nil || n > st.Size() {
		return 0
	}
	return n
}

// reading is the state of a tail's goroutine.
type reading struct {
	*tail
	file    *os.File
	frame   framer
	at      int64 // read so far
	punched int64
}

// readAll carries over what the file has. It fails only when ctx ends.
func (r *reading) readAll(ctx context.Context) error {
	buf := make([]byte, tailChunk)
	var events []string
	size := 0
	for {
		n, err := r.file.ReadAt(buf, r.at)
		r.at += int64(n)
		more := r.frame.push(buf[:n])
		events = append(events, more...)
		size += n
		if size >= tailBatch {
			if err := r.deliver(ctx, events); err != nil {
				return err
			}
			events, size = events[:0], 0
		}
		if n == 0 || err != nil {
			if err != nil && !errors.Is(err, io.EOF) {
				r.log.Warn("log file cannot be read", "file", r.path, "err", err)
			}
			return r.deliver(ctx, events)
		}
	}
}

// deliver writes events until they are taken, and then notes it.
func (r *reading) deliver(ctx context.Context, lines []string) error {
	if len(lines) == 0 {
		return ctx.Err()
	}
	r.keep(lines)
	if r.stream != nil && r.writer != nil {
		now := time.Now()
		events := make([]LogEvent, 0, len(lines))
		for _, l := range lines {
			if l != "" { // CloudWatch Logs takes no empty event
				events = append(events, LogEvent{now, l})
			}
		}
		if err := r.insist(ctx, events); err != nil {
			return err
		}
	}
	done := r.at - r.frame.pending()
	if err := keepOffset(r.offset, done); err != nil {
		r.log.Warn("log offset cannot be kept", "file", r.offset, "err", err)
	}
	if step := done &^ 4095; step-r.punched >= punchStep {
		if unix.Fallocate(int(r.file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, r.punched, step-r.punched) == nil {
			r.punched = step
		}
	}
	return nil
}

// keepOffset overwrites the digits in place: the file is never shorter, so an
// engine that is killed in between leaves the old offset or the new one.
func keepOffset(path string, offset int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(fmt.Appendf(nil, "%019d", offset), 0)
	return err
}

// insist repeats a write until it succeeds or ctx ends.
func (r *reading) insist(ctx context.Context, events []LogEvent) error {
	if len(events) == 0 {
		return nil
	}
	for delay := 100 * time.Millisecond; ; delay = min(2*delay, 10*time.Second) {
		err := r.writer.Write(ctx, *r.stream, events)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			r.log.Warn("log lines cannot be written", "group", r.stream.Group, "stream", r.stream.Stream, "err", err, "again", delay)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(delay):
		}
	}
}

// keep remembers the last lines.
func (t *tail) keep(lines []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range lines[max(0, len(lines)-keptLines):] {
		if len(l) > keptLineSize {
			l = l[:keptLineSize] + "..."
		}
		t.last = append(t.last, l)
	}
	if extra := len(t.last) - keptLines; extra > 0 {
		t.last = append(t.last[:0:0], t.last[extra:]...)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// prepareOffset makes the folder of offsets.
func prepareOffset(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keep log offsets: %w", err)
	}
	return nil
}
