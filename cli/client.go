package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/manifest"
)

// defaultHome is the state directory when nobody names one.
func defaultHome() string {
	if h := os.Getenv("SLIPWAY_HOME"); h != "" {
		return h
	}
	if h, err := os.UserHomeDir(); err == nil {
		return filepath.Join(h, ".slipway")
	}
	return ".slipway"
}

// access is how to reach the engine, as it wrote it.
type access struct {
	Endpoint  string `json:"endpoint"`
	Region    string `json:"region"`
	Account   string `json:"account"`
	AccessKey string `json:"accessKey"`
	SecretKey string `json:"secretKey"`
}

func (a *app) access() (access, error) {
	var c access
	b, err := os.ReadFile(filepath.Join(a.home, "credentials.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return c, &codedError{exitNoEngine, errors.New("no engine has run here yet; start it with: slipway engine start, or the whole platform with: slipway up")}
	}
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		return c, fmt.Errorf("credentials of the engine: %w", err)
	}
	return c, nil
}

// reach is access to the engine of the state directory, or, where none has
// ever run, to the one that the environment names as for other clients of AWS:
// in a container, say.
func (a *app) reach() (access, error) {
	c, err := a.access()
	if coded, ok := errors.AsType[*codedError](err); !ok || coded.code != exitNoEngine {
		return c, err
	}
	named := access{
		Endpoint: strings.TrimSuffix(os.Getenv("AWS_ENDPOINT_URL"), "/"), Region: cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION")),
		AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"), SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
	}
	if named.Endpoint == "" || named.AccessKey == "" || named.SecretKey == "" {
		return c, err
	}
	return named, nil
}

// client of the engine's API.
type client struct {
	*awsapi.Client
	access
}

func (a *app) client() (*client, error) {
	c, err := a.reach()
	if err != nil {
		return nil, err
	}
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	return &client{access: c, Client: awsapi.NewClient(awsapi.ClientConfig{
		Endpoint: c.Endpoint, Region: c.Region, AccessKey: c.AccessKey, SecretKey: c.SecretKey, HTTP: &http.Client{Transport: a.transport},
	})}, nil
}

// call calls one operation. What is not an answer of the API is worded for
// who has no engine running.
func call[I, O any](ctx context.Context, c *client, service, op string, in *I) (*O, error) {
	out, err := awsapi.Call[I, O](ctx, c.Client, service, op, in)
	// The engine may have ended in the middle of the request; the next one is
	// up soon. What only reads, or deletes, can be asked again.
	for end := time.Now().Add(restartTimeout); err != nil && cutOff(err) && repeatable(op) && time.Now().Before(end); {
		if wait(ctx, pollEvery) != nil {
			break
		}
		out, err = awsapi.Call[I, O](ctx, c.Client, service, op, in)
	}
	if _, answered := errors.AsType[*awsapi.Error](err); err != nil && !answered && ctx.Err() == nil {
		return nil, &codedError{exitNoEngine, fmt.Errorf("the engine at %s does not answer (%w); see: slipway engine status", c.Endpoint, err)}
	}
	return out, err
}

// cutOff says that a connection ended before the answer had come. An engine
// that does not run refuses connections instead.
func cutOff(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE)
}

// repeatable says whether an operation may be called again without harm.
func repeatable(op string) bool {
	for _, verb := range []string{"Describe", "List", "Get", "Filter", "Delete"} {
		if strings.HasPrefix(op, verb) {
			return true
		}
	}
	return false
}

// isCode says whether the API answered with this error code.
func isCode(err error, code string) bool {
	e, ok := errors.AsType[*awsapi.Error](err)
	return ok && e.Code == code
}

// manifest reads the manifest that the command is about.
func (a *app) manifest() (*manifest.Manifest, error) {
	m, err := manifest.Load(a.file, manifest.Options{Environment: a.environment})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usage("there is no %s here; write one with: slipway init, or name one with: --file", a.file)
	}
	return m, err
}

// print writes v as JSON.
func (a *app) print(v any) error {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// val is what a pointer points to, or the zero value.
func val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
