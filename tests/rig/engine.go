package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/node/sandbox"
)

// Patience bounds every command that is not told otherwise.
const Patience = 2 * time.Minute

// Engine is one engine of the binary, started or not, with a project that it
// may deploy: a copy of the repository's manifest and examples.
type Engine struct {
	Binary   string
	Folder   string // holds everything of it
	Home     string // state directory
	Project  string // folder of slipway.yaml
	API      string // host:port
	Offset   int    // of load balancer ports below 1024
	Ordinary bool   // runs as Nobody
	env      []string
}

// Options of New.
type Options struct {
	Binary   string
	Folder   string // made when missing
	Home     string // default: state, in the folder
	Ordinary bool   // run as Nobody
}

// New prepares an engine; nothing runs yet.
func New(o Options) (*Engine, error) {
	e := &Engine{Binary: o.Binary, Folder: o.Folder, Home: o.Home, Project: filepath.Join(o.Folder, "project"), Ordinary: o.Ordinary}
	if e.Home == "" {
		e.Home = filepath.Join(o.Folder, "state")
	}
	var err error
	if e.API, e.Offset, err = ports(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(e.Folder, 0o755); err != nil {
		return nil, err
	}
	if err := e.copyProject(); err != nil {
		return nil, err
	}
	e.env = append(clean(os.Environ()), "SLIPWAY_HOME="+e.Home, "NO_COLOR=1", "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true",
		"DOCKER_CONFIG="+filepath.Join(e.Folder, "docker"), "REGISTRY_AUTH_FILE="+filepath.Join(e.Folder, "auth.json"))
	if record := os.Getenv("SLIPWAY_RECORD"); record != "" {
		e.env = append(e.env, "SLIPWAY_RECORD="+record) // what clients call, for design/compatibility.md
	}
	if o.Ordinary {
		return e, e.giveAway()
	}
	return e, nil
}

// clean drops what would lead a client elsewhere.
func clean(env []string) []string {
	var out []string
	for _, v := range env {
		if !strings.HasPrefix(v, "AWS_") && !strings.HasPrefix(v, "SLIPWAY_") && !strings.HasPrefix(v, "ENVIRONMENT_SUFFIX=") {
			out = append(out, v)
		}
	}
	return out
}

func (e *Engine) copyProject() error {
	if err := os.MkdirAll(e.Project, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"slipway.yaml", "go.mod", "go.sum", "cdk.json"} {
		b, err := os.ReadFile(filepath.Join(Root(), name))
		if err == nil {
			err = os.WriteFile(filepath.Join(e.Project, name), b, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return os.CopyFS(filepath.Join(e.Project, "examples"), os.DirFS(filepath.Join(Root(), "examples")))
}

// giveAway makes the folder Nobody's and gives it a home of its own.
func (e *Engine) giveAway() error {
	e.env = append(e.env, "HOME="+e.Folder, "GOCACHE="+filepath.Join(e.Folder, "gocache"), "GOPROXY=off", "GOFLAGS=-buildvcs=false", "TMPDIR="+e.Folder)
	binary := filepath.Join(e.Folder, "slipway")
	b, err := os.ReadFile(e.Binary)
	if err != nil {
		return err
	}
	if err := os.WriteFile(binary, b, 0o755); err != nil {
		return err
	}
	sidecar, err := os.ReadFile(filepath.Join(filepath.Dir(e.Binary), "slipway-proxy"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(e.Folder, "slipway-proxy"), sidecar, 0o755); err != nil {
		return err
	}
	e.Binary = binary
	return filepath.Walk(e.Folder, func(path string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, Nobody, Nobody)
	})
}

// Manifest replaces text in the project's manifest; pairs of old and new.
// It fails when an old text is not there.
func (e *Engine) Manifest(pairs ...string) error {
	path := filepath.Join(e.Project, "slipway.yaml")
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := string(b)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			return fmt.Errorf("the manifest has no %q", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// Env is the environment of the engine's clients: credentials too once it has
// run.
func (e *Engine) Env() []string {
	env := append([]string{}, e.env...)
	c, err := e.credentials()
	if err != nil {
		return env
	}
	return append(env, "AWS_ENDPOINT_URL="+c.Endpoint, "AWS_ENDPOINT_URL_S3="+strings.Replace(c.Endpoint, "//localhost:", "//127.0.0.1:", 1), "AWS_REGION="+c.Region, "AWS_DEFAULT_REGION="+c.Region,
		"AWS_ACCESS_KEY_ID="+c.AccessKey, "AWS_SECRET_ACCESS_KEY="+c.SecretKey)
}

type credentials struct{ Endpoint, Region, Account, AccessKey, SecretKey string }

func (e *Engine) credentials() (c credentials, err error) {
	b, err := os.ReadFile(filepath.Join(e.Home, "credentials.json"))
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	return c, err
}

// Client calls the engine's API.
func (e *Engine) Client() (*awsapi.Client, error) {
	c, err := e.credentials()
	if err != nil {
		return nil, err
	}
	return awsapi.NewClient(awsapi.ClientConfig{Endpoint: c.Endpoint, Region: c.Region, AccessKey: c.AccessKey, SecretKey: c.SecretKey}), nil
}

// Command is slipway with arguments, in the project's folder.
func (e *Engine) Command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	return e.Tool(ctx, append([]string{e.Binary}, args...)...)
}

// Tool is any program as the engine's user, with the engine's environment.
func (e *Engine) Tool(ctx context.Context, argv ...string) (*exec.Cmd, error) {
	if e.Ordinary {
		var err error
		if argv, err = asNobody(e.Folder, argv); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = e.Project, e.Env()
	// Whoever inherits the pipes, as a daemon does not but might, must not hang us.
	cmd.WaitDelay = 5 * time.Second
	return cmd, nil
}

// Run runs slipway to its end. The error of a failed command carries what it
// printed.
func (e *Engine) Run(ctx context.Context, args ...string) (string, error) {
	cmd, err := e.Command(ctx, args...)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	var both transcript
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, &both), &both
	if err := cmd.Run(); err != nil {
		return out.String(), &CommandError{Args: args, Output: both.String(), Err: err}
	}
	return out.String(), nil
}

// transcript takes both streams of a command, which are copied at the same time.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (t *transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(b)
}

// String is what was written so far.
func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// CommandError is a command that exited with another code than zero.
type CommandError struct {
	Args   []string
	Output string
	Err    error
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("slipway %s: %v\n%s", strings.Join(e.Args, " "), e.Err, e.Output)
}

func (e *CommandError) Unwrap() error { return e.Err }

// Code is the exit code, -1 when the program did not run.
func (e *CommandError) Code() int {
	if x, ok := errors.AsType[*exec.ExitError](e.Err); ok {
		return x.ExitCode()
	}
	return -1
}

// StartArgs are the arguments that start the engine on its ports.
func (e *Engine) StartArgs() []string {
	return []string{"engine", "start", "--api", e.API, "--port-offset", strconv.Itoa(e.Offset)}
}

// UpArgs are the arguments of slipway up with the engine on its ports.
func (e *Engine) UpArgs() []string {
	return []string{"up", "--api", e.API, "--port-offset", strconv.Itoa(e.Offset)}
}

// Status is what the state directory says of the engine.
func (e *Engine) Status() (sandbox.Status, error) { return sandbox.StatusOf(e.Home) }

// Balancer is where load balancers listen for port 80.
func (e *Engine) Balancer() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(80+e.Offset))
}

// Journal is the end of the engine's log.
func (e *Engine) Journal() string {
	b, err := os.ReadFile(filepath.Join(e.Home, "engine.log"))
	if err != nil {
		return err.Error()
	}
	const most = 8 << 10
	return string(b[max(0, len(b)-most):])
}

// Close ends the engine and removes its folder, whatever state it is in.
func (e *Engine) Close() error {
	err := sandbox.Stop(e.Home, time.Minute)
	if errors.Is(err, sandbox.ErrNotRunning) {
		err = nil
	}
	return errors.Join(err, sandbox.Purge(e.Home), os.RemoveAll(e.Folder))
}
