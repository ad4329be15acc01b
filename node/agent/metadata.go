package agent

import (
	"context"
	"encoding/json"
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

	mu     sync.Mutex
	before map[string]usage // container id -> what it had used at the last question
}

func newMetadata(a *Agent) *metadata { return &metadata{agent: a, before: map[string]usage{}} }

// serve answers in a VPC.
func (m *metadata) serve(ctx context.Context, vpc string, l net.Listener) {
	srv := &http.Server{
		Handler:           m.handler(vpc),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(l); ctx.Err() == nil {
		m.agent.cfg.Log.Warn("task metadata ended", "vpc", vpc, "err", err)
	}
}

// forget drops the readings of a task that is gone.
func (m *metadata) forget(row Task) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range row.Containers {
		delete(m.before, containerID(row, i))
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
		if h := m.agent.cfg.Callbacks; h != nil && strings.HasPrefix(r.URL.Path, CallbackPath) {
			h.ServeHTTP(w, r)
			return
		}
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
	task, ok := m.agent.TaskAt(vpc, source)
	if !ok {
		return asker{}, false
	}
	status, err := Statuses.Get(m.agent.cfg.Store.Snapshot(), task.ARN)
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
