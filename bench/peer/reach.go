package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/slipway-dev/slipway/tests/rig"
)

// reach gives every task's port 8080 an address on this host's loopback, so
// that a benchmark can ask tasks directly, without the load balancer.
type reach struct {
	engine *rig.Engine
	mu     sync.Mutex
	tasks  map[int]*door // by pid
}

// door is one task's listener on the host.
type door struct {
	id string
	ln net.Listener
}

type endpoint struct{ ID, Addr string }

func newReach(e *rig.Engine) *reach { return &reach{engine: e, tasks: map[int]*door{}} }

// endpoints are the tasks whose processes run now.
func (r *reach) endpoints() ([]endpoint, error) {
	processes, err := r.engine.Tasks("")
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	list, seen := []endpoint{}, map[int]bool{}
	for _, p := range processes {
		seen[p.Pid] = true
		d := r.tasks[p.Pid]
		if d == nil {
			if d, err = open(p.Pid); err != nil {
				continue // it has ended meanwhile
			}
			r.tasks[p.Pid] = d
		}
		list = append(list, endpoint{d.id, d.ln.Addr().String()})
	}
	for pid, d := range r.tasks {
		if !seen[pid] {
			d.ln.Close()
			delete(r.tasks, pid)
		}
	}
	return list, nil
}

func (r *reach) pid(id string) (int, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for pid, d := range r.tasks {
		if d.id == id {
			return pid, true
		}
	}
	return 0, false
}

func open(pid int) (*door, error) {
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &door{id: strconv.Itoa(pid), ln: ln}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go pass(c, pid)
		}
	}()
	return d, nil
}

// pass joins a connection with one to the task's own loopback.
func pass(c net.Conn, pid int) {
	defer c.Close()
	to, err := dialIn(pid)
	if err != nil {
		return
	}
	defer to.Close()
	go func() {
		_, _ = io.Copy(to, c)
		to.Close()
	}()
	_, _ = io.Copy(c, to)
}

// dialIn connects to 127.0.0.1:8080 within the network namespace of a
// process. Only the socket has to be made there: the thread that does it is not
// used for anything else again.
func dialIn(pid int) (net.Conn, error) {
	type result struct {
		c   net.Conn
		err error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		c, err := func() (net.Conn, error) {
			ns, err := unix.Open(fmt.Sprintf("/proc/%d/ns/net", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return nil, err
			}
			defer unix.Close(ns)
			if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
				return nil, err
			}
			return (&net.Dialer{}).Dial("tcp", "127.0.0.1:8080")
		}()
		done <- result{c, err}
	}()
	r := <-done
	return r.c, r.err
}
