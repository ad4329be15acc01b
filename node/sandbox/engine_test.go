package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// fakeEngine serves the Host over HTTP on a listener of the host, so that a test
// outside can use it. It calls Ready when it listens.
func fakeEngine(args []string) error {
	addr, mode := args[0], args[1]
	if mode == "broken" {
		return errors.New("the store is damaged")
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	h, err := Connect()
	if err != nil {
		return err
	}
	// A FIFO named hold keeps the engine from coming up until it is written.
	if f, err := os.Open(filepath.Join(h.StateDir(), "hold")); err == nil {
		f.Close()
	}
	if mode == "deaf" { // never ready
		<-stop
		return nil
	}
	ctx := context.Background()
	l, err := h.Listen(ctx, addr)
	if err != nil {
		return err
	}
	f := &fake{h: h}
	go f.watch()
	go http.Serve(l, f.mux())
	if err := h.Ready(ctx); err != nil {
		return err
	}
	select {
	case <-stop:
	case <-h.Gone():
	}
	return nil
}

type fake struct {
	h     *Host
	mu    sync.Mutex
	exits []string
}

func (f *fake) watch() {
	for id := range f.h.Exits() {
		f.mu.Lock()
		f.exits = append(f.exits, id)
		f.mu.Unlock()
	}
}

// about is what the fake engine tells of itself.
type about struct {
	Pid, Args      any
	Rootless       bool
	Dir, Cgroup    string
	Limits         string
	Namespaces     map[string]string
	MainThreadsNet string
	Exits          []string
	Listeners      []string
}

func (f *fake) mux() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, fn func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			out, err := fn(r)
			if err != nil {
				w.Header().Set("X-Refused", fmt.Sprint(errors.Is(err, ErrRefused)))
				w.Header().Set("X-Exists", fmt.Sprint(errors.Is(err, ErrExists)))
				w.Header().Set("X-Busy", fmt.Sprint(errors.Is(err, ErrBusy)))
				w.Header().Set("X-In-Use", fmt.Sprint(errors.Is(err, syscall.EADDRINUSE)))
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			json.NewEncoder(w).Encode(out)
		})
	}
	h := f.h
	handle("GET /about", func(r *http.Request) (any, error) {
		a := about{Pid: os.Getpid(), Args: os.Args, Rootless: h.Rootless(), Dir: h.Dir(), Cgroup: h.CgroupParent(), Namespaces: map[string]string{}}
		_, a.Limits = h.Limits()
		for _, ns := range []string{"mnt", "pid", "net", "ipc", "uts", "user"} {
			a.Namespaces[ns], _ = os.Readlink("/proc/self/ns/" + ns)
		}
		f.mu.Lock()
		a.Exits = f.exits
		f.mu.Unlock()
		var err error
		a.Listeners, err = h.Listeners(r.Context())
		return a, err
	})
	handle("POST /run", func(r *http.Request) (any, error) {
		return nil, f.run(r.Context(), r.FormValue("id"), strings.Fields(r.FormValue("args")), r.FormValue("app"))
	})
	handle("POST /direct", func(r *http.Request) (any, error) {
		return nil, f.direct(r.Context(), r.FormValue("id"), strings.Fields(r.FormValue("args")), r.FormValue("app"))
	})
	handle("POST /exec", func(r *http.Request) (any, error) {
		return f.exec(r.Context(), r.FormValue("id"), strings.Fields(r.FormValue("args")), r.FormValue("tty") != "")
	})
	handle("GET /containers", func(r *http.Request) (any, error) { return h.Containers(r.Context()) })
	handle("POST /forget", func(r *http.Request) (any, error) { return nil, h.Forget(r.Context(), r.FormValue("id")) })
	handle("POST /kill", func(r *http.Request) (any, error) {
		var pid int
		fmt.Sscan(r.FormValue("pid"), &pid)
		return nil, syscall.Kill(pid, syscall.SIGKILL)
	})
	handle("POST /listen", func(r *http.Request) (any, error) {
		l, err := h.Listen(r.Context(), r.FormValue("addr"))
		if err != nil {
			return nil, err
		}
		return l.Addr().String(), l.Close()
	})
	handle("POST /unlisten", func(r *http.Request) (any, error) { return nil, h.Unlisten(r.Context(), r.FormValue("addr")) })
	handle("POST /dial", func(r *http.Request) (any, error) {
		c, err := h.Dial(r.Context(), r.FormValue("network"), r.FormValue("addr"))
		if err != nil {
			return nil, err
		}
		defer c.Close()
		if _, err := io.WriteString(c, "ping\n"); err != nil {
			return nil, err
		}
		buf := make([]byte, 64)
		n, err := c.Read(buf)
		return string(buf[:n]), err
	})
	handle("POST /crash", func(r *http.Request) (any, error) {
		fmt.Fprintln(os.Stderr, "panic: the fake engine crashes")
		os.Exit(3)
		return nil, nil
	})
	handle("POST /pin", func(r *http.Request) (any, error) { return nil, pinNetNS(filepath.Join(h.Dir(), "pin")) })
	handle("POST /foreign", func(r *http.Request) (any, error) {
		return nil, errors.Join(foreign(filepath.Join(h.Dir(), "foreign")), foreign(filepath.Join(h.StateDir(), "layers")))
	})
	return mux
}

// pinNetNS leaves a mount behind, as node/vpc does.
func pinNetNS(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	f.Close()
	return syscall.Mount("/proc/self/ns/net", path, "", syscall.MS_BIND, "")
}

// foreign makes files that only root may remove, as images with users of their
// own do.
func foreign(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "closed"), 0o700); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "closed", "file"), nil, 0o600),
		os.Chown(filepath.Join(dir, "closed"), 1337, 1337))
}

// direct makes a container that init starts itself.
func (f *fake) direct(ctx context.Context, id string, args []string, app string) error {
	bundle := filepath.Join(f.h.Dir(), "bundles", id)
	root := filepath.Join(bundle, "rootfs")
	if err := errors.Join(os.MkdirAll(root, 0o755), os.MkdirAll(filepath.Join(f.h.Dir(), "logs"), 0o755)); err != nil {
		return err
	}
	b, err := os.ReadFile(app)
	if err == nil {
		err = syscall.Mount("tmpfs", root, "tmpfs", 0, "")
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(root, "app"), b, 0o755)
	}
	spec := specs.Spec{
		Root:    &specs.Root{Path: "rootfs"},
		Process: &specs.Process{Args: append([]string{"/app"}, args...), Cwd: "/", User: specs.User{UID: 1337, GID: 1337}, Capabilities: &specs.LinuxCapabilities{}},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc"},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs"},
			{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"ro"}},
		},
		Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{
			{Type: specs.PIDNamespace}, {Type: specs.MountNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace}, {Type: specs.NetworkNamespace},
		}},
	}
	config, jsonErr := json.Marshal(spec)
	if err := errors.Join(err, jsonErr, os.WriteFile(filepath.Join(bundle, "config.json"), config, 0o644)); err != nil {
		return err
	}
	return f.h.Start(ctx, Process{ID: id, Bundle: bundle, Direct: true, RuncRoot: filepath.Join(f.h.Dir(), "runc"), Log: filepath.Join(f.h.Dir(), "logs", id)})
}

// exec runs one more process and tells its exit code and output.
func (f *fake) exec(ctx context.Context, id string, args []string, tty bool) (string, error) {
	p, err := json.Marshal(specs.Process{Args: append([]string{"/app"}, args...), Cwd: "/", User: specs.User{UID: 1337, GID: 1337}})
	if err != nil {
		return "", err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	output := r
	code, err := f.h.Exec(ctx, Exec{ID: id, Process: p, Terminal: tty}, [3]*os.File{w, w, w}, func(master *os.File) { output = master })
	w.Close()
	if err != nil {
		return "", err
	}
	b, _ := io.ReadAll(output) // a terminal ends with an error
	return fmt.Sprintf("%d %s", code, b), nil
}

// run makes a bundle and starts it.
func (f *fake) run(ctx context.Context, id string, args []string, app string) error {
	bundle := filepath.Join(f.h.Dir(), "bundles", id)
	root := filepath.Join(bundle, "rootfs")
	for _, d := range []string{root, filepath.Join(root, "proc"), filepath.Join(f.h.Dir(), "logs")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	program := filepath.Join(root, "app")
	if _, err := os.Stat(program); err != nil && app != "" { // else it may be busy
		b, err := os.ReadFile(app)
		if err != nil {
			return err
		}
		if err := os.WriteFile(program, b, 0o755); err != nil {
			return err
		}
	}
	if args[0] == "wait" {
		if err := syscall.Mkfifo(filepath.Join(root, args[1]), 0o600); err != nil {
			return err
		}
	}
	spec := map[string]any{
		"ociVersion": "1.0.2",
		"root":       map[string]any{"path": "rootfs"},
		"process":    map[string]any{"args": append([]string{"/app"}, args...), "cwd": "/", "user": map[string]int{"uid": 0, "gid": 0}},
		"mounts":     []map[string]any{{"destination": "/proc", "type": "proc", "source": "proc"}},
		"linux":      map[string]any{"namespaces": []map[string]string{{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}}},
	}
	if p := f.h.CgroupParent(); p != "" {
		spec["linux"].(map[string]any)["cgroupsPath"] = p + "/" + id
		spec["linux"].(map[string]any)["resources"] = map[string]any{"memory": map[string]any{"limit": 64 << 20}}
	}
	config, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(bundle, "config.json"), config, 0o644); err != nil {
		return err
	}
	return f.h.Start(ctx, Process{ID: id, Bundle: bundle, RuncRoot: filepath.Join(f.h.Dir(), "runc"), Log: filepath.Join(f.h.Dir(), "logs", id)})
}
