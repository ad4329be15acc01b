package sandbox

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// Host is the engine's access to init and, through it, to the host.
type Host struct {
	init  *peer
	about hello
	exits *queue
}

// Connect connects the engine to the init that started it. It may be called once
// in a process. The engine must end when Gone is closed; init sends it SIGTERM
// too when the sandbox stops.
func Connect() (*Host, error) {
	if role() != roleEngine {
		return nil, fmt.Errorf("sandbox: %w: start the engine with `slipway engine start`", ErrOutside)
	}
	if err := os.Unsetenv(roleEnv); err != nil { // not for our children
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	h := &Host{exits: newQueue()}
	var err error
	if h.init, err = newPeer(os.NewFile(3, "rpc"), serveOps(nil), h.notice); err != nil {
		return nil, fmt.Errorf("sandbox: connect to init: %w", err)
	}
	if _, err := h.init.call(context.Background(), opHello, nil, &h.about); err != nil {
		return nil, fmt.Errorf("sandbox: connect to init: %w", err)
	}
	if h.about.Protocol != protocol {
		return nil, fmt.Errorf("sandbox: this engine speaks protocol %d, the running sandbox %d: `slipway engine stop`, then start it again", protocol, h.about.Protocol)
	}
	return h, nil
}

// Rootless reports whether the sandbox has a user namespace: the user who
// started it is not root.
func (h *Host) Rootless() bool { return h.about.Rootless }

// StateDir is Config.Dir, absolute; what is stored there stays.
func (h *Host) StateDir() string { return h.about.StateDir }

// Dir is the folder for everything that lives as long as the sandbox: bundles,
// network namespace pins, container logs, mounts. Init empties it at start
// and at the end.
func (h *Host) Dir() string { return h.about.Dir }

// CgroupParent is the cgroup below which containers get theirs (cgroupsPath of
// the runtime specification is CgroupParent + "/" + id), or empty when there
// can be no limits; then cgroupsPath and resources must be left empty.
func (h *Host) CgroupParent() string { return h.about.CgroupParent }

// Limits reports whether CPU and memory limits are possible, and in one sentence
// why not.
func (h *Host) Limits() (ok bool, why string) {
	return h.about.CgroupParent != "", h.about.Limits
}

// Runc is the path of the runc that init executes, for runc exec and the like;
// empty with Config.WithoutRunc where there is none.
func (h *Host) Runc() string { return h.about.Runc }

// Gone is closed when init has gone or is about to.
func (h *Host) Gone() <-chan struct{} { return h.init.closed }

// Ready says that the engine answers its clients: it makes Start and Restart
// return. Every engine has to call it, once; an engine that ends by itself before it has ever been ready
// is a failed start, and the end of its stderr is the error.
func (h *Host) Ready(ctx context.Context) error {
	return h.do(ctx, opReady, nil)
}

// Start runs a container and returns when runc has started it. A container whose
// start failed is known with its Error until Forget or another Start. Start goes
// on if ctx or the engine ends. Errors: ErrExists, ErrStopping, runc's own.
func (h *Host) Start(ctx context.Context, p Process) error {
	for _, path := range []string{p.Bundle, p.RuncRoot, p.Log} {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("sandbox: start %s: path %q is not absolute", p.ID, path)
		}
	}
	return h.do(ctx, opStart, p)
}

// Containers lists the containers init knows, by id; ended ones until Forget.
func (h *Host) Containers(ctx context.Context) ([]Container, error) {
	var out []Container
	if _, err := h.init.call(ctx, opContainers, nil, &out); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return out, nil
}

// Exits delivers the ids of containers that end from now on; an id that waits to
// be read is not repeated. Containers is the truth: read it after Connect. The
// channel is never closed; Gone tells the end.
func (h *Host) Exits() <-chan string { return h.exits.out }

// Forget drops the record of an ended container and its runc state. Unknown ids
// are no error. Errors: ErrBusy while it runs.
func (h *Host) Forget(ctx context.Context, id string) error {
	return h.do(ctx, opForget, id)
}

func (h *Host) do(ctx context.Context, op string, arg any) error {
	if _, err := h.init.call(ctx, op, arg, nil); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return nil
}

// Listen returns a TCP listener on the host. Init keeps the socket: Close leaves
// it open, so that connections wait for the next Listen on the same address (of
// this engine or the next); Unlisten closes it. Port 0 picks a port, and the
// same one again for the same addr. Errors: syscall.EADDRINUSE, EACCES.
func (h *Host) Listen(ctx context.Context, addr string) (net.Listener, error) {
	fd, err := h.init.call(ctx, opListen, addr, nil)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	f := os.NewFile(uintptr(fd), "listener "+addr)
	defer f.Close() // FileListener has a copy
	return net.FileListener(f)
}

// Listeners lists the addresses of kept listeners, so that a new engine can
// Unlisten those it has no use for.
func (h *Host) Listeners(ctx context.Context) ([]string, error) {
	var out []string
	if _, err := h.init.call(ctx, opListeners, nil, &out); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return out, nil
}

// Unlisten closes the kept listener of addr; one that is not there is no error.
func (h *Host) Unlisten(ctx context.Context, addr string) error {
	return h.do(ctx, opUnlisten, addr)
}

// Dial connects from the host: network is tcp, tcp4, tcp6, udp, udp4 or udp6,
// names are resolved on the host. Loopback, link-local, multicast, unspecified and the
// host's own addresses are refused unless Config.AllowHost. Errors: ErrRefused,
// syscall.ECONNREFUSED and the like.
func (h *Host) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return h.conn(ctx, opDial, target{network, addr})
}

// Resolver connects to the first usable name server of the host's resolv.conf,
// even one on loopback; network is udp or tcp.
func (h *Host) Resolver(ctx context.Context, network string) (net.Conn, error) {
	return h.conn(ctx, opResolver, target{Network: network})
}

func (h *Host) conn(ctx context.Context, op string, t target) (net.Conn, error) {
	fd, err := h.init.call(ctx, op, t, nil)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	f := os.NewFile(uintptr(fd), t.Addr)
	defer f.Close()
	return net.FileConn(f)
}
