package sandbox

import (
	"encoding/json"
	"time"
)

// Process is a container to start. Its bundle (OCI config.json and root file
// system) is the caller's to make and to remove.
type Process struct {
	// ID names the container, for runc too: letters, digits, _ + - .
	ID string
	// Bundle is the folder with config.json.
	Bundle string
	// Direct has init start the container itself (node/container). Otherwise the
	// runc command does, which makes cgroups as config.json says.
	Direct bool
	// Cgroups are the folders that a container started directly joins, made by
	// the caller, with its limits.
	Cgroups []string
	// RuncRoot is runc's state folder, below Host.Dir.
	RuncRoot string
	// Log gets the container's stdout and stderr, appended; mode 0644, since
	// runc gives the file to the container's user.
	Log string
}

// Container is what init knows about a container. Running is true from the
// moment Start is asked for (Pid 0 until runc has answered) until its first
// process has ended.
type Container struct {
	ID      string
	Pid     int // in the sandbox's pid namespace; 0 while starting or if it never ran
	Running bool
	Direct  bool // started by init itself, not by runc
	// ExitCode is the first process's status, 128+Signal when a signal ended
	// it; -1 if the container never ran.
	ExitCode  int
	Signal    int       // that ended it, or 0
	StartedAt time.Time // when runc had started it
	ExitedAt  time.Time // when init reaped it
	Error     string    // why it never ran, in runc's words
}

// Exec is one more process in a container that was started directly.
type Exec struct {
	ID string // of the container
	// Process is the process of the OCI runtime specification; capabilities,
	// resource limits and seccomp filter are the container's, whatever it says.
	Process json.RawMessage
	// Terminal gives it a terminal of the container.
	Terminal bool
}
