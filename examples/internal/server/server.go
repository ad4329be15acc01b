// Package server is what the three example services have in common at their edge: listening, draining on SIGTERM, health answers, request
// ids, structured logs, problem details (RFC 9457), strict JSON input, and the container's health check as a subcommand of the program.
//
// Invariants: from SIGTERM on, health answers 503 and no new connection is taken, while requests that were accepted get their answer; every
// answer carries the request's id; a panic in a handler is one request's 500, never the end of the process.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// drainTime is how long requests may take after SIGTERM; less than ECS's stop timeout of 30 s, after which the process is killed.
const drainTime = 25 * time.Second

// Env is what a service knows of its surroundings, from its environment variables.
type Env struct {
	Service     string // SERVICE_NAME
	Environment string // ENVIRONMENT, such as dev; empty outside the platform
	Port        string // PORT
	Log         *slog.Logger
	Get         func(string) string // other variables, such as PAYMENT_URL
}

// Host is the service's own private name, which resolves to the addresses of all its tasks; empty outside the platform.
func (e Env) Host() string {
	if e.Environment == "" {
		return ""
	}
	return e.Service + "." + e.Environment + ".local"
}

// Own is the URL by which a service calls its own tasks through their sidecars, from a variable such as PAYMENT_URL; empty where it does not.
func (e Env) Own() string {
	return strings.TrimSuffix(e.variable(strings.ToUpper(e.Service)+"_URL"), "/")
}

func (e Env) variable(key string) string {
	if e.Get == nil {
		return ""
	}
	return e.Get(key)
}

// Main runs a service until SIGTERM or SIGINT and returns the exit code. routes builds its handler; background work may run until ctx ends,
// which is after the last request was answered. "healthcheck" as the only argument asks the running service for its health instead.
func Main(name, port string, routes func(ctx context.Context, env Env) (http.Handler, error)) int {
	env := Env{Service: or(os.Getenv("SERVICE_NAME"), name), Environment: os.Getenv("ENVIRONMENT"), Port: or(os.Getenv("PORT"), port), Get: os.Getenv}
	if len(os.Args) == 2 && os.Args[1] == "healthcheck" {
		return healthcheck(env.Port)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(or(os.Getenv("LOG_LEVEL"), "info"))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	env.Log = slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: level})).With("service", env.Service)
	if err := run(env, routes); err != nil {
		env.Log.Error("stopped", "error", err.Error())
		return 1
	}
	return 0
}

func run(env Env, routes func(context.Context, Env) (http.Handler, error)) error {
	signals, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ctx, end := context.WithCancel(context.Background())
	defer end()
	handler, err := routes(ctx, env)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", ":"+env.Port)
	if err != nil {
		return err
	}
	env.Log.Info("listening", "address", listener.Addr().String())
	return Serve(signals, listener, env, handler)
}

// Serve answers requests on a listener until ctx ends, then drains.
func Serve(ctx context.Context, listener net.Listener, env Env, handler http.Handler) error {
	var draining atomic.Bool
	s := &http.Server{
		Handler:           Wrap(env, handler, draining.Load),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       75 * time.Second, // longer than the load balancer's 60 s: whoever reuses connections must be the one that closes them
		ErrorLog:          slog.NewLogLogger(env.Log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	draining.Store(true)
	env.Log.Info("draining")
	began := time.Now()
	limit, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := s.Shutdown(limit); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	env.Log.Info("drained", "took", time.Since(began).String())
	return nil
}

// healthcheck asks the service in the same container for its health: exit code 0 or 1, as container health checks want it.
func healthcheck(port string) int {
	client := http.Client{Timeout: 2 * time.Second}
	answer, err := client.Get("http://" + net.JoinHostPort("127.0.0.1", port) + "/health")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		fmt.Fprintln(os.Stderr, answer.Status)
		return 1
	}
	return 0
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
