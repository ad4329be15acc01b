package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// What the processes ask of each other.
const (
	opHello      = "hello"      // engine -> init: nothing -> hello
	opReady      = "ready"      // engine -> init
	opListen     = "listen"     // engine -> init -> parent: address -> descriptor
	opUnlisten   = "unlisten"   // engine -> init: address
	opListeners  = "listeners"  // engine -> init: nothing -> addresses
	opDial       = "dial"       // engine -> init -> parent: target -> descriptor
	opResolver   = "resolver"   // engine -> init -> parent: target without address -> descriptor
	opStart      = "start"      // engine -> init: Process
	opContainers = "containers" // engine -> init: nothing -> []Container
	opForget     = "forget"     // engine -> init: id
	opExec       = "exec"       // engine -> init: Exec, socket -> exit code
	opRestart    = "restart"    // parent -> init

	noteExit   = "exit"   // init -> engine: id of a container
	noteEngine = "engine" // init -> parent: engineState
	noteFailed = "failed" // init -> parent: why the sandbox cannot start
)

// protocol changes whenever the meaning of a message does: an upgraded engine
// must not talk to an init that misunderstands it.
const protocol = 2

// hello is what init tells a new engine about the sandbox.
type hello struct {
	Protocol     int
	StateDir     string
	Dir          string
	Rootless     bool
	CgroupParent string // empty: no limits
	Limits       string // why not, or by what
	Runc         string
}

type target struct{ Network, Addr string }

// engineState is what init tells the parent about the engine.
type engineState struct {
	Pid      int // inside the sandbox
	Since    time.Time
	Ready    bool
	Restarts int
	LastEnd  string
}

// boot is what the parent gives init to work with.
type boot struct {
	Config
	Rootless bool
	Runc     string // path; empty if there is none
	Cgroup   string // of the containers, from the root of the hierarchy; empty for none
	NoLimits string // why there is none
}

// op makes a handler of a function with a typed argument.
func op[T any](fn func(context.Context, T) (any, int, error)) handler {
	return opWith(func(ctx context.Context, arg T, with int) (any, int, error) {
		closeFDs(with)
		return fn(ctx, arg)
	})
}

// opWith makes a handler that takes a descriptor over.
func opWith[T any](fn func(ctx context.Context, arg T, with int) (any, int, error)) handler {
	return func(ctx context.Context, name string, body json.RawMessage, with int) (any, int, error) {
		var arg T
		if err := json.Unmarshal(body, &arg); err != nil {
			closeFDs(with)
			return nil, noFD, fmt.Errorf("%s: %w", name, err)
		}
		return fn(ctx, arg, with)
	}
}

// serveOps dispatches to the handler of an operation.
func serveOps(ops map[string]handler) handler {
	return func(ctx context.Context, name string, body json.RawMessage, with int) (any, int, error) {
		h := ops[name]
		if h == nil {
			closeFDs(with)
			return nil, noFD, errors.New("sandbox: unknown operation " + name)
		}
		return h(ctx, name, body, with)
	}
}
