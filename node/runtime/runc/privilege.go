package runc

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/slipway-dev/slipway/node/runtime"
)

// defaultCapabilities are what Fargate, like Docker, gives a container.
var defaultCapabilities = []string{
	"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
	"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

// addable is what a task definition may add on Fargate (KernelCapabilities in
// the ECS API reference).
const addable = "CAP_SYS_PTRACE"

// capabilities is the default set with changes.
func capabilities(add, drop []string) ([]string, error) {
	set := map[string]bool{}
	for _, c := range defaultCapabilities {
		set[c] = true
	}
	for _, c := range drop {
		if c == "ALL" {
			clear(set)
			continue
		}
		delete(set, capName(c))
	}
	for _, c := range add {
		if capName(c) != addable {
			return nil, fmt.Errorf("capability %s cannot be added on Fargate, only SYS_PTRACE", c)
		}
		set[addable] = true
	}
	return slices.Sorted(maps.Keys(set)), nil
}

func capName(s string) string { return "CAP_" + strings.TrimPrefix(strings.ToUpper(s), "CAP_") }

// defaultOpenFiles is Fargate's nofile limit, soft and hard.
const defaultOpenFiles = 65535

// rlimits adds the default number of open files, or as many as this user may
// have.
func rlimits(ulimits []runtime.Ulimit) ([]specs.POSIXRlimit, error) {
	var out []specs.POSIXRlimit
	open := false
	for _, u := range ulimits {
		name := strings.ToUpper(u.Name)
		if !slices.Contains(ulimitNames, u.Name) {
			return nil, fmt.Errorf("unknown ulimit %q", u.Name)
		}
		open = open || u.Name == "nofile"
		out = append(out, specs.POSIXRlimit{Type: "RLIMIT_" + name, Soft: uint64(u.Soft), Hard: uint64(u.Hard)})
	}
	if !open {
		var own unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err != nil {
			return nil, err
		}
		if own.Max < defaultOpenFiles { // root may have more
			more := unix.Rlimit{Cur: own.Cur, Max: defaultOpenFiles}
			if unix.Prlimit(0, unix.RLIMIT_NOFILE, &more, nil) == nil {
				own = more
			}
		}
		n := min(own.Max, defaultOpenFiles)
		out = append(out, specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: n, Hard: n})
	}
	return out, nil
}

var ulimitNames = []string{
	"core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
}
