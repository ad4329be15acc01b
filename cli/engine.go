package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/node/sandbox"
)

// settings are the engine's, as package engine reads them.
type settings struct {
	API          string  `json:"api,omitempty"`
	Account      string  `json:"account,omitempty"`
	Region       string  `json:"region,omitempty"`
	AnyAuth      bool    `json:"anyAuth,omitempty"`
	Speed        float64 `json:"speed,omitempty"`
	HostAddress  string  `json:"hostAddress,omitempty"`
	PortOffset   int     `json:"portOffset,omitempty"`
	Simulated    bool    `json:"simulated,omitempty"`
	CPUs         int     `json:"cpus,omitempty"`
	Memory       int     `json:"memory,omitempty"`
	StrictQuotas bool    `json:"strictQuotas,omitempty"`
	Debug        bool    `json:"debug,omitempty"`
}

// defaults fills in what was not chosen, as package engine does.
func (s *settings) defaults(root bool) {
	if s.API == "" {
		s.API = "127.0.0.1:4566"
	}
	if s.HostAddress == "" {
		s.HostAddress = "127.0.0.1"
	}
	if s.PortOffset == 0 && !root {
		s.PortOffset = 8000
	}
}

// hostPort is the host's port for a load balancer's: privileged ones are moved.
func (s *settings) hostPort(port int) int {
	if port < 1024 {
		return port + s.PortOffset
	}
	return port
}

const (
	stopTimeout    = time.Minute
	restartTimeout = 30 * time.Second
)

func (a *app) engineCommand(serve func(context.Context) error) *cobra.Command {
	cmd := &cobra.Command{Use: "engine", Short: "Start, stop and look at the engine of this machine"}
	start := &cobra.Command{
		Use: "start", Short: "Start the engine in the background", Args: cobra.NoArgs,
		Long: "Start the engine in the background. Settings are kept in the state directory: a later start without flags has the same.",
	}
	set, apply := engineFlags(start)
	start.RunE = func(cmd *cobra.Command, _ []string) error {
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
	cmd.AddCommand(start,
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

// engineFlags are the settings as flags; apply overlays those that were given.
func engineFlags(cmd *cobra.Command) (set *settings, apply func(*cobra.Command, *settings, *settings)) {
	set = &settings{}
	f := cmd.Flags()
	f.StringVar(&set.API, "api", "", "loopback address of the API and the registry (default 127.0.0.1:4566)")
	f.StringVar(&set.Account, "account", "", "account id (default 000000000000)")
	f.StringVar(&set.Region, "region", "", "region (default us-east-1)")
	f.Float64Var(&set.Speed, "speed", 0, "clock speed: 10 makes ten-second waits one second (default 1)")
	f.StringVar(&set.HostAddress, "address", "", "address that load balancers listen on (default 127.0.0.1)")
	f.IntVar(&set.PortOffset, "port-offset", 0, "added to load balancer ports below 1024 (default 0 as root, 8000 otherwise)")
	f.IntVar(&set.CPUs, "cpus", 0, "vCPUs that tasks may reserve together (default 32 for each of the machine's, at least 64; without limit when simulated)")
	f.IntVar(&set.Memory, "memory", 0, "GiB of memory that tasks may reserve together (default 8 times the machine's, at least 128; without limit when simulated)")
	f.BoolVar(&set.Simulated, "simulated", false, "play containers instead of running them")
	f.BoolVar(&set.StrictQuotas, "strict-quotas", false, "enforce AWS's quotas where the engine takes more")
	f.BoolVar(&set.Debug, "debug", false, "log more")
	apply = func(cmd *cobra.Command, to, from *settings) {
		for name, copyOne := range map[string]func(){
			"api": func() { to.API = from.API }, "account": func() { to.Account = from.Account }, "region": func() { to.Region = from.Region },
			"speed": func() { to.Speed = from.Speed }, "address": func() { to.HostAddress = from.HostAddress },
			"port-offset": func() { to.PortOffset = from.PortOffset }, "simulated": func() { to.Simulated = from.Simulated },
			"strict-quotas": func() { to.StrictQuotas = from.StrictQuotas }, "debug": func() { to.Debug = from.Debug },
			"cpus": func() { to.CPUs = from.CPUs }, "memory": func() { to.Memory = from.Memory },
		} {
			if cmd.Flags().Changed(name) {
				copyOne()
			}
		}
	}
	return set, apply
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
	binary, err := os.Executable()
	if err != nil {
		return false, err
	}
	_, err = sandbox.Start(sandbox.Config{
		Dir: a.home, Engine: []string{"engine", "serve"}, Binary: binary, Version: Version, WithoutRunc: set.Simulated,
	})
	if errors.Is(err, sandbox.ErrRunning) {
		return false, nil
	}
	if err != nil {
		return false, &codedError{exitNoEngine, fmt.Errorf("start the engine: %w", err)}
	}
	return true, nil
}

// settingsPath is where the settings are kept.
func (a *app) settingsPath() string { return filepath.Join(a.home, "settings.json") }

// readSettings are those that were chosen at a start before; none: all default.
func (a *app) readSettings() (set settings, err error) {
	path := a.settingsPath()
	if b, err := os.ReadFile(path); err == nil {
		if err := json.Unmarshal(b, &set); err != nil {
			return set, fmt.Errorf("%s: %w; remove the file to start with the defaults", path, err)
		}
	}
	return set, nil
}

func (a *app) writeSettings(change func(*settings)) (settings, error) {
	set, err := a.readSettings()
	if err != nil {
		return set, err
	}
	if change != nil {
		change(&set)
	}
	set.AnyAuth = os.Getenv("SLIPWAY_AUTH") == "any"
	if err := os.MkdirAll(a.home, 0o700); err != nil {
		return set, err
	}
	b, err := json.MarshalIndent(set, "", "  ")
	if err != nil {
		return set, err
	}
	return set, replace(a.settingsPath(), append(b, '\n'))
}

// replace writes a file whole: who reads it meanwhile, such as another start, sees
// the old one or the new one.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), path)
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
