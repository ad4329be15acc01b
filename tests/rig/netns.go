package rig

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Inside runs f in the network namespace of a process, on a thread that ends
// with it. Only root may.
func Inside(pid int, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err != nil {
			done <- err
			return
		}
		defer ns.Close()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter the network of process %d: %w", pid, err)
			return
		}
		done <- f()
	}()
	return <-done
}

// DialInside connects as a process of a task would, from its network: what
// the task's proxy intercepts, it intercepts.
func DialInside(ctx context.Context, pid int, addr string) (c net.Conn, err error) {
	err = Inside(pid, func() (err error) {
		c, err = (&net.Dialer{}).DialContext(ctx, "tcp4", addr)
		return err
	})
	return c, err
}
