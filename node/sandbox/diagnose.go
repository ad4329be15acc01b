package sandbox

import (
	"os"
	"os/user"
	"strconv"
	"strings"
)

// diagnose finds the reason why a sandbox could not be made.
func diagnose(cause error, readFile func(string) ([]byte, error), rootless bool) Finding {
	f := Finding{Name: "namespaces", Required: true}
	value := func(path string) string {
		b, err := readFile(path)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(b))
	}
	is := func(path, bad string) bool { return value(path) == bad }
	switch {
	case rootless && is("/proc/sys/kernel/unprivileged_userns_clone", "0"):
		f.Detail = "this kernel gives ordinary users no user namespaces (kernel.unprivileged_userns_clone is 0)"
		f.Fix = "sudo sysctl -w kernel.unprivileged_userns_clone=1, or start the engine as root"
	case rootless && is("/proc/sys/user/max_user_namespaces", "0"):
		f.Detail = "user namespaces are switched off (user.max_user_namespaces is 0)"
		f.Fix = "sudo sysctl -w user.max_user_namespaces=15000, or start the engine as root"
	case rootless && statusField(value("/proc/self/status"), "NoNewPrivs") == "1":
		f.Detail = "this process may gain no privileges (no_new_privs), so newuidmap does nothing"
		f.Fix = "start the engine without NoNewPrivileges (systemd) or --security-opt no-new-privileges (Docker)"
	case rootless && is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"):
		f.Detail = "AppArmor gives ordinary users no usable user namespaces (kernel.apparmor_restrict_unprivileged_userns is 1)"
		f.Fix = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or start the engine as root"
	case strings.Contains(cause.Error(), errProc.Error()) && masked(value("/proc/self/mountinfo")):
		f.Detail = "parts of /proc are masked, as in containers, so the sandbox can have no /proc of its own"
		f.Fix = "start the surrounding container with --security-opt systempaths=unconfined, or the engine outside of it"
	case strings.Contains(cause.Error(), "operation not permitted"):
		f.Detail = "the kernel refuses new namespaces (" + cause.Error() + ")"
		f.Fix = "start the engine as root, and in a container with --privileged"
	default:
		f.Detail = "a sandbox cannot be made (" + cause.Error() + ")"
		f.Fix = "start the engine as root on Linux 5.11 or later"
	}
	return f
}

// statusField is a field of /proc/<pid>/status, empty if it is not there.
func statusField(status, field string) string {
	for line := range strings.Lines(status) {
		if name, v, _ := strings.Cut(line, ":"); name == field {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// masked reports whether anything is mounted below /proc.
func masked(mountinfo string) bool {
	for _, p := range mountsBelow(mountinfo, "/proc") {
		if p != "/proc" && p != "/proc/sys/fs/binfmt_misc" {
			return true
		}
	}
	return false
}

func userName() string {
	id := strconv.Itoa(os.Getuid())
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}
