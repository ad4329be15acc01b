// Package sandbox gives the engine a machine of its own inside the user's
// machine: new mount, pid, network, ipc and uts namespaces, and a user
// namespace when the user is not root. Nothing made in it is visible on the
// host, and nothing needs root there.
//
// Three processes of one binary share the work, so that each may fail alone:
//
//	parent  on the host: opens host listeners, carries permitted egress out,
//	        holds the lock of the state directory (Run, Start, Stop, Restart)
//	init    PID 1 of the sandbox: starts and reaps containers, keeps their exit
//	        codes, their log files and the listeners, restarts the engine
//	engine  everything else; it reaches the other two through Connect and Host
//
// Invariants:
//   - The end of the engine ends nothing: init starts it again, by path, so that
//     an upgraded binary is picked up. Containers, listeners (with the
//     connections queued in them) and exit codes are still there.
//   - The end of the parent ends the sandbox: init sees the end of its socket
//     and takes everything down in order.
//   - The end of init ends every process, mount and network namespace at once
//     (the kernel does that); the parent removes files and cgroups.
//   - At most one sandbox uses a state directory: parent and init hold an flock.
//   - Only init starts and waits for processes that must outlive the engine.
//   - The main thread of the engine never leaves the sandbox's network
//     namespace, because the kernel resolves /proc/self through it.
//
// The package knows nothing of AWS, networks (node/vpc) or images (node/runtime).
package sandbox
