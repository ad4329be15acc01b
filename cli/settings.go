package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// anyAuth is the value of --auth and SLIPWAY_AUTH that takes any credentials.
const anyAuth = "any"

// authFlag is --auth.
type authFlag bool

func (f *authFlag) String() string {
	if *f {
		return anyAuth
	}
	return "" // the default, which the help names
}

func (f *authFlag) Type() string { return "string" }

func (f *authFlag) Set(text string) error {
	if text != anyAuth && text != "signed" {
		return errors.New("there are: signed, any")
	}
	*f = text == anyAuth
	return nil
}

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
	Ephemeral    bool    `json:"ephemeral,omitempty"`
	Record       string  `json:"record,omitempty"`
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

// engineFlags are the settings as flags; apply overlays those that were given.
func engineFlags(cmd *cobra.Command) (set *settings, apply func(*cobra.Command, *settings, *settings)) {
	set = &settings{}
	f := cmd.Flags()
	f.StringVar(&set.API, "api", "", "loopback address of the API and the registry (default 127.0.0.1:4566)")
	f.Var((*authFlag)(&set.AnyAuth), "auth", "whose requests are answered: of who signs them (signed), or of anybody, for test suites (any); SLIPWAY_AUTH (default signed)")
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
			"auth": func() { to.AnyAuth = from.AnyAuth }, "cpus": func() { to.CPUs = from.CPUs }, "memory": func() { to.Memory = from.Memory },
		} {
			if cmd.Flags().Changed(name) {
				copyOne()
			}
		}
	}
	return set, apply
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
	if record, ok := os.LookupEnv("SLIPWAY_RECORD"); ok {
		set.Record = record
	}
	if auth, ok := os.LookupEnv("SLIPWAY_AUTH"); ok {
		set.AnyAuth = auth == anyAuth
	}
	if change != nil {
		change(&set)
	}
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
