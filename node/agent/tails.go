package agent

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// tails are the tails of all containers, woken by one inotify instance that
// watches the folder of their files: without output there is nothing to do.
type tails struct {
	writer LogWriter
	log    *slog.Logger

	mu      sync.Mutex
	byID    map[string]*tail
	byPath  map[string]*tail
	inotify *os.File
	watched map[string]int32 // folder -> watch
	started chan struct{}    // closed when inotify is there
	closed  bool
	running sync.WaitGroup
}

func newTails(writer LogWriter, log *slog.Logger) *tails {
	return &tails{
		writer: writer, log: log, byID: map[string]*tail{}, byPath: map[string]*tail{},
		watched: map[string]int32{}, started: make(chan struct{}),
	}
}

// follow begins to read a container's file; once for each container.
func (ts *tails) follow(ctx context.Context, cfg tailConfig) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.byID[cfg.id] != nil || ts.closed {
		return
	}
	if err := prepareOffset(cfg.offset); err != nil {
		ts.log.Warn("log offsets cannot be kept", "err", err)
	}
	t := &tail{
		tailConfig: cfg, writer: ts.writer, log: ts.log,
		woken: make(chan struct{}, 1), ended: make(chan struct{}), done: make(chan struct{}),
	}
	ts.byID[cfg.id], ts.byPath[cfg.path] = t, t
	ts.watch(filepath.Dir(cfg.path))
	ctx, t.cancel = context.WithCancel(ctx)
	ts.running.Go(func() { t.run(ctx) })
}

// close ends all tails and waits for them: the next agent reads on from where
// they have noted that they were.
func (ts *tails) close() {
	ts.mu.Lock()
	ts.closed = true
	for _, t := range ts.byID {
		t.cancel()
	}
	ts.mu.Unlock()
	ts.running.Wait()
}

// watch adds a folder to inotify; ts.mu is held.
func (ts *tails) watch(dir string) {
	if _, ok := ts.watched[dir]; ok {
		return
	}
	if ts.inotify == nil {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
		if err != nil {
			ts.log.Error("log files cannot be watched: fs.inotify.max_user_instances may be too low", "err", err)
			return
		}
		ts.inotify = os.NewFile(uintptr(fd), "inotify")
		close(ts.started)
	}
	conn, err := ts.inotify.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) {
		wd, err := unix.InotifyAddWatch(int(fd), dir, unix.IN_MODIFY|unix.IN_CREATE)
		if err != nil {
			ts.log.Error("log files cannot be watched", "dir", dir, "err", err)
			return
		}
		ts.watched[dir] = int32(wd)
	})
}

// run reads inotify's events until ctx ends.
func (ts *tails) run(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-ts.started:
	}
	ts.mu.Lock()
	f := ts.inotify
	ts.mu.Unlock()
	defer context.AfterFunc(ctx, func() { f.Close() })()
	buf := make([]byte, 16<<10)
	for {
		n, err := f.Read(buf)
		if err != nil {
			return
		}
		ts.dispatch(buf[:n])
		select { // one wake for many writes
		case <-time.After(tailPause / 5):
		case <-ctx.Done():
			return
		}
	}
}

// dispatch wakes the tails of the files that events name (inotify(7)).
func (ts *tails) dispatch(b []byte) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for len(b) >= unix.SizeofInotifyEvent {
		e := (*unix.InotifyEvent)(unsafe.Pointer(&b[0]))
		end := unix.SizeofInotifyEvent + int(e.Len)
		if end > len(b) {
			return
		}
		name := strings.TrimRight(string(b[unix.SizeofInotifyEvent:end]), "\x00")
		b = b[end:]
		if e.Mask&unix.IN_Q_OVERFLOW != 0 {
			for _, t := range ts.byPath {
				t.wake()
			}
			continue
		}
		for dir, wd := range ts.watched {
			if wd == e.Wd {
				if t := ts.byPath[filepath.Join(dir, name)]; t != nil {
					t.wake()
				}
			}
		}
	}
}

func (ts *tails) get(id string) *tail {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.byID[id]
}

// finish says that a container has ended: its tail reads to the end.
func (ts *tails) finish(id string) {
	if t := ts.get(id); t != nil {
		t.finish()
	}
}

// drain waits until a container's output is written, or for so long.
func (ts *tails) drain(id string, patience time.Duration) {
	t := ts.get(id)
	if t == nil {
		return
	}
	t.finish()
	select {
	case <-t.done:
	case <-time.After(patience):
		t.cancel()
		ts.log.Warn("the last lines of a container are given up", "container", id)
	}
}

// forget ends the reading; the last lines are kept until drop.
func (ts *tails) forget(id string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t := ts.byID[id]; t != nil {
		delete(ts.byPath, t.path)
		_ = os.Remove(t.offset) // no loss if it stays
	}
}

// drop forgets a container's last lines too.
func (ts *tails) drop(id string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.byID, id)
}

// last returns a container's last lines.
func (ts *tails) last(id string, n int) []string {
	t := ts.get(id)
	if t == nil || n <= 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.last[max(0, len(t.last)-n):])
}
