package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/node/sandbox"
)

const (
	stopTimeout    = time.Minute
	restartTimeout = 30 * time.Second
)

func (a *app) engineCommand(serve func(context.Context) error) *cobra.Command {
	cmd := &cobra.Command{Use: "engine", Short: "Start, stop and look at the engine of this machine"}
	start := &cobra.Command{
		Use: "start", Short: "Start the engine in the background", Args: cobra.NoArgs,
		Long: "Start the engine in the background. Settings are kept in the state directory: a later start without flags has the same.\n\n" +
			"With --ephemeral any number of engines run side by side, for test suites: each has its own state in a directory of its own, which is gone when it stops, and ports that are free.",
		Example: "  eval \"$(slipway engine start --ephemeral --auth any)\"; ...; slipway engine stop",
	}
	set, apply := engineFlags(start)
	ephemeral := start.Flags().Bool("ephemeral", false, "an engine of its own, with a new state directory and free ports, that leaves nothing: prints the environment of its clients")
	start.RunE = func(cmd *cobra.Command, _ []string) error {
		if *ephemeral {
			return a.startEphemeral(cmd.Context(), func(s *settings) { apply(cmd, s, set) })
		}
		fresh, err := a.startEngine(func(s *settings) { apply(cmd, s, set) })
		if err != nil {
			return err
		}
		if !fresh && !a.json {
			fmt.Fprintln(a.out, "the engine runs already")
			return nil
		}
		return a.engineStatus()
	}
	cmd.AddCommand(start, a.runCommand(),
		&cobra.Command{
			Use: "stop", Short: "Stop the engine and every task; what it knows is kept", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				if err := a.stopEngine(); err != nil || !a.json {
					return err
				}
				return a.print(map[string]bool{"running": false})
			},
		},
		&cobra.Command{
			Use: "restart", Short: "Replace the engine process; tasks and listeners stay", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				if err := sandbox.Restart(a.home, restartTimeout); err != nil {
					return noEngine(err)
				}
				return a.engineStatus()
			},
		},
		&cobra.Command{
			Use: "status", Short: "Tell whether the engine runs", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error { return a.engineStatus() },
		},
		&cobra.Command{
			Use: "serve", Hidden: true, Args: cobra.NoArgs, Short: "Be the engine process (started by the sandbox)",
			RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context()) },
		},
	)
	return cmd
}

// runCommand is the engine in the foreground, for who supervises it: a container, or a
// service manager.
func (a *app) runCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "run", Short: "Run the engine in the foreground, until it gets SIGTERM or ^C", Args: cobra.NoArgs,
		Long: "Run the engine in the foreground, until it gets SIGTERM or ^C. Its log is in engine.log of the state directory.",
	}
	set, apply := engineFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		chosen, err := a.writeSettings(func(s *settings) { apply(cmd, s, set) })
		if err != nil {
			return err
		}
		if err := sandbox.Run(cmd.Context(), a.sandbox(chosen)); err != nil {
			return &codedError{exitNoEngine, fmt.Errorf("run the engine: %w", err)}
		}
		return nil
	}
	return cmd
}

// sandbox is what the engine's processes are started by.
func (a *app) sandbox(set settings) sandbox.Config {
	return sandbox.Config{
		Dir: a.home, Engine: []string{"engine", "serve"}, Version: Version, WithoutRunc: set.Simulated, Ephemeral: set.Ephemeral,
	}
}

// startEngine starts the engine if it does not run; fresh says that it did.
func (a *app) startEngine(change func(*settings)) (fresh bool, err error) {
	if st, err := sandbox.StatusOf(a.home); err == nil && st.Running {
		return false, nil
	}
	set, err := a.writeSettings(change)
	if err != nil {
		return false, err
	}
	_, err = sandbox.Start(a.sandbox(set))
	if errors.Is(err, sandbox.ErrRunning) {
		return false, nil
	}
	if err != nil {
		return false, &codedError{exitNoEngine, fmt.Errorf("start the engine: %w", err)}
	}
	return true, nil
}

func (a *app) stopEngine() error {
	if err := sandbox.Stop(a.home, stopTimeout); err != nil && !errors.Is(err, sandbox.ErrNotRunning) {
		return err
	}
	return nil
}

func noEngine(err error) error {
	if errors.Is(err, sandbox.ErrNotRunning) {
		return &codedError{exitNoEngine, err}
	}
	return err
}

// engineStatus prints whether the engine runs; it fails when it does not.
func (a *app) engineStatus() error {
	st, err := sandbox.StatusOf(a.home)
	if err != nil {
		return err
	}
	if a.json {
		if err := a.print(st); err != nil {
			return err
		}
	}
	if !st.Running {
		return &codedError{exitNoEngine, fmt.Errorf("no engine runs on %s", a.home)}
	}
	if a.json {
		return nil
	}
	c, err := a.access()
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "engine %s  pid %d  up %s  restarts %d\n", st.Version, st.Pid, time.Since(st.Since).Round(time.Second), st.Restarts)
	fmt.Fprintf(a.out, "api    %s  account %s  region %s\nstate  %s\n", c.Endpoint, c.Account, c.Region, a.home)
	if st.LastEnd != "" {
		fmt.Fprintf(a.out, "last engine process ended: %s\n", firstLine(st.LastEnd))
	}
	return nil
}
