package vpc

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// thread is an operating-system thread that lives in one network namespace.
// Only socket(2) and reads of /proc have to happen there; the descriptors work
// anywhere.
type thread struct {
	work chan func()
}

// newThread starts a thread and lets it run enter (setns or unshare) first.
// A thread that has left its namespace is never given back to the Go runtime:
// it ends with stop.
func newThread(enter func() error) (*thread, error) {
	t := &thread{work: make(chan func())}
	ready := make(chan error)
	go lock(func() {
		err := enter()
		ready <- err
		if err != nil {
			return
		}
		for f := range t.work {
			f()
		}
	})
	if err := <-ready; err != nil {
		return nil, err
	}
	return t, nil
}

// lock runs f on a thread that ends with it. The main thread is spared: its
// namespaces are what /proc/self shows, and it cannot end.
func lock(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		f()
		return
	}
	done := make(chan struct{})
	go func() { // on another thread, as this one is held until f returns
		defer close(done)
		runtime.LockOSThread()
		f()
	}()
	<-done
	runtime.UnlockOSThread()
}

// do runs f on the thread. It must not block for long.
func (t *thread) do(f func() error) error {
	err := make(chan error, 1)
	t.work <- func() { err <- f() }
	return <-err
}

// stop ends the thread; do must not be called any more.
func (t *thread) stop() { close(t.work) }

// joinNetns enters the namespace of an open descriptor.
func joinNetns(fd int) error {
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	return nil
}

// makeNetns enters a new, empty namespace with IPv6 off.
func makeNetns() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make network namespace: %w", err)
	}
	for _, conf := range []string{"all", "default"} {
		// A kernel without IPv6 has nothing to switch off.
		if err := sysctl("ipv6/conf/"+conf+"/disable_ipv6", "1"); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

// sysctl sets net/<name> of the calling thread's network namespace.
func sysctl(name, value string) error {
	return os.WriteFile("/proc/sys/net/"+name, []byte(value), 0)
}

// pinNetns makes the calling thread's network namespace outlive it.
func pinNetns(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	if err := unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("pin network namespace: %w", err)
	}
	return nil
}

// pinned tells whether a path is a pin of a namespace, and not only the file
// left by an attempt to make one.
func pinned(path string) bool {
	var s unix.Statfs_t
	return unix.Statfs(path, &s) == nil && s.Type == unix.NSFS_MAGIC
}

// unpin removes a pin, or the file for one.
func unpin(path string) error {
	for pinned(path) {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", path, err)
		}
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
