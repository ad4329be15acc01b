package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// settle makes new namespaces usable; Check tries the same.
func settle() error {
	// Slave, not private: an unmount on the host has to reach our copies, or
	// they keep other programs' file systems busy.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("make mounts slaves: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("%w: %w", errProc, err)
	}
	if err := unix.Sethostname([]byte("slipway")); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	// Packet filters of the sandbox are for IPv4 only. No file, no IPv6.
	for _, which := range []string{"all", "default"} {
		err := write("/proc/sys/net/ipv6/conf/"+which+"/disable_ipv6", "1")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("disable IPv6: %w", err)
		}
	}
	return loopbackUp()
}

// errProc marks the failure that masked host /proc paths cause.
var errProc = errors.New("mount /proc in the sandbox")

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("loopback up: %w", err)
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("loopback up: %w", err)
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("loopback up: %w", err)
	}
	return nil
}

// namePtr is a C string for prctl.
func namePtr(s string) uintptr {
	b, err := unix.BytePtrFromString(s)
	if err != nil {
		return 0
	}
	return uintptr(unsafe.Pointer(b))
}

// probeMain tries what a sandbox needs, for Check.
func probeMain() error {
	if err := settle(); err != nil {
		fmt.Fprint(os.Stdout, err)
		return err
	}
	return nil
}
