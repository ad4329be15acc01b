package sandbox

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// roleEnv tells a process of the sandbox which one it is. An environment
// variable, because the engine's command line is the caller's.
const roleEnv = "SLIPWAY_SANDBOX_ROLE"

const (
	roleParent = "parent" // Start's: Run in the background
	roleStage  = "stage"  // in the new namespaces, before its ids are mapped
	roleInit   = "init"   // PID 1
	roleEngine = "engine" // returns from Main
	roleProbe  = "probe"  // Check's trial: as far as init's first steps
	roleSweep  = "sweep"  // removes files of subordinate ids
)

func role() string { return os.Getenv(roleEnv) }

// The main goroutine is bound to the main thread in the engine and in init: a
// goroutine that enters another network namespace must never get that thread,
// because the kernel resolves /proc/self and /proc/sys/net through it. Only an
// init function runs early enough for that.
func init() {
	switch role() {
	case roleEngine, roleInit:
		runtime.LockOSThread()
		unix.CloseOnExec(3) // the rpc socket is nobody else's
	}
}

// Main must be the first thing main (and TestMain) calls: the processes of the
// sandbox are this program executed again. In the parent, in init and in helpers
// it never returns; elsewhere, the engine included, it returns at once.
func Main() {
	var err error
	switch role() {
	case "", roleEngine:
		return
	case roleParent:
		err = parentMain()
	case roleStage:
		err = stageMain()
	case roleInit:
		err = initMain()
	case roleProbe:
		err = probeMain()
	case roleSweep:
		err = sweepMain()
	default:
		err = fmt.Errorf("unknown role %q in %s", role(), roleEnv)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "slipway:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// env is the environment of a process of the sandbox with that role.
func env(role string) []string {
	var out []string
	for _, kv := range os.Environ() {
		if len(kv) > len(roleEnv) && kv[:len(roleEnv)+1] == roleEnv+"=" {
			continue
		}
		out = append(out, kv)
	}
	return append(out, roleEnv+"="+role)
}

// self is the running program, whatever has become of its file.
const self = "/proc/self/exe"
