package sandbox

import (
	"context"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// listeners are the host sockets that outlive engines, by requested address.
type listeners struct {
	mu  sync.Mutex // held while one is opened: two requests must not open it twice
	fds map[string]int
}

// get returns a copy of the listener of addr, opened with open if need be.
func (l *listeners) get(ctx context.Context, addr string, open func(context.Context, string) (int, error)) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fd, ok := l.fds[addr]
	if !ok {
		var err error
		if fd, err = open(ctx, addr); err != nil {
			return noFD, err
		}
		l.fds[addr] = fd
	}
	return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
}

func (l *listeners) drop(addr string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if fd, ok := l.fds[addr]; ok {
		unix.Close(fd)
		delete(l.fds, addr)
	}
}

func (l *listeners) list() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.fds))
}
