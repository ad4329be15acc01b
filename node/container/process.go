package container

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// become turns the child, which is in the container, into the process: limits,
// filter, capabilities, user, program, in this order, since each takes away
// what the one before needs.
func (b *birth) become(p *specs.Process, filter []unix.SockFilter) error {
	if p.ApparmorProfile != "" || p.SelinuxLabel != "" || p.OOMScoreAdj != nil || p.IOPriority != nil || p.Scheduler != nil {
		return fmt.Errorf("security label or scheduling of a process: %w", ErrUnsupported)
	}
	if len(p.Args) == 0 || p.Capabilities == nil {
		return fmt.Errorf("process without command or capabilities: %w", ErrUnsupported)
	}
	if err := b.limits(p.Rlimits); err != nil {
		return err
	}
	b.try(unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, 0) // not the caller's keys; a user may have only so many
	b.do("set umask", unix.SYS_UMASK, 0o022)
	if p.NoNewPrivileges {
		b.do("allow no new privileges", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}
	if len(filter) > 0 {
		prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
		b.do("load seccomp filter", unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, pin(&b.calls, &prog))
	}
	if p.Cwd != "" {
		b.do(fmt.Sprintf("chdir to cwd (%q) set in config.json failed", p.Cwd), unix.SYS_CHDIR, b.text(p.Cwd))
	}
	if err := b.privileges(p); err != nil {
		return err
	}
	b.signals()
	b.program(p)
	return nil
}

// resources are the names of setrlimit(2) as the specification has them.
var resources = map[string]uintptr{
	"RLIMIT_AS": unix.RLIMIT_AS, "RLIMIT_CORE": unix.RLIMIT_CORE, "RLIMIT_CPU": unix.RLIMIT_CPU, "RLIMIT_DATA": unix.RLIMIT_DATA,
	"RLIMIT_FSIZE": unix.RLIMIT_FSIZE, "RLIMIT_LOCKS": unix.RLIMIT_LOCKS, "RLIMIT_MEMLOCK": unix.RLIMIT_MEMLOCK, "RLIMIT_MSGQUEUE": unix.RLIMIT_MSGQUEUE,
	"RLIMIT_NICE": unix.RLIMIT_NICE, "RLIMIT_NOFILE": unix.RLIMIT_NOFILE, "RLIMIT_NPROC": unix.RLIMIT_NPROC, "RLIMIT_RSS": unix.RLIMIT_RSS,
	"RLIMIT_RTPRIO": unix.RLIMIT_RTPRIO, "RLIMIT_RTTIME": unix.RLIMIT_RTTIME, "RLIMIT_SIGPENDING": unix.RLIMIT_SIGPENDING, "RLIMIT_STACK": unix.RLIMIT_STACK,
}

func (b *birth) limits(list []specs.POSIXRlimit) error {
	for _, l := range list {
		r, ok := resources[l.Type]
		if !ok {
			return fmt.Errorf("resource limit %s: %w", l.Type, ErrUnsupported)
		}
		b.do("set "+l.Type, unix.SYS_PRLIMIT64, 0, r, pin(&b.calls, &unix.Rlimit{Cur: l.Soft, Max: l.Hard}), 0)
	}
	return nil
}

// privileges sets capabilities and user.
func (b *birth) privileges(p *specs.Process) error {
	var sets [5]uint64
	for i, names := range [5][]string{
		p.Capabilities.Bounding, p.Capabilities.Effective, p.Capabilities.Permitted, p.Capabilities.Inheritable, p.Capabilities.Ambient,
	} {
		for _, name := range names {
			n := slices.Index(capabilityNames, name)
			if n < 0 {
				return fmt.Errorf("capability %s: %w", name, ErrUnsupported)
			}
			sets[i] |= 1 << n
		}
	}
	bounding, effective, permitted, inheritable, ambient := sets[0], sets[1], sets[2], sets[3], sets[4]
	for n := range uintptr(64) { // a number that the kernel has no capability for is refused
		if bounding&(1<<n) == 0 {
			b.try(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, n, 0, 0, 0)
		}
	}
	b.do("keep capabilities", unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0, 0, 0)
	groups := append([]uint32{0}, p.User.AdditionalGids...)[1:]
	b.do("set groups", unix.SYS_SETGROUPS, uintptr(len(groups)), pin(&b.calls, unsafe.SliceData(groups)))
	gid, uid := uintptr(p.User.GID), uintptr(p.User.UID)
	b.do(fmt.Sprintf("set group %d", gid), unix.SYS_SETRESGID, gid, gid, gid)
	b.do(fmt.Sprintf("set user %d", uid), unix.SYS_SETRESUID, uid, uid, uid)
	b.do("keep capabilities", unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 0, 0, 0, 0)
	if p.User.Umask != nil {
		b.do("set umask", unix.SYS_UMASK, uintptr(*p.User.Umask))
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{
		{Effective: uint32(effective), Permitted: uint32(permitted), Inheritable: uint32(inheritable)},
		{Effective: uint32(effective >> 32), Permitted: uint32(permitted >> 32), Inheritable: uint32(inheritable >> 32)},
	}
	b.do("set capabilities", unix.SYS_CAPSET, pin(&b.calls, &header), pin(&b.calls, &data))
	b.try(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	for n := range uintptr(64) {
		if ambient&(1<<n) != 0 {
			b.do("raise "+capabilityNames[n], unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, n, 0, 0)
		}
	}
	return nil
}

// signals undoes what the caller's runtime has set up.
func (b *birth) signals() {
	standard := pin(&b.calls, new([4]uint64)) // struct sigaction: no handler, no flags, no mask
	for n := range uintptr(64) {
		b.try(unix.SYS_RT_SIGACTION, n+1, standard, 0, 8)
	}
	b.do("unblock signals", unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, pin(&b.calls, new(uint64)), 0, 8)
}

// program executes the command, which is looked for in PATH inside the container.
func (b *birth) program(p *specs.Process) {
	argv, envp := b.texts(p.Args), b.texts(p.Env)
	candidates := []string{p.Args[0]}
	if !strings.Contains(p.Args[0], "/") {
		candidates = nil
		for dir := range strings.SplitSeq(variable(p.Env, "PATH"), ":") {
			if path.IsAbs(dir) {
				candidates = append(candidates, path.Join(dir, p.Args[0]))
			}
		}
	}
	for i, c := range candidates {
		b.add("exec", i < len(candidates)-1, unix.SYS_EXECVE, []uintptr{b.text(c), argv, envp})
	}
	if len(candidates) == 0 {
		b.do("exec", unix.SYS_EXECVE, b.text(""), argv, envp)
	}
}

// texts is an array of C strings.
func (c *calls) texts(list []string) uintptr {
	out := make([]uintptr, 0, len(list)+1)
	for _, s := range list {
		out = append(out, c.text(s))
	}
	out = append(out, 0)
	return pin(c, &out[0])
}

func variable(env []string, name string) string {
	for _, v := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// explain words why a process does not run as runc does.
func explain(err error, p *specs.Process) error {
	e, ok := errors.AsType[*Error](err)
	switch {
	case err == nil:
		return nil
	case !ok || e.Doing != "exec":
		return fmt.Errorf("unable to start container process: %w", err)
	case !strings.Contains(p.Args[0], "/"):
		return fmt.Errorf("unable to start container process: exec: %q: executable file not found in $PATH", p.Args[0])
	case e.Errno == unix.ENOENT:
		return fmt.Errorf("unable to start container process: exec: %q: stat %s: %w", p.Args[0], p.Args[0], e.Errno)
	}
	return fmt.Errorf("unable to start container process: exec: %q: %w", p.Args[0], e.Errno)
}

// capabilityNames by number (linux/capability.h).
var capabilityNames = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
	"CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
	"CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
	"CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP",
	"CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}
