// Command slipway is the engine and its command line, in one binary.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/slipway-dev/slipway/cli"
	"github.com/slipway-dev/slipway/engine"
	"github.com/slipway-dev/slipway/node/runtime/reaper"
	"github.com/slipway-dev/slipway/node/sandbox"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == engine.InitCommand {
		reaper.Main(os.Args[2:]) // in a container; does not return
	}
	sandbox.Main() // does not return in the sandbox's own processes
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args[1:], func(ctx context.Context) error { return engine.Run(ctx, cli.Version) })
	stop()
	os.Exit(code)
}
