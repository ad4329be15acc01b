package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/containerd/platforms"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// PullError is a pull that failed; its text is what Fargate puts after
// "CannotPullContainerError: ".
type PullError struct {
	Ref      string
	Attempts int
	Err      error
	text     string
}

func (e *PullError) Error() string {
	if e.text != "" {
		return e.text
	}
	return fmt.Sprintf("pull image manifest has been retried %d time(s): %v", e.Attempts, e.Err)
}

func (e *PullError) Unwrap() error { return e.Err }

var (
	errInvalidReference = errors.New("invalid reference format")
	// errPlatform is worded as Fargate words it, the missing article included.
	errPlatform = fmt.Errorf("image Manifest does not contain descriptor matching platform '%s'", platforms.Format(ocispec.Platform{OS: "linux", Architecture: platforms.DefaultSpec().Architecture}))
)

// attempts is how often a registry that does not answer is asked.
const attempts = 3

// attemptError carries how often something was tried.
type attemptError struct {
	n   int
	err error
}

func (e *attemptError) Error() string { return e.err.Error() }
func (e *attemptError) Unwrap() error { return e.err }

type fetched struct {
	desc ocispec.Descriptor
	raw  []byte
}

// attempt tries f again when it failed for a reason that may pass.
func attempt(ctx context.Context, f func() (ocispec.Descriptor, []byte, error)) (fetched, error) {
	delay := 250 * time.Millisecond
	for n := 1; ; n++ {
		desc, raw, err := f()
		if err == nil {
			return fetched{desc, raw}, nil
		}
		if n == attempts || !mayPass(err) {
			return fetched{}, &attemptError{n, err}
		}
		select {
		case <-time.After(delay):
			delay *= 4
		case <-ctx.Done():
			return fetched{}, &attemptError{n, err}
		}
	}
}

// mayPass reports whether an error can be different next time: what the
// registry has answered clearly is not.
func mayPass(err error) bool {
	if answer, ok := errors.AsType[*transport.Error](err); ok {
		return answer.StatusCode >= 500 || answer.StatusCode == http.StatusTooManyRequests
	}
	return !errors.Is(err, context.Canceled)
}

// pullError words a failed pull as Fargate does (seen in stopped reasons of
// platform version 1.4.0).
func pullError(ref string, named name.Reference, err error) error {
	e := &PullError{Ref: ref, Attempts: 1, Err: err}
	if a, ok := errors.AsType[*attemptError](err); ok {
		e.Attempts = a.n
	}
	answer, answered := errors.AsType[*transport.Error](err)
	_, tried := errors.AsType[*attemptError](err)
	switch {
	case answered && answer.StatusCode == http.StatusNotFound:
		e.Err = fmt.Errorf("failed to resolve ref %s: %s: not found", ref, ref)
	case answered && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		e.Err = fmt.Errorf("failed to resolve ref %s: pull access denied, repository does not exist or may require authorization: %w", ref, err)
	case answered:
		e.Err = fmt.Errorf("failed to resolve ref %s: %w", ref, err)
	case tried && mayPass(err):
		e.text = fmt.Sprintf("The task cannot pull image %s from the registry %s. There is a connection issue between the task and the registry. "+
			"Check your task network configuration. : failed to resolve ref %s: failed to do request: %v", ref, named.Context().RegistryStr(), ref, err)
	}
	return e
}
