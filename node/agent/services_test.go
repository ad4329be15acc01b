package agent_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/node/agent"
)

// waiter is a service that notes where it is open.
type waiter struct {
	mu     sync.Mutex
	open   map[string]int
	begun  int
	quit   chan struct{} // ends one by itself
	closed int           // listeners that were closed when their service was to end
}

func (s *waiter) serve(ctx context.Context, vpc string, l net.Listener) {
	s.note(func() { s.open[vpc]++; s.begun++ })
	defer s.note(func() { s.open[vpc]-- })
	select {
	case <-ctx.Done():
		if _, err := l.Accept(); errors.Is(err, net.ErrClosed) {
			s.note(func() { s.closed++ })
		}
	case <-s.quit:
	}
}

func (s *waiter) note(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// where lists the VPCs in which the service is open.
func (s *waiter) where() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var at []string
	for _, vpc := range slices.Sorted(maps.Keys(s.open)) {
		for range s.open[vpc] {
			at = append(at, vpc)
		}
	}
	return strings.Join(at, " ")
}

func TestServicesAreThereAsLongAsTasks(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.stop()
		s := &waiter{open: map[string]int{}, quit: make(chan struct{})}
		w.services = []agent.TaskService{{Addr: "169.254.170.2:15010", Serve: s.serve}}
		w.run()
		expect := func(when, want string) {
			t.Helper()
			settle(time.Second)
			if got := s.where(); got != want {
				t.Errorf("%s: open in %q, want %q", when, got, want)
			}
		}
		a, b, other := newTask(0, essential("app")), newTask(1, essential("app")), newTask(2, essential("app"))
		other.VPC = "vpc-2"
		expect("before", "")
		w.network.deaf = errors.New("address in use")
		w.put(a)
		expect("while it cannot be opened", "")
		w.network.deaf = nil
		w.put(b)
		expect("with the next task", "vpc-1")
		w.put(other)
		expect("with a task elsewhere", "vpc-1 vpc-2")
		s.quit <- struct{}{}
		settle(time.Second)
		w.change(a.ARN, func(t *agent.Task) { t.Tags = map[string]string{"a": "b"} })
		w.change(other.ARN, func(t *agent.Task) { t.Tags = map[string]string{"a": "b"} })
		expect("after it has ended by itself", "vpc-1 vpc-2")

		stop := func(arn string) { w.change(arn, func(t *agent.Task) { t.Stopped = true }) }
		stop(a.ARN)
		expect("one of two has stopped", "vpc-1 vpc-2")
		stop(b.ARN)
		expect("the last one has stopped", "vpc-2")
		w.put(newTask(3, essential("app")))
		expect("another one comes", "vpc-1 vpc-2")
		w.stop()
		if got := s.where(); got != "" || s.closed != s.begun-1 {
			t.Errorf("after the agent: open in %q, %d of %d were closed", got, s.closed, s.begun)
		}
		w.run()
		expect("a new agent", "vpc-1 vpc-2")
	})
}

func TestTaskAt(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		at := func(vpc, ip string) string {
			task, _ := w.agent.TaskAt(vpc, ip)
			return task.ID
		}
		old, other := newTask(0, essential("app")), newTask(1, essential("app"))
		other.VPC, other.IP = "vpc-2", old.IP
		w.put(old)
		w.put(other)
		settle(time.Second)
		if at("vpc-1", old.IP) != old.ID || at("vpc-2", old.IP) != other.ID || at("vpc-1", "10.0.0.99") != "" || at("vpc-3", old.IP) != "" {
			t.Error("a task is taken for another")
		}
		w.change(old.ARN, func(t *agent.Task) { t.Stopped = true })
		settle(time.Second)
		if got := at("vpc-1", old.IP); got != "" {
			t.Errorf("%s has stopped and is still there", got)
		}
		next := newTask(2, essential("app")) // gets the address
		next.IP = old.IP
		w.put(next)
		settle(time.Second)
		if got := at("vpc-1", old.IP); got != next.ID {
			t.Errorf("%s has the address", got)
		}
	})
}
