package container

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/slipway-dev/slipway/node/container/seccomp"
)

// Container is a container that can be started, and then joined.
type Container struct {
	oci     *specs.Spec
	filter  []unix.SockFilter
	root    string
	cgroups []string
}

// Open reads a bundle: config.json says what the container is, rootfs is
// mounted. cgroups are the folders that its processes join; its limits are set there.
// Errors: ErrUnsupported.
func Open(bundle string, cgroups []string) (*Container, error) {
	b, err := os.ReadFile(filepath.Join(bundle, "config.json"))
	if err != nil {
		return nil, err
	}
	var oci specs.Spec
	if err := json.Unmarshal(b, &oci); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	switch {
	case oci.Process == nil || oci.Process.Capabilities == nil || oci.Root == nil || oci.Linux == nil:
		return nil, fmt.Errorf("config.json without process, capabilities, root or linux: %w", ErrUnsupported)
	case oci.Hooks != nil || len(oci.Linux.UIDMappings) > 0 || len(oci.Linux.Devices) > 0 || oci.Linux.IntelRdt != nil || oci.Linux.RootfsPropagation != "":
		return nil, fmt.Errorf("config.json with hooks, mappings or devices: %w", ErrUnsupported)
	}
	if slices.Contains(oci.Process.Capabilities.Bounding, "CAP_SYS_PTRACE") {
		// It could look into a process that joins before that is one of its own.
		return nil, fmt.Errorf("container with CAP_SYS_PTRACE: %w", ErrUnsupported)
	}
	c := &Container{oci: &oci, root: oci.Root.Path, cgroups: cgroups}
	if !filepath.IsAbs(c.root) {
		c.root = filepath.Join(bundle, c.root)
	}
	c.filter, err = compiled(oci.Linux.Seccomp)
	oci.Linux.Seccomp = nil // a container is kept; its profile is most of it
	return c, err
}

// filters keeps what was compiled: containers have few different profiles.
var filters sync.Map // sha256 of the profile -> []unix.SockFilter

func compiled(p *specs.LinuxSeccomp) ([]unix.SockFilter, error) {
	if p == nil {
		return nil, nil
	}
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	key := sha256.Sum256(text)
	if f, ok := filters.Load(key); ok {
		return f.([]unix.SockFilter), nil //nolint:forcetypeassert // all values are
	}
	f, err := seccomp.Compile(p)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	filters.Store(key, f)
	return f, nil
}
