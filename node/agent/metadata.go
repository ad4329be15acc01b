package agent

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// metadata serves the task metadata endpoint, versions 3 and 4, in every VPC
// with a task ("Task metadata endpoint version 4" in the ECS developer
// guide). A task is known by its source address; the id in the path says
// which of its containers is meant.
type metadata struct {
	agent *Agent

	mu      sync.Mutex
	servers map[string]*http.Server // by VPC id
	before  map[string]usage        // container id -> what it had used at the last question
}

func newMetadata(a *Agent) *metadata {
	return &metadata{agent: a, servers: map[string]*http.Server{}, before: map[string]usage{}}
}

// serve opens the endpoint in a VPC, once.
func (m *metadata) serve(vpc string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.servers[vpc] != nil {
		return
	}
	log := m.agent.cfg.Log
	l, err := m.agent.cfg.Network.Listen(m.agent.ctx, vpc, "tcp", MetadataAddress)
	if err != nil {
		log.Warn("no task metadata in this VPC", "vpc", vpc, "err", err)
		return // the next task of the VPC tries again
	}
	srv := &http.Server{
		Handler:           m.handler(vpc),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	m.servers[vpc] = srv
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Warn("task metadata ended", "vpc", vpc, "err", err)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.servers[vpc] == srv {
			delete(m.servers, vpc)
		}
	}()
}

// release closes the endpoint of a VPC whose last task this was: an open
// socket would keep its network namespace.
func (m *metadata) release(l *live, row Task) {
	m.mu.Lock()
	for i := range row.Containers {
		delete(m.before, containerID(row, i))
	}
	m.mu.Unlock()
	m.agent.mu.Lock()
	for _, other := range m.agent.tasks {
		if other != l && other.row.VPC == row.VPC && !other.isCleaned() {
			m.agent.mu.Unlock()
			return
		}
	}
	m.agent.mu.Unlock()
	m.mu.Lock()
	srv := m.servers[row.VPC]
	delete(m.servers, row.VPC)
	m.mu.Unlock()
	if srv != nil {
		srv.Close()
	}
}

func (m *metadata) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, srv := range m.servers {
		srv.Close()
	}
}

func (l *live) isCleaned() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cleaned
}

// asker is who asks: a container of a task.
type asker struct {
	task      Task
	status    Status
	container int
}

// handler answers in one VPC.
func (m *metadata) handler(vpc string) http.Handler {
	mux := http.NewServeMux()
	answer := func(path string, reply func(context.Context, asker) any) {
		for _, version := range []string{"/v3/", "/v4/"} {
			mux.HandleFunc("GET "+version+"{id}"+path, func(w http.ResponseWriter, r *http.Request) {
				who, ok := m.identify(vpc, r)
				if !ok {
					writeReply(w, http.StatusNotFound, "unable to get task and container of this request")
					return
				}
				writeReply(w, http.StatusOK, reply(r.Context(), who))
			})
		}
	}
	answer("", func(_ context.Context, w asker) any { return describeContainer(w, w.container) })
	answer("/task", func(_ context.Context, w asker) any { return describeTask(w, false) })
	answer("/taskWithTags", func(_ context.Context, w asker) any { return describeTask(w, true) })
	answer("/stats", func(ctx context.Context, w asker) any { return m.stats(ctx, w, w.container) })
	answer("/task/stats", func(ctx context.Context, w asker) any {
		all := map[string]any{}
		for i := range w.task.Containers {
			all[containerID(w.task, i)] = m.stats(ctx, w, i)
		}
		return all
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = strings.TrimSuffix(r.URL.Path, "/")
		mux.ServeHTTP(w, r)
	})
}

func writeReply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the asker has gone
}

// identify finds the task with the source address in the VPC, and in it the
// container that the path names.
func (m *metadata) identify(vpc string, r *http.Request) (asker, bool) {
	source, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return asker{}, false
	}
	m.agent.mu.Lock()
	var arn string
	for _, l := range m.agent.tasks {
		if l.row.VPC == vpc && l.row.IP == source && !l.row.Remove {
			arn = l.arn
		}
	}
	m.agent.mu.Unlock()
	snap := m.agent.cfg.Store.Snapshot()
	task, err := Tasks.Get(snap, arn)
	if err != nil {
		return asker{}, false
	}
	status, err := Statuses.Get(snap, arn)
	if err != nil {
		return asker{}, false
	}
	for i := range task.Containers {
		if containerID(task, i) == r.PathValue("id") {
			return asker{task, status, i}, true
		}
	}
	return asker{}, false
}
