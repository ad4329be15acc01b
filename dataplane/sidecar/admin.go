package sidecar

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/xdsapi"
)

// admin answers as Envoy's admin server does, as far as its users go:
// "Administration interface" in Envoy's documentation. What changes something
// takes POST only.
func (s *Sidecar) admin() http.Handler {
	mux := http.NewServeMux()
	for _, p := range []struct {
		pattern, help string
		answer        http.HandlerFunc
	}{
		{"GET /certs", "certificates in use", s.showCerts},
		{"GET /clusters", "upstream hosts and their figures", s.showClusters},
		{"GET /config_dump", "what the control plane said, without secrets", s.showConfig},
		{"POST /healthcheck/fail", "be unhealthy", s.setHealth(true)},
		{"POST /healthcheck/ok", "be healthy again", s.setHealth(false)},
		{"GET /listeners", "sockets", s.showListeners},
		{"/logging", "the log level; POST ?level= changes it", s.logging},
		{"GET /memory", "memory in use", showMemory},
		{"POST /quitquitquit", "end", s.quit},
		{"GET /ready", "200 when serving, else 503", s.showReady},
		{"GET /server_info", "state and version", s.showServer},
		{"GET /stats", "figures; ?filter=<regex>, ?usedonly, ?format=json|prometheus", s.showStats},
		{"GET /stats/prometheus", "figures for Prometheus; ?filter=<regex>, ?usedonly", s.showStats},
	} {
		mux.HandleFunc(p.pattern, p.answer)
		path := p.pattern[strings.Index(p.pattern, "/"):]
		s.help = append(s.help, fmt.Sprintf("  %s: %s", path, p.help))
	}
	mux.HandleFunc("GET /{$}", s.showHelp)
	mux.HandleFunc("GET /help", s.showHelp)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, "invalid path. admin commands are:\n%s\n", strings.Join(s.help, "\n"))
	})
	return mux
}

func (s *Sidecar) showHelp(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, "admin commands are:\n%s\n", strings.Join(s.help, "\n"))
}

// State is in Envoy's words: LIVE, DRAINING, PRE_INITIALIZING until the
// control plane was heard, INITIALIZING until all it named is there.
func (s *Sidecar) State() string {
	ready, _ := s.Ready()
	s.mu.Lock()
	applied := s.applied
	s.mu.Unlock()
	switch {
	case s.closing.Load() || s.failed.Load():
		return "DRAINING"
	case ready:
		return "LIVE"
	case applied:
		return "INITIALIZING"
	}
	return "PRE_INITIALIZING"
}

func (s *Sidecar) showReady(w http.ResponseWriter, _ *http.Request) {
	state := s.State()
	if state != "LIVE" {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	fmt.Fprintln(w, state)
}

func (s *Sidecar) showServer(w http.ResponseWriter, _ *http.Request) {
	up := fmt.Sprintf("%ds", int(time.Since(s.started).Seconds()))
	node, _ := xdsapi.JSON(s.cfg.Node)
	_, missing := s.Ready()
	writeJSON(w, struct {
		Version string          `json:"version"`
		State   string          `json:"state"`
		Current string          `json:"uptime_current_epoch"`
		All     string          `json:"uptime_all_epochs"`
		Node    json.RawMessage `json:"node"`
		Options map[string]any  `json:"command_line_options"`
		Missing []string        `json:"waits_for,omitempty"`
	}{s.cfg.Version, s.State(), up, up, node, map[string]any{"log_level": s.level(), "concurrency": runtime.GOMAXPROCS(0)}, missing})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	_ = e.Encode(v) // the asker has gone
}

func (s *Sidecar) setHealth(failed bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		s.failed.Store(failed)
		fmt.Fprintln(w, "OK")
	}
}

func (s *Sidecar) quit(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "OK")
	s.stop()
}

// words are Envoy's names of log levels.
var words = map[string]slog.Level{
	"trace": slog.LevelDebug, "debug": slog.LevelDebug, "info": slog.LevelInfo, "warning": slog.LevelWarn, "warn": slog.LevelWarn,
	"error": slog.LevelError, "critical": slog.LevelError, "off": slog.LevelError + 4,
}

// LevelOf reads a log level in Envoy's words.
func LevelOf(word string) (slog.Level, bool) {
	l, ok := words[strings.ToLower(word)]
	return l, ok
}

func (s *Sidecar) level() string {
	if s.cfg.Level == nil {
		return "info"
	}
	for _, word := range []string{"debug", "info", "warning", "error"} {
		if words[word] >= s.cfg.Level.Level() {
			return word
		}
	}
	return "off"
}

func (s *Sidecar) logging(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		q := r.URL.Query()
		word := q.Get("level")
		if word == "" {
			word = q.Get("paths")
		}
		l, ok := LevelOf(word)
		if !ok || s.cfg.Level == nil {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintln(w, "usage: /logging?level=<trace|debug|info|warning|error|critical|off>")
			return
		}
		s.cfg.Level.Set(l)
	}
	fmt.Fprintf(w, "active loggers:\n  all: %s\n", s.level())
}

func (s *Sidecar) showListeners(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := set{}
	for _, l := range s.config.Listeners {
		if line := l.Owner + "::" + l.Addr; !seen[line] {
			seen.add(line)
			fmt.Fprintln(w, line)
		}
	}
}

func showMemory(w http.ResponseWriter, _ *http.Request) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	writeJSON(w, map[string]string{"allocated": fmt.Sprint(m.HeapAlloc), "heap_size": fmt.Sprint(m.HeapSys), "total_physical_bytes": fmt.Sprint(m.Sys)})
}
