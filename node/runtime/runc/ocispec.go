package runc

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/slipway-dev/slipway/node/runtime"
)

// ociVersion is what the oldest supported runc (1.1) takes.
const ociVersion = "1.0.2"

const defaultShm = 64 << 20

// initPath is where the init program is seen inside containers.
const initPath = "/dev/init"

// ociSpec is runc's config.json. The bundle's root file system is mounted.
func (d *Driver) ociSpec(spec runtime.Spec, p runtime.Process, r record) (*specs.Spec, error) {
	user, home, err := lookUpUser(d.rootfs(spec.ID), p.User)
	if err != nil {
		return nil, err
	}
	caps, err := capabilities(spec.CapAdd, spec.CapDrop)
	if err != nil {
		return nil, err
	}
	limits, err := rlimits(spec.Ulimits)
	if err != nil {
		return nil, err
	}
	oci := &specs.Spec{
		Version:  ociVersion,
		Hostname: spec.Hostname,
		Root:     &specs.Root{Path: "rootfs", Readonly: spec.ReadOnlyRoot},
		Process: &specs.Process{
			Args:         p.Args,
			Env:          runtime.MergeEnv([]string{"HOME=" + home}, p.Env),
			Cwd:          p.Dir,
			User:         user,
			Capabilities: &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps},
			Rlimits:      limits,
		},
		Mounts: slices.Concat(kernelMounts(spec.ShmSize), volumeMounts(spec)),
		Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace},
				{Type: specs.MountNamespace},
				{Type: specs.IPCNamespace},
				{Type: specs.UTSNamespace},
				{Type: specs.NetworkNamespace, Path: spec.NetNS},
			},
			Sysctl:        spec.Sysctls,
			MaskedPaths:   maskedPaths,
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		},
	}
	files, err := d.fileMounts(spec)
	if err != nil {
		return nil, err
	}
	oci.Mounts = append(oci.Mounts, files...)
	if spec.Init {
		if d.cfg.Init == "" {
			return nil, fmt.Errorf("this engine has no init process for containers")
		}
		oci.Mounts = append(oci.Mounts, specs.Mount{Destination: initPath, Type: "bind", Source: d.cfg.Init, Options: []string{"bind", "ro", "nosuid"}})
		oci.Process.Args = slices.Concat([]string{initPath}, d.cfg.InitArgs, []string{"--"}, p.Args)
	}
	if r.Cgroup != "" {
		oci.Linux.CgroupsPath = r.Cgroup
		oci.Linux.Resources = d.cgroups.resources(spec)
	}
	oci.Linux.Seccomp = seccompProfile(oci)
	return oci, nil
}

// seccompProfile is Docker's default profile, for 64-bit and 32-bit programs.
// The x32 ABI, which kernels leave out, is not in it: compiling the filter is
// a third of a container's start, and each ABI a third of that.
func seccompProfile(oci *specs.Spec) *specs.LinuxSeccomp {
	p := seccomp.DefaultProfile(oci)
	p.Architectures = slices.DeleteFunc(p.Architectures, func(a specs.Arch) bool { return a == specs.ArchX32 })
	return p
}

// maskedPaths are those that Docker hides.
var maskedPaths = []string{
	"/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
	"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
}

func kernelMounts(shm int64) []specs.Mount {
	if shm == 0 {
		shm = defaultShm
	}
	return []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", fmt.Sprintf("size=%d", shm)}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
	}
}

// volumeMounts are the volumes and memory file systems of a container.
func volumeMounts(spec runtime.Spec) []specs.Mount {
	var out []specs.Mount
	for _, t := range spec.Tmpfs {
		options := []string{"nosuid", "nodev"}
		if t.Size > 0 {
			options = append(options, fmt.Sprintf("size=%d", t.Size))
		}
		out = append(out, specs.Mount{Destination: t.Target, Type: "tmpfs", Source: "tmpfs", Options: append(options, t.Options...)})
	}
	for _, m := range spec.Mounts {
		mode := "rw"
		if m.ReadOnly {
			mode = "ro"
		}
		out = append(out, specs.Mount{Destination: m.Target, Type: "bind", Source: m.Source, Options: []string{"rbind", "rprivate", mode}})
	}
	// Parents first, whatever order they were given in.
	slices.SortStableFunc(out, func(a, b specs.Mount) int {
		return strings.Count(filepath.Clean(a.Destination), "/") - strings.Count(filepath.Clean(b.Destination), "/")
	})
	return out
}

// fileMounts writes the files of a spec into the bundle.
func (d *Driver) fileMounts(spec runtime.Spec) ([]specs.Mount, error) {
	mode := "rw"
	if spec.ReadOnlyRoot {
		mode = "ro"
	}
	var out []specs.Mount
	for i, target := range slices.Sorted(maps.Keys(spec.Files)) {
		path := filepath.Join(d.bundle(spec.ID), fmt.Sprintf("file%d", i))
		if err := os.WriteFile(path, spec.Files[target], 0o644); err != nil {
			return nil, err
		}
		out = append(out, specs.Mount{Destination: target, Type: "bind", Source: path, Options: []string{"bind", "rprivate", mode}})
	}
	return out, nil
}
