// Command slipway-proxy is the mesh's sidecar. Without arguments it is the
// proxy, configured by environment as App Mesh's Envoy image is. Its image
// holds nothing else, so it also is, by the name it is called by, the few
// programs that health checks and people expect beside a proxy: sh, curl,
// grep, cat.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/slipway-dev/slipway/dataplane/sidecar"
)

// version is set when the program is built.
var version = "dev"

func main() {
	name := filepath.Base(os.Args[0])
	if applet := applets[name]; applet != nil {
		os.Exit(applet(context.Background(), os.Args[1:], standard()))
	}
	if len(os.Args) > 1 {
		if applet := applets[os.Args[1]]; applet != nil {
			os.Exit(applet(context.Background(), os.Args[2:], standard()))
		}
		if os.Args[1] == "version" || os.Args[1] == "--version" {
			fmt.Println("slipway-proxy", version)
			return
		}
		fmt.Fprintf(os.Stderr, "slipway-proxy: unknown command %q: it takes none, or version, ready, sh, curl, grep, cat\n", os.Args[1])
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "slipway-proxy:", err)
		os.Exit(1)
	}
}

func run() error {
	cfg, err := sidecar.Environment(os.Getenv)
	if err != nil {
		return err
	}
	debug.SetGCPercent(50) // there is one in every task
	if cfg.Threads > 0 {
		runtime.GOMAXPROCS(cfg.Threads)
	}
	cfg.Version = version
	cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.Level}))
	cfg.Access = os.Stdout
	if path := os.Getenv("APPMESH_SDS_SOCKET_PATH"); path != "" {
		cfg.Log.Warn("APPMESH_SDS_SOCKET_PATH is not followed: secrets come from the control plane", "path", path)
	}
	s, err := sidecar.New(cfg)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	cfg.Log.Info("sidecar starts", "version", version, "node", cfg.Node.GetId(), "endpoint", cfg.Endpoint)
	return s.Run(ctx)
}
