// Command peer lets a benchmark that drives container engines by hooks drive
// Slipway: it starts an engine of its own with a network, a load balancer and
// a cluster, and answers over HTTP on a loopback address
//
//	POST /create?n=6&image=swb:v1&mode=default   POST /update?image=...   POST /scale?n=60   POST /rm
//	GET  /state                  none, updating, completed, rolling_back, rolled_back or paused
//	GET  /endpoints              [{"id":..., "addr":...}], an address of this host for each task that runs
//	POST /kill?id=...            SIGKILL to the task's process
//	GET  /load                   what an open-loop client has seen through the load balancer
//	POST /cleanup                end the engine
//
// compare.sh runs such a benchmark for Slipway and for a peer, one after the
// other. Images are made of the program that -app names.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/slipway-dev/slipway/tests/rig"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:7099", "address of the hooks")
	app := flag.String("app", "", "program that the images hold")
	folder := flag.String("folder", "", "folder for the engine, made when missing")
	rate := flag.Int("rate", 200, "requests a second of the open-loop client")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *listen, *app, *folder, *rate)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen, app, folder string, rate int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	binary := filepath.Join(folder, "slipway")
	e, err := rig.New(rig.Options{Binary: binary, Folder: filepath.Join(folder, "engine")})
	if err != nil {
		return err
	}
	defer e.Close() //nolint:errcheck // best effort at the end
	p := &peer{Engine: e, load: newLoad(e.Balancer(), rate), reach: newReach(e)}
	if err := p.start(ctx, app); err != nil {
		return fmt.Errorf("prepare the engine: %w", err)
	}
	go p.load.run(ctx)
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: p.handler(cancel), ReadHeaderTimeout: time.Second}
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	fmt.Println("ready")
	if err := server.Serve(ln); ctx.Err() == nil {
		return err
	}
	return nil
}

// handler answers the hooks.
func (p *peer) handler(end func()) http.Handler {
	mux := http.NewServeMux()
	do := func(verb string, fn func(r *http.Request) error) {
		mux.HandleFunc("POST /"+verb, func(w http.ResponseWriter, r *http.Request) {
			if err := fn(r); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	n := func(r *http.Request) int32 {
		n, _ := strconv.ParseInt(r.FormValue("n"), 10, 32) // 0 is refused by the engine's rules
		return int32(n)
	}
	do("create", func(r *http.Request) error { return p.create(r.Context(), n(r), r.FormValue("image")) })
	do("update", func(r *http.Request) error { return p.update(r.Context(), r.FormValue("image")) })
	do("scale", func(r *http.Request) error { return p.scale(r.Context(), n(r)) })
	do("rm", func(r *http.Request) error { return p.remove(r.Context()) })
	do("kill", func(r *http.Request) error { return p.kill(r.FormValue("id")) })
	do("cleanup", func(*http.Request) error { end(); return nil })
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, p.state(r.Context())) })
	mux.HandleFunc("GET /load", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, p.load) })
	mux.HandleFunc("GET /endpoints", func(w http.ResponseWriter, _ *http.Request) {
		list, err := p.reach.endpoints()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(list) // the client has gone
	})
	return mux
}
