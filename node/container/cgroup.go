package container

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// join puts the child into cgroups: of version 2 it is born there, those of
// version 1 it enters before it does anything else. Either way the kernel need
// not stop all forks of the machine meanwhile, as it has to when a process is
// moved by cgroup.procs, which takes milliseconds.
func (b *birth) join(cgroups []string, free uintptr) error {
	for _, dir := range cgroups {
		if _, err := os.Stat(filepath.Join(dir, "cgroup.controllers")); err != nil {
			b.write("join cgroup "+dir, filepath.Join(dir, "tasks"), "0", free)
			continue
		}
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("join cgroup %s: %w", dir, err)
		}
		b.moved = append(b.moved, fd)
		b.clone.flags |= unix.CLONE_INTO_CGROUP
		b.clone.cgroup = uint64(fd)
	}
	return nil
}
