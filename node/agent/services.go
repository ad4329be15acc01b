package agent

import (
	"context"
	"net"
	"sync"
)

// TaskService is served to tasks in every VPC that has any, as the metadata
// endpoint is.
type TaskService struct {
	// Addr is an address of the VPC's router, "169.254.170.2:15010". The packet
	// filter must let tasks reach it (node/vpc).
	Addr string
	// Serve answers at l until ctx ends, with the last task of the VPC or with
	// the agent. It must then close its connections too: an open socket keeps the
	// VPC's network namespace. l is closed for it. Who asks says Agent.TaskAt.
	Serve func(ctx context.Context, vpc string, l net.Listener)
}

// services are the TaskServices of every VPC.
type services struct {
	agent *Agent
	list  []TaskService

	mu     sync.Mutex
	open   map[string][]func() // by VPC id: closes each service, nil where one does not run
	closed bool
	wg     sync.WaitGroup
}

func newServices(a *Agent, list ...TaskService) *services {
	return &services{agent: a, list: list, open: map[string][]func(){}}
}

// serve opens what is not open in a VPC yet. What fails, or ends by itself, is
// tried again with the next step of a task there.
func (s *services) serve(vpc string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	here := s.open[vpc]
	if here == nil {
		here = make([]func(), len(s.list))
		s.open[vpc] = here
	}
	for i, service := range s.list {
		if here[i] != nil {
			continue
		}
		l, err := s.agent.cfg.Network.Listen(s.agent.ctx, vpc, "tcp", service.Addr)
		if err != nil {
			s.agent.cfg.Log.Warn("service for tasks is not open in this VPC", "addr", service.Addr, "vpc", vpc, "err", err)
			continue
		}
		ctx, cancel := context.WithCancel(s.agent.ctx)
		stop := context.AfterFunc(ctx, func() { l.Close() })
		here[i] = func() {
			stop()
			cancel()
			l.Close() // at once: the next task of the VPC may be about to open it anew
		}
		s.wg.Go(func() {
			service.Serve(ctx, vpc, l)
			s.mu.Lock()
			defer s.mu.Unlock()
			here[i]()
			here[i] = nil
		})
	}
}

// release closes the services of a VPC whose last task this was.
func (s *services) release(l *live, vpc string) {
	s.agent.mu.Lock()
	for _, other := range s.agent.tasks {
		if other != l && other.row.VPC == vpc && !other.isCleaned() {
			s.agent.mu.Unlock()
			return
		}
	}
	s.agent.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, end := range s.open[vpc] {
		if end != nil {
			end()
		}
	}
	delete(s.open, vpc)
}

// close waits for the services to end, as their context has.
func (s *services) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wg.Wait()
}

// TaskAt finds the task with an address in a VPC, for who is asked by one. A
// task that has ended has none, though its row is kept.
func (a *Agent) TaskAt(vpc, ip string) (Task, bool) {
	snap := a.cfg.Store.Snapshot()
	for t := range Tasks.By(snap, "address", address(vpc, ip)) {
		if st, err := Statuses.Get(snap, t.ARN); err != nil || st.LastStatus != Stopped {
			return t, true
		}
	}
	return Task{}, false
}

func address(vpc, ip string) string { return vpc + "/" + ip }
