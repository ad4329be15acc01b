package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/cloudwatch"
	"github.com/slipway-dev/slipway/service/cloudwatch/collect"
	"github.com/slipway-dev/slipway/service/ec2"
	"github.com/slipway-dev/slipway/service/ecs"
	"github.com/slipway-dev/slipway/service/elbv2"
	"github.com/slipway-dev/slipway/service/iam"
	"github.com/slipway-dev/slipway/service/servicediscovery"
	"github.com/slipway-dev/slipway/service/sts"
	"github.com/slipway-dev/slipway/telemetry/metrics"
)

// here is the scope that everything belongs to.
var here = arn.Scope{Account: "000000000000", Region: "us-east-1"}

// keys sign the requests of the bench; the engine prints them when it is ready.
type keys struct{ Access, Secret string }

// serve is the process that is measured: the engine's parts, joined as the
// engine joins them, with a runtime, a network and targets that are played.
func serve(addr, dir string) error {
	debug.SetGCPercent(50) // as the engine's
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	var tables []store.Schema
	for _, t := range [][]store.Schema{
		agent.Tables(), iam.Tables(), sts.Tables(), ec2.Tables(), servicediscovery.Tables(), elbv2.Tables(), ecs.Tables(), cloudwatch.Tables(),
	} {
		tables = append(tables, t...)
	}
	db, err := store.Open(store.Config{Path: filepath.Join(dir, "state.db")}, tables...)
	if err != nil {
		return err
	}
	defer db.Close()
	var k keys
	err = db.Update(func(tx *store.Tx) error { k.Access, k.Secret = iam.EnsureRoot(tx, here.Account); return nil })
	if err != nil {
		return err
	}
	w := newWorld(db)
	tasks := agent.New(agent.Config{Store: db, Log: log, Driver: w.driver, Network: w, Images: w, Dir: filepath.Join(dir, "tasks"), Workers: 32}) // as the engine has it
	balancers, err := elbv2.New(elbv2.Config{Store: db, Log: log, Sockets: sockets{}, Network: w})
	if err != nil {
		return err
	}
	readings, err := metrics.Open(metrics.Config{Path: filepath.Join(dir, "metrics.db")})
	if err != nil {
		return err
	}
	defer readings.Close()
	collector := collect.New(collect.Config{Store: db, Metrics: readings, Tasks: tasks, Balancers: balancers.Proxy(), Log: log})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return tasks.Run(ctx) })
	group.Go(func() error { return collector.Run(ctx) })
	loops := tasks.Loops()
	var apis []*awsapi.Service
	for _, s := range []interface {
		API() *awsapi.Service
		Loops() []loop.Loop
	}{
		sts.New(sts.Config{Store: db, Log: log}), ec2.New(ec2.Config{Store: db, Log: log, Network: w}),
		servicediscovery.New(servicediscovery.Config{Store: db, Log: log}), balancers, ecs.New(ecs.Config{Store: db, Log: log}),
		cloudwatch.New(cloudwatch.Config{Store: db, Metrics: readings, Log: log}),
	} {
		apis, loops = append(apis, s.API()), append(loops, s.Loops()...)
	}
	for _, l := range loops {
		group.Go(func() error { return l.Run(ctx, db, log) })
	}
	mux := awsapi.NewMux(awsapi.Config{Credentials: iam.Credentials(db), DefaultScope: here, Log: log}, apis...)
	return listen(ctx, group, addr, w.handler(mux), k)
}

// listen answers until ctx ends, and prints the keys once it does.
func listen(ctx context.Context, group *errgroup.Group, addr string, h http.Handler, k keys) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	group.Go(func() error { <-ctx.Done(); return server.Close() })
	group.Go(func() error { return fmt.Errorf("serve: %w", server.Serve(l)) })
	if err := json.NewEncoder(os.Stdout).Encode(k); err != nil {
		return err
	}
	err = group.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// handler adds to the API what the bench needs besides: how many tasks run,
// the loss of a zone, and profiles.
func (w *world) handler(api http.Handler) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /bench/count", func(rw http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(rw).Encode(w.count()) })
	m.HandleFunc("POST /bench/lose", func(rw http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(rw).Encode(w.lose(r.FormValue("zone")))
	})
	m.HandleFunc("POST /bench/trim", func(http.ResponseWriter, *http.Request) { debug.FreeOSMemory() })
	m.HandleFunc("POST /bench/profile", func(rw http.ResponseWriter, r *http.Request) {
		if err := profile(r.FormValue("file")); err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
		}
	})
	m.Handle("/", api)
	return m
}

// profile begins a CPU profile in a file, or with "" ends it; a file named
// .heap gets the present heap.
func profile(file string) error {
	if file == "" {
		pprof.StopCPUProfile()
		return nil
	}
	if heap, ok := strings.CutSuffix(file, ".heap"); ok {
		f, err := os.Create(heap + ".heap")
		if err != nil {
			return err
		}
		return errors.Join(pprof.WriteHeapProfile(f), f.Close())
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return pprof.StartCPUProfile(f)
}
