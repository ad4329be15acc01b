// Package container starts processes in containers: the first one of a new
// container (Start), and one more in a container that runs (Join). It does
// what the runc command does with the same OCI specification, without the
// programs that runc executes on the way: the caller forks, and the child
// turns itself into the container's process by system calls alone.
//
// What a child does is put together before it is born (calls): a child of a
// program with many threads can run no other code safely. It has the caller's memory as a copy of its own,
// never shared.
//
// Invariants, which tests hold:
//   - A process never sees more than its container: namespaces, root and
//     cgroups are the container's before its program runs, all descriptors
//     but its three are closed.
//   - Capabilities, seccomp filter, user, groups and resource limits are those of
//     the specification; a process that joins has them all as the first has.
//   - While a process that joins can be seen by the container it is not
//     dumpable and holds more capabilities than the container, so that nothing
//     in there may trace it. A container with CAP_SYS_PTRACE could; it is
//     refused here (ErrUnsupported) and left to runc.
//   - No mount that a container can write to allows devices; those it has are
//     mounts of their own. This holds without a device cgroup.
//
// It needs Linux 5.12 (Supported) and refuses what it does not know
// (ErrUnsupported); the caller then uses runc.
package container
