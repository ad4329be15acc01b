package sandbox

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// Config describes one sandbox. It crosses process boundaries as JSON; only Log
// stays behind.
type Config struct {
	// Dir is the state directory, made with mode 0700 when missing. The sandbox
	// uses its files lock and engine.log and its folder run; the rest of it
	// belongs to the engine.
	Dir string
	// Engine is the engine's command line after the name of the binary.
	Engine []string
	// Binary is the engine's program, executed anew by path at every restart.
	// Default: the running program.
	Binary string
	// Version is what StatusOf reports.
	Version string
	// Grace bounds how long containers may take to end after SIGTERM when the
	// sandbox stops; the engine gets the same time before that. Default 5 s.
	Grace time.Duration
	// StartTimeout bounds the time until the engine calls Host.Ready for the
	// first time. Default 60 s.
	StartTimeout time.Duration
	// AllowHost lets Host.Dial reach loopback, link-local and the host's own
	// addresses. Default: refused, so that containers cannot reach services
	// that listen only for the user.
	AllowHost bool
	// WithoutRunc starts even if runc is not installed, for engines that
	// simulate containers. Host.Start then fails.
	WithoutRunc bool
	// Ephemeral removes Dir, with everything in it, when the sandbox ends.
	Ephemeral bool
	// Log gets one line per decision of the parent. Default: slog.Default.
	Log *slog.Logger `json:"-"`
}

const (
	lockFile = "lock"       // flock, and the Status of its holder
	logFile  = "engine.log" // stdout and stderr of all three processes
	runDir   = "run"        // Host.Dir: emptied at start and at the end
)

// withDefaults makes the state directory, too.
func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" {
		return c, errors.New("sandbox: no state directory given")
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return c, fmt.Errorf("sandbox: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return c, fmt.Errorf("sandbox: state directory: %w", err)
	}
	if c.Dir, err = filepath.EvalSymlinks(dir); err != nil { // mountinfo and cgroups go by the real one
		return c, fmt.Errorf("sandbox: state directory: %w", err)
	}
	if c.Binary == "" {
		if c.Binary, err = os.Executable(); err != nil {
			return c, fmt.Errorf("sandbox: path of this program: %w", err)
		}
	}
	if c.Grace <= 0 {
		c.Grace = 5 * time.Second
	}
	if c.StartTimeout <= 0 {
		c.StartTimeout = 60 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c, nil
}
