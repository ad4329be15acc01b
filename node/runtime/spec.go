package runtime

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Spec says what a container shall be.
type Spec struct {
	ID    string // letters, digits, '-', '_' and '.'; at most 128
	Group Group
	Image Image

	Hostname string
	NetNS    string // path of the network namespace; "" = one of its own with loopback only

	EntryPoint []string // nil: the image's
	Command    []string // nil: the image's, unless EntryPoint is given
	Env        []string // NAME=value, over the image's
	User       string   // user[:group] by name or number; "" = the image's, or root
	Dir        string   // "" = the image's, or /

	ReadOnlyRoot bool
	Init         bool // a small init is process 1: it forwards signals and reaps
	Mounts       []Mount
	Tmpfs        []Tmpfs
	// Files are put over the image's by absolute path, mode 0644:
	// /etc/hosts, /etc/resolv.conf, /etc/hostname.
	Files   map[string][]byte
	ShmSize int64 // bytes of /dev/shm, 0 = 64 MiB

	CPUShares         int64 // relative weight, 1024 = one vCPU; 0 = the least
	MemoryLimit       int64 // bytes, 0 = the group's
	MemoryReservation int64 // bytes, 0 = none
	Ulimits           []Ulimit
	Sysctls           map[string]string
	CapAdd, CapDrop   []string // "SYS_PTRACE" or "CAP_SYS_PTRACE"; "ALL" in CapDrop
}

// Group is what the containers of one task share.
type Group struct {
	ID     string  // as Spec.ID; "" = the container is alone
	CPU    float64 // processors that all together may use; 0 = no limit
	Memory int64   // bytes that all together may use; 0 = no limit
}

// Image is an image that has been pulled and unpacked.
type Image struct {
	Ref    string // as it was asked for
	Digest string // of the manifest for this platform, sha256:...
	Root   string // chain id of the layers; drivers that need no root ignore it
	Size   int64  // bytes of the layers as they were transferred
	Config ocispec.ImageConfig
}

// Mount puts a directory at a path.
type Mount struct {
	Source   string // a directory that exists
	Target   string // absolute
	ReadOnly bool
	// CopyUp fills an empty Source with what the image has at Target, owner
	// and mode included, as Docker does for volumes.
	CopyUp bool
}

// Tmpfs is a memory file system.
type Tmpfs struct {
	Target  string
	Size    int64 // bytes, 0 = no limit
	Options []string
}

// Ulimit is a resource limit by its lower-case name without RLIMIT_: nofile.
type Ulimit struct {
	Name       string
	Soft, Hard int64 // -1 = unlimited
}

// Process is the first process of a container, image and Spec together.
type Process struct {
	Args []string
	Env  []string
	User string
	Dir  string
}

// ErrNoCommand is Docker's answer to a container with nothing to run.
var ErrNoCommand = errors.New("no command specified")

// defaultPath is what Docker sets when the image has no PATH.
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Resolve merges the image's configuration and the Spec's by Docker's rules:
// an entry point given in the Spec drops the image's command too; variables
// of the Spec replace the image's by name.
func (s Spec) Resolve() (Process, error) {
	image := s.Image.Config
	entry, command := s.EntryPoint, s.Command
	if len(entry) == 0 {
		entry = image.Entrypoint
		if len(command) == 0 {
			command = image.Cmd
		}
	}
	p := Process{Args: slices.Concat(entry, command), User: s.User, Dir: s.Dir}
	if len(p.Args) == 0 || p.Args[0] == "" {
		return p, ErrNoCommand
	}
	if p.User == "" {
		p.User = image.User
	}
	if p.Dir == "" {
		p.Dir = image.WorkingDir
	}
	if !strings.HasPrefix(p.Dir, "/") {
		p.Dir = "/" + p.Dir
	}
	base := []string{defaultPath}
	if s.Hostname != "" {
		base = append(base, "HOSTNAME="+s.Hostname)
	}
	p.Env = MergeEnv(base, image.Env, s.Env)
	return p, nil
}

// MergeEnv puts lists of NAME=value together; a later value of a name takes
// the place of an earlier one.
func MergeEnv(lists ...[]string) []string {
	var out []string
	at := map[string]int{}
	for _, list := range lists {
		for _, v := range list {
			name, _, ok := strings.Cut(v, "=")
			if !ok || name == "" {
				continue
			}
			if i, ok := at[name]; ok {
				out[i] = v
				continue
			}
			at[name] = len(out)
			out = append(out, v)
		}
	}
	return out
}

var validID = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

// CheckID refuses what cannot be a container's or group's name: ids become
// names of files and cgroups.
func CheckID(id string) error {
	if !validID.MatchString(id) {
		return fmt.Errorf("%q cannot be a container id", id)
	}
	return nil
}
