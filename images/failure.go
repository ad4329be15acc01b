package images

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// BuildError tells why services have no image.
type BuildError struct {
	Services []string // the services that were built together
	Tool     string   // what was run, such as "go build" or "docker build"
	Output   string   // what it wrote, trimmed
	Err      error
}

func (e *BuildError) Error() string {
	out := fmt.Sprintf("build %s: %s: %v", strings.Join(e.Services, ", "), e.Tool, e.Err)
	if e.Output != "" {
		out += "\n" + e.Output
	}
	return out
}

// Unwrap gives the tool's own error.
func (e *BuildError) Unwrap() error { return e.Err }

type failures struct {
	mu   sync.Mutex
	errs []error
}

func (f *failures) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errs = append(f.errs, err)
}

func (f *failures) join() error {
	slices.SortFunc(f.errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return errors.Join(f.errs...)
}

// tail keeps the end of a tool's output, where the reason is.
func tail(output []byte) string {
	const keep = 8 << 10
	text := strings.TrimSpace(string(output))
	if len(text) > keep {
		text = "..." + text[len(text)-keep:]
	}
	return text
}
