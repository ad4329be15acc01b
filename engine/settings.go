package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/slipway-dev/slipway/service/ecs"
)

// Settings are what a user may choose about an engine. They are written to
// settings.json in the state directory by `slipway engine start`, so that
// every start of the engine process, also after a crash, has the same.
type Settings struct {
	// API is the loopback address of the API and the registry; port 0 is any free
	// one, the same for every engine process of one start.
	API string `json:"api"`
	// Account and Region are the default scope.
	Account string `json:"account"`
	Region  string `json:"region"`
	// AnyAuth takes any credentials as root's: of the account that is their access
	// key id, if it is one.
	AnyAuth bool `json:"anyAuth,omitempty"`
	// Speed divides the waiting times that AWS prescribes.
	Speed float64 `json:"speed"`
	// HostAddress is where load balancers listen.
	HostAddress string `json:"hostAddress"`
	// PortOffset is added to listener ports below 1024 that the user may not
	// open: 0 as root, 8000 otherwise (80 becomes 8080).
	PortOffset int `json:"portOffset"`
	// Simulated runs no process: containers are played.
	Simulated bool `json:"simulated,omitempty"`
	// CPUs and Memory are the vCPUs and the GiB that tasks may reserve together; 0
	// is the default, see capacity.
	CPUs   int `json:"cpus,omitempty"`
	Memory int `json:"memory,omitempty"`
	// StrictQuotas enforces AWS's limits where the engine takes more, such as
	// 51,200 bytes of TemplateBody.
	StrictQuotas bool `json:"strictQuotas,omitempty"`
	// Ephemeral state is gone with the engine: it need not survive the power.
	Ephemeral bool `json:"ephemeral,omitempty"`
	// Record is a file to which what clients call is appended, see record.go.
	Record string `json:"record,omitempty"`
	// Debug logs more.
	Debug bool `json:"debug,omitempty"`

	requested string // API as it was asked for
}

// listening is the settings of an engine whose API listens at an address.
func (s Settings) listening(at net.Addr) Settings {
	s.requested, s.API = s.API, at.String()
	if host, port, _ := net.SplitHostPort(s.requested); port != "0" {
		s.API = s.requested
	} else if _, got, err := net.SplitHostPort(s.API); err == nil && host != "" {
		s.API = net.JoinHostPort(host, got)
	}
	return s
}

// Names of the files in the state directory.
const (
	settingsFile    = "settings.json"
	credentialsFile = "credentials.json"
	storeFile       = "state.db"
	metricsFile     = "metrics.db"
	keysFile        = "master.key"
)

// Defaults fills in what was not chosen.
func (s Settings) Defaults(root bool) Settings {
	set := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	set(&s.API, "127.0.0.1:4566")
	set(&s.Account, "000000000000")
	set(&s.Region, "us-east-1")
	set(&s.HostAddress, "127.0.0.1")
	if s.Speed <= 0 {
		s.Speed = 1
	}
	if s.PortOffset == 0 && !root {
		s.PortOffset = 8000
	}
	return s
}

// hostPort is the host's port for a load balancer's: privileged ones are moved.
func (s Settings) hostPort(port int) int {
	if port < 1024 {
		return port + s.PortOffset
	}
	return port
}

// capacity is what tasks may reserve. What they reserve they seldom use, so the
// defaults promise much more than the machine has: its owner decides, by what
// runs, and a limit that surprises helps nobody. Simulated tasks use nothing.
func (s Settings) capacity() ecs.Capacity {
	c := ecs.Capacity{CPU: s.CPUs * 1024, Memory: s.Memory * 1024}
	if s.Simulated {
		return c
	}
	if c.CPU == 0 {
		c.CPU = max(64, 32*runtime.NumCPU()) * 1024
	}
	if c.Memory == 0 {
		c.Memory = max(128*1024, 8*machineMemory())
	}
	return c
}

// machineMemory is the machine's memory in MiB, 0 when it cannot be told.
func machineMemory() int {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return int(info.Totalram * uint64(info.Unit) >> 20)
}

// LoadSettings reads the settings of a state directory; none is not an error.
func LoadSettings(dir string) (Settings, error) {
	var s Settings
	b, err := os.ReadFile(filepath.Join(dir, settingsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return s, fmt.Errorf("settings of the engine: %w; remove %s to start with the defaults", err, filepath.Join(dir, settingsFile))
	}
	return s, nil
}

// writeFile replaces a file at once, readable by its owner alone.
func writeFile(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
