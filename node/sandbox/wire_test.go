package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// pair connects a caller to a peer that serves ops.
func pair(t testing.TB, ops map[string]handler, notice func(string, json.RawMessage)) (caller, server *peer) {
	t.Helper()
	a, b, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	if server, err = newPeer(b, serveOps(ops), nil); err != nil {
		t.Fatal(err)
	}
	if caller, err = newPeer(a, serveOps(nil), notice); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { caller.close(); server.close() })
	return caller, server
}

func openFDs(t testing.TB) int {
	t.Helper()
	e, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(e)
}

// Messages of every size come through both ways, many at a time, with and
// without a descriptor, and no descriptor is left over.
func TestPeerCarriesMessagesOfAnySize(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passed")
	if err := os.WriteFile(file, []byte("contents"), 0o600); err != nil {
		t.Fatal(err)
	}
	type ask struct {
		Text string
		File bool
	}
	caller, _ := pair(t, map[string]handler{"echo": op(func(_ context.Context, a ask) (any, int, error) {
		if !a.File {
			return a.Text, noFD, nil
		}
		fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return a.Text, fd, err
	})}, nil)
	before := openFDs(t)
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(0, 100), rapid.IntRange(inlineMax-200, inlineMax+200), rapid.Just(100<<10)), 1, 8).Draw(t, "sizes")
		withFile := rapid.Bool().Draw(t, "file")
		var wg sync.WaitGroup
		for _, n := range sizes {
			wg.Go(func() {
				text, got := strings.Repeat("x\"\n", n/3), ""
				fd, err := caller.call(context.Background(), "echo", ask{text, withFile}, &got)
				if err != nil || got != text || (fd != noFD) != withFile {
					t.Errorf("%d bytes: got %d, fd %d, %v", n, len(got), fd, err)
				}
				buf := make([]byte, 16)
				if n, _ := unix.Pread(fd, buf, 0); withFile && string(buf[:max(n, 0)]) != "contents" {
					t.Errorf("file says %q", buf)
				}
				closeFDs(fd)
			})
		}
		wg.Wait()
	})
	if !await(patience, func() bool { return openFDs(t) == before }) {
		t.Errorf("%d descriptors before, %d after", before, openFDs(t))
	}
}

func TestPeerErrors(t *testing.T) {
	late := make(chan struct{})
	caller, server := pair(t, map[string]handler{
		"exists": op(func(context.Context, any) (any, int, error) { return nil, noFD, fmt.Errorf("start x: %w", ErrExists) }),
		"errno": op(func(context.Context, any) (any, int, error) {
			return nil, noFD, &os.PathError{Op: "bind", Err: syscall.EADDRINUSE}
		}),
		"late": op(func(ctx context.Context, _ any) (any, int, error) {
			<-ctx.Done()
			defer close(late)
			fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			return nil, fd, errors.Join(err)
		}),
		"never": op(func(ctx context.Context, _ any) (any, int, error) { <-ctx.Done(); return nil, noFD, ctx.Err() }),
	}, nil)
	ctx := context.Background()
	if _, err := caller.call(ctx, "exists", nil, nil); !errors.Is(err, ErrExists) || errors.Is(err, ErrBusy) || err.Error() != "start x: container exists" {
		t.Errorf("sentinel: %v", err)
	}
	_, err := caller.call(ctx, "errno", nil, nil)
	if !errors.Is(failureOf(fmt.Errorf("again: %w", err)), syscall.EADDRINUSE) { // and once more on the way
		t.Errorf("errno: %v", err)
	}
	if _, err := caller.call(ctx, "nothing", nil, nil); err == nil {
		t.Error("unknown operation answered")
	}
	before := openFDs(t)
	brief, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := caller.call(brief, "late", nil, nil); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("late: %v", err)
	}
	<-late
	if !await(patience, func() bool { return openFDs(t) <= before+1 }) { // one, if it was in time
		t.Error("a descriptor that came too late stays open")
	}
	go server.close()
	if _, err := caller.call(ctx, "never", nil, nil); err == nil {
		t.Error("answered by nobody")
	}
}

// Notifications arrive in order, and an exit is not told twice while it waits.
func TestNotificationsAndExits(t *testing.T) {
	h := &Host{exits: newQueue()}
	_, server := pair(t, nil, h.notice)
	for _, id := range []string{"a", "b", "a", "c"} {
		if err := server.notify(noteExit, id); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.notify("other", 1); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for len(seen) < 3 {
		select {
		case id := <-h.exits.out:
			seen[id] = true
		case <-time.After(patience):
			t.Fatalf("only %v", seen)
		}
	}
}

// No packet, whatever it holds, makes decode fail otherwise than by an error, or
// leak a descriptor.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{}`, `{"Seq":1,"Op":"x","Body":[1]}`, `{"Big":9}`, `{"Big":-1}`, `{"Big":99999999999}`, `{`, `{"Err":{"Msg":"x","Kind":99}}`} {
		f.Add([]byte(s), 2)
	}
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		before := openFDs(t)
		var fds []int
		for range min(max(n, 0), 3) {
			fd, err := memfd([]byte("0123456789"))
			if err != nil {
				t.Fatal(err)
			}
			fds = append(fds, fd)
		}
		m, fd, err := decode(b, fds)
		if err != nil && fd != noFD {
			t.Errorf("%v and descriptor %d", err, fd)
		}
		if m.Err != nil {
			_ = errors.Is(m.Err, ErrExists)
		}
		closeFDs(fd)
		if after := openFDs(t); after != before {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
	})
}
